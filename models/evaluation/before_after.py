"""A sheet of photographs before and after `safelight restore`, for looking.

    python models/evaluation/before_after.py --program target/release/safelight --out sheet.png ../shared/data/old_photos/old*
    python models/evaluation/before_after.py --program .. --out sheet.png --option=--steps=scratches PICTURE...
"""
import argparse
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--program", required=True)
    args.add_argument("--option", action="append", default=[], help="a further option of `restore`")
    args.add_argument("--height", type=int, default=480)
    args.add_argument("--columns", type=int, default=2, help="pairs in a row")
    args.add_argument("--out", required=True)
    args.add_argument("pictures", nargs="+")
    args = args.parse_args()
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        for picture in args.pictures:
            after = Path(folder) / "after.png"
            command = [args.program, "restore", "--force", "--format=png", *args.option, picture, "-o", str(after)]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            both = [cv2.imread(str(p), cv2.IMREAD_COLOR) for p in (picture, after)]
            width = round(both[0].shape[1] * args.height / both[0].shape[0])
            both = [cv2.resize(b, (width, args.height), interpolation=cv2.INTER_AREA) for b in both]
            pairs.append(np.pad(np.hstack(both), ((0, 6), (0, 12), (0, 0))))
    rows = [np.hstack(pairs[i : i + args.columns]) for i in range(0, len(pairs), args.columns)]
    wide = max(row.shape[1] for row in rows)
    cv2.imwrite(args.out, np.vstack([np.pad(row, ((0, 0), (0, wide - row.shape[1]), (0, 0))) for row in rows]))


if __name__ == "__main__":
    main()
