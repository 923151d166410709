#!/usr/bin/env python3
"""Fetches the one ONNX Runtime library that Safelight is tested with.

The library comes out of the `onnxruntime` wheel, which is pinned by version and SHA-256: what
arrives is either exactly that file or is refused. pip does the download, so that a mirror or a
proxy configured for pip is used here too.

Lands in ${CARGO_TARGET_DIR:-target}/onnxruntime/, beside a stamp; while library and stamp agree
with the pins below, a further run downloads nothing. Needs Python 3.8 or newer with pip.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

VERSION = "1.31.1"

# (system, machine): pip's platform tag, SHA-256 of the wheel, library in the wheel, its name here.
# A new version means new hashes for all three, and must have the API level that Cargo.toml asks
# of `ort`.
PINS = {
    ("Linux", "x86_64"): (
        "manylinux_2_28_x86_64",
        "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
        f"onnxruntime/capi/libonnxruntime.so.{VERSION}",
        "libonnxruntime.so",
    ),
    ("Linux", "aarch64"): (
        "manylinux_2_28_aarch64",
        "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3",
        f"onnxruntime/capi/libonnxruntime.so.{VERSION}",
        "libonnxruntime.so",
    ),
    ("Darwin", "arm64"): (
        "macosx_14_0_arm64",
        "60b6b69bfe580eab576cacc5d132a0e9cf2a37fcfd18d46dd191042b1d1ed0d7",
        f"onnxruntime/capi/libonnxruntime.{VERSION}.dylib",
        "libonnxruntime.dylib",
    ),
}

# The library is MIT-licensed and carries code of others: whoever ships it must ship these too.
LICENCE_FILES = ("LICENSE", "ThirdPartyNotices.txt")

STAMP = "stamp.json"
ATTEMPTS = 4
ATTEMPT_SECONDS = 300
HASH_REFUSED = "THESE PACKAGES DO NOT MATCH THE HASHES"
# pip's own words for faults that another attempt cannot cure.
HOPELESS = (HASH_REFUSED, "No space left on device", "no such option")
OTHERWISE = (
    "You can use an ONNX Runtime 1.24 or newer of your own instead: "
    "`safelight serve --onnxruntime FILE`, or set ORT_DYLIB_PATH=FILE."
)


class Refusal(Exception):
    """A reason to stop that is told to the user as it is, without a traceback."""


def main():
    options = parse_options()
    try:
        system, machine = options.platform
        tag, pinned, member, name = pins_for(system, machine)
        wheel_sha256 = options.sha256 or pinned
        library = options.dest / name
        if is_current(library, wheel_sha256):
            say(f"{library} is there already (version {VERSION})")
            return 0
        fetch(tag, wheel_sha256, member, library)
        say(f"{library} is ready (version {VERSION})")
        return 0
    except Refusal as refusal:
        print(f"fetch_onnxruntime: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"fetch_onnxruntime: {error}", file=sys.stderr)
        return 1


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--dest",
        type=Path,
        default=default_dest(),
        metavar="DIR",
        help="folder for the library (default: %(default)s)",
    )
    parser.add_argument(
        "--sha256",
        type=str.lower,
        metavar="HEX",
        help="expect this hash of the wheel instead of the pinned one (for tests)",
    )
    parser.add_argument(
        "--platform",
        type=system_and_machine,
        default=f"{platform.system()}/{platform.machine()}",
        metavar="SYSTEM/MACHINE",
        help="fetch for another machine (default: %(default)s)",
    )
    return parser.parse_args()


def system_and_machine(text):
    system, slash, machine = text.partition("/")
    if not (system and slash and machine):
        raise argparse.ArgumentTypeError("must be SYSTEM/MACHINE, for instance Linux/aarch64")
    return system, machine


def default_dest():
    """Where `../onnxruntime/` of a built executable points to."""
    chosen = os.environ.get("CARGO_TARGET_DIR")
    target = Path(chosen) if chosen else Path(__file__).resolve().parent.parent / "target"
    return target / "onnxruntime"


def pins_for(system, machine):
    # Docker, Windows and BSD spell the same two processors differently.
    machine = {"amd64": "x86_64", "AMD64": "x86_64"}.get(machine, machine)
    if system == "Linux" and machine == "arm64":
        machine = "aarch64"
    try:
        return PINS[(system, machine)]
    except KeyError:
        known = ", ".join("{} {}".format(*key) for key in PINS)
        raise Refusal(
            f"no pinned ONNX Runtime for {system} {machine} (there is one for: {known}).\n"
            f"{OTHERWISE}"
        ) from None


def is_current(library, wheel_sha256):
    """Whether library and stamp are what these pins once produced.

    The stamp guards against a stale or half-written library, not against someone who can write
    into the folder: they could rewrite the stamp too.
    """
    try:
        stamp = json.loads((library.parent / STAMP).read_text(encoding="utf-8"))
        return (
            isinstance(stamp, dict)
            and stamp.get("version") == VERSION
            and stamp.get("wheel_sha256") == wheel_sha256
            and stamp.get("library_sha256") == sha256_of(library)
        )
    except (FileNotFoundError, ValueError):
        return False


def fetch(tag, wheel_sha256, member, library):
    library.parent.mkdir(parents=True, exist_ok=True)
    # In the destination's own folder, since only within one file system is a rename atomic.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=str(library.parent)) as scratch:
        scratch = Path(scratch)
        wheel = download(tag, wheel_sha256, scratch)
        # pip has checked it; checked again, so that no setting of pip's can switch that off.
        if sha256_of(wheel) != wheel_sha256:
            raise Refusal(wrong_hash(wheel_sha256, "got sha256 " + sha256_of(wheel)))
        unpack(wheel, member, library, scratch, wheel_sha256)


def download(tag, wheel_sha256, scratch):
    require_pip()
    requirement = scratch / "requirements.txt"
    requirement.write_text(
        f"onnxruntime=={VERSION} --hash=sha256:{wheel_sha256}\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--only-binary=:all:"]
    # The library is the same in the wheels of all Python versions; one of them had to be pinned.
    command += ["--implementation", "cp", "--python-version", "3.11", "--platform", tag]
    command += ["--dest", str(scratch), "--require-hashes", "-r", str(requirement)]
    # Nothing is installed, so a rule that pip shall only be used in a venv does not apply.
    environment = dict(os.environ, PIP_REQUIRE_VIRTUALENV="0")
    environment.setdefault("PIP_DEFAULT_TIMEOUT", "60")

    say(f"fetching onnxruntime {VERSION} for {tag}")
    for attempt in range(1, ATTEMPTS + 1):
        output = attempt_download(command, environment)
        if output is None:
            return only_wheel_in(scratch)
        if HASH_REFUSED in output:
            raise Refusal(wrong_hash(wheel_sha256, output))
        if attempt == ATTEMPTS or any(reason in output for reason in HOPELESS):
            break
        pause = 5 * attempt
        say(f"attempt {attempt} of {ATTEMPTS} failed, next in {pause} s: {last_line(output)}")
        time.sleep(pause)
    raise Refusal(f"pip could not download onnxruntime {VERSION}:\n{output.strip()}\n{OTHERWISE}")


def attempt_download(command, environment):
    """What pip said if it failed, None if it did not."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ATTEMPT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"timed out after {ATTEMPT_SECONDS} s"
    return done.stdout.decode("utf-8", "replace") if done.returncode else None


