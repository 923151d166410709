#!/usr/bin/env python3
"""Holds the instructions of the pixel code against those that are written down: scripts/instructions.py

    scripts/instructions.py            compares; exits 1 where a part takes over 3 % more
    scripts/instructions.py --write    writes down what is measured now

Wall time says little on a machine that does other things too; the number of instructions is the same
each time. valgrind's callgrind counts them (Debian package `valgrind`) for one run of each part of
`benches/instructions.rs`. Another compiler makes other instructions, so the comparison counts only
with the version of Rust and the kind of processor that are written down beside the figures; with
others it is shown.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WRITTEN = ROOT / "benches" / "instructions.json"
# Of the written figure: hash seeds and addresses move a count by less than a thousandth.
TOLERANCE = 0.03


def built():
    """The path of the benchmark's binary."""
    command = ["cargo", "build", "--release", "--locked", "--bench", "instructions", "--message-format=json"]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in out.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "instructions":
            return message["executable"]
    raise SystemExit("instructions: cargo built no binary")


def count(binary, part, folder):
    out = os.path.join(folder, part)
    subprocess.run(
        [
            "valgrind", "--tool=callgrind", "--quiet", "--toggle-collect=*instructions*counted*",
            f"--callgrind-out-file={out}", binary, part,
        ],
        check=True,
    )
    with open(out) as file:
        found = re.search(r"^(?:summary|totals): (\d+)", file.read(), re.MULTILINE)
    count = int(found[1]) if found else 0
    if count < 1000:
        raise SystemExit(f"instructions: {part}: nothing was counted")
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        raise SystemExit("instructions: needs valgrind (Debian package `valgrind`)")
    version = subprocess.run(["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True)
    rust = version.stdout.split()[1]
    binary = built()
    parts = subprocess.run([binary], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    with tempfile.TemporaryDirectory() as folder:
        counts = {part: count(binary, part, folder) for part in parts}
    here = {"rust": rust, "machine": platform.machine()}
    if arguments.write:
        WRITTEN.write_text(json.dumps({**here, "instructions": counts}, indent=2) + "\n")
        return
    written = json.loads(WRITTEN.read_text())
    worse = [f"{part} is not measured" for part in written["instructions"] if part not in counts]
    print(f"{'part':24} {'written down':>14} {'now':>14} {'ratio':>6}")
    for part, now in counts.items():
        before = written["instructions"].get(part)
        if before is None:
            worse.append(f"{part} is not written down")
            continue
        print(f"{part:24} {before:14,} {now:14,} {now / before:6.3f}")
        if now > before * (1 + TOLERANCE):
            worse.append(f"{part} takes {100 * (now / before - 1):.1f} % more instructions")
        elif now < before * (1 - TOLERANCE):
            print(f"  {part} got better: write it down (--write), so that it stays")
    other = [f"{key} {written[key]}, not {value}" for key, value in here.items() if written[key] != value]
    if other:
        print(f"instructions: written down with {', '.join(other)}: not compared")
    elif worse:
        sys.exit("instructions: " + "; ".join(worse))


if __name__ == "__main__":
    main()
