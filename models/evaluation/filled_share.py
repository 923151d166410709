"""What share of each picture `safelight restore --steps=scratches` would fill: of sound pictures, what it takes for damage by mistake.

    python models/evaluation/filled_share.py --program target/release/safelight --limit 20 ../shared/data/eval/people ../shared/data/photos
    python models/evaluation/filled_share.py --program target/release/safelight ../shared/data/old_photos/old_w_scratch-*
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def pictures(path):
    """Of a folder, without the masks: a PNG beside a picture of the same name."""
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    masked = {p.stem for p in found if p.suffix != ".png"}
    return [p for p in found if p.suffix != ".png" or p.stem not in masked]


def share(program, picture, folder):
    command = [program, "restore", "--steps=scratches", "--report=true", "--force", str(picture), "-o", str(Path(folder) / "out.jpg")]
    said = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True).stderr
    return json.loads(said[said.index("{") :])["found"].get("scratch_share", 0.0)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--program", required=True)
    args.add_argument("--limit", type=int, default=100, help="pictures of each folder")
    args.add_argument("paths", nargs="+", type=Path, help="folders and pictures; the mean is of each folder, and of all pictures that are named")
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        loose = [path for path in args.paths if path.is_file()]
        sets = [(path.name, pictures(path)[: args.limit]) for path in args.paths if path.is_dir()]
        for name, found in sets + ([("the pictures that are named", loose)] if loose else []):
            shares = [share(args.program, p, folder) for p in found]
            print(f"{name}: {100 * sum(shares) / len(shares):.2f} % of {len(shares)}", flush=True)


if __name__ == "__main__":
    main()