def require_pip():
    probe = subprocess.run(
        [sys.executable, "-m", "pip", "--version"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if probe.returncode != 0:
        raise Refusal(
            f"{sys.executable} has no pip. Install it: `apt-get install python3-pip` on Debian and "
            "Ubuntu, `dnf install python3-pip` on Fedora, `python3 -m ensurepip` elsewhere.\n"
            f"{OTHERWISE}"
        )


def only_wheel_in(folder):
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise Refusal(f"pip ended well but left {len(wheels)} wheels instead of one")
    return wheels[0]


def unpack(wheel, member, library, scratch, wheel_sha256):
    with zipfile.ZipFile(str(wheel)) as archive:
        for name in LICENCE_FILES:
            extract(archive, "onnxruntime/" + name, scratch / name)
        extract(archive, member, scratch / library.name)
    stamp = {
        "version": VERSION,
        "wheel_sha256": wheel_sha256,
        "library_sha256": sha256_of(scratch / library.name),
    }
    (scratch / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    # The stamp last: while it is missing or old, the next run fetches again.
    for name in LICENCE_FILES + (library.name, STAMP):
        os.replace(str(scratch / name), str(library.parent / name))


def extract(archive, member, destination):
    try:
        source = archive.open(member)
    except KeyError:
        raise Refusal(f"the wheel has no {member}") from None
    with source, open(str(destination), "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    # Readable by whoever the service runs as, also when it was fetched under a strict umask.
    destination.chmod(0o644)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(str(path), "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def wrong_hash(expected, detail):
    return (
        "REFUSED: the downloaded onnxruntime {} does not have the pinned hash.\n"
        "  expected sha256 {}\n  {}\n"
        "Nothing was installed. If a mirror or proxy is configured for pip, look there first."
    ).format(VERSION, expected, detail.strip().replace("\n", "\n  "))


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"


def say(text):
    print(f"fetch_onnxruntime: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
