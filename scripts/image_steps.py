#!/usr/bin/env python3
"""Runs the RUN lines of the Dockerfile without a container engine.

Each stage that has any gets a folder as its root, with this machine's system folders in it and
nothing of the project but what COPY brings past .dockerignore; bubblewrap makes it `/`. So a file
that was forgotten, a path that is wrong, a command that fails all show, before an engine sees them.

A full release build takes minutes, so the build is replaced by a check of the same sources with
the development profile, which shares the crates that a lint has already checked; --full runs it as
it is. What only an engine can tell is left to CI: that the base images exist, and what is in them.
"""

import argparse
import fnmatch
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# In place of cargo: the same sources, nothing optimised, and no flags that would have all crates
# built anew.
CARGO = """#!/bin/sh
[ "$*" = "rustc --release --locked --bin safelight -- -C strip=symbols" ] || {{ echo "image_steps: unknown: cargo $*" >&2; exit 1; }}
unset CARGO_ENCODED_RUSTFLAGS CFLAGS
exec {cargo} check --quiet --locked --target-dir {target}
"""


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--full", action="store_true", help="build the release as the image does")
    options.add_argument("--dockerfile", type=Path, default=ROOT / "Dockerfile")
    options = options.parse_args()
    if not shutil.which("bwrap"):
        print("left out: the image's RUN lines (no bubblewrap; make test-deps)")
        return 0
    with tempfile.TemporaryDirectory(prefix="safelight-image-") as scratch:
        return run(instructions(options.dockerfile), Path(scratch), options.full)


def instructions(file):
    """The Dockerfile as (word, rest) pairs, with comments gone and continued lines joined."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        yield word.upper(), rest.strip()


def run(steps, scratch, full):
    stages, stage, ran = {}, None, 0
    for word, rest in steps:
        if word == "FROM":
            name = rest.split(" AS ")[1] if " AS " in rest else "final"
            stage = stages[name] = {"root": scratch / name, "workdir": "/"}
            stage["root"].mkdir()
        elif word == "WORKDIR":
            stage["workdir"] = rest
            inside(stage, rest).mkdir(parents=True)
        elif word == "COPY":
            copy(rest.split(), stage, stages, full)
        elif word == "RUN":
            print(f"image: RUN {' '.join(rest.split())}", flush=True)
            if execute(rest, stage, scratch, full) != 0:
                print("image: this RUN line failed", file=sys.stderr)
                return 1
            ran += 1
    if not ran:
        print("image: there is no RUN line", file=sys.stderr)
        return 1
    print(f"image: {ran} RUN lines ran, and every COPY found its files")
    return 0


def inside(stage, path):
    return stage["root"] / os.path.join(stage["workdir"], path).lstrip("/")


def copy(words, stage, stages, full):
    source = None
    if words[0].startswith("--from="):
        source = stages[words.pop(0).split("=")[1]]
    *names, destination = words
    target = inside(stage, destination)
    for name in names:
        # Only a real build leaves a binary.
        if source and not full and name.endswith("/target/release/safelight"):
            continue
        found = inside(source, name) if source else ROOT / name
        if not found.exists():
            sys.exit(f"image: COPY {name}: there is no such file")
        if not source and not any(True for _ in context(found)):
            sys.exit(f"image: COPY {name}: .dockerignore leaves it out")
        into_folder = destination.endswith("/") or len(names) > 1
        place = target / found.name if found.is_file() and into_folder else target
        for file in [found] if source else context(found):
            to = place / file.relative_to(found) if found.is_dir() else place
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, to)


def context(path):
    """The files at or below a path that .dockerignore lets through (the last rule that fits)."""
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if not file.is_file():
            continue
        parts = file.relative_to(ROOT).parts
        # A rule for a folder holds for all below it.
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        let_through = True
        for rule in rules:
            if any(fnmatch.fnmatch(name, rule.lstrip("!")) for name in above):
                let_through = rule.startswith("!")
        if let_through:
            yield file


def execute(line, stage, scratch, full):
    command = ["bwrap", "--bind", str(stage["root"]), "/", "--die-with-parent"]
    # What the stage made hides this machine's folder of the same name.
    own = stage["workdir"].strip("/").split("/")[0]
    for entry in sorted(os.listdir("/")):
        path = "/" + entry
        if os.path.islink(path):
            link = stage["root"] / entry
            if not link.is_symlink():
                link.symlink_to(os.readlink(path))
        elif os.path.isdir(path) and entry != own:
            command += ["--dev-bind", path, path]
    environment = dict(os.environ)
    if not full:
        tools = scratch / "tools"
        tools.mkdir(exist_ok=True)
        target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
        shim = CARGO.format(
            cargo=shlex.quote(shutil.which("cargo")), target=shlex.quote(target)
        )
        (tools / "cargo").write_text(shim)
        (tools / "cargo").chmod(0o755)
        command += ["--bind", str(tools), str(tools)]
        environment["PATH"] = f"{tools}:{environment['PATH']}"
    # The image has none of these: they would send the build elsewhere.
    for name in ("CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"):
        environment.pop(name, None)
    command += ["--chdir", stage["workdir"], "/bin/sh", "-c", line]
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
