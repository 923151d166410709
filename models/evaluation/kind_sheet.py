"""Contact sheet for looking: what a `kind` model says of each picture, with how likely it is; green is
claimed, red is not sure enough and therefore `other`.

    python models/evaluation/kind_sheet.py --model models/kind.onnx --out sheet.png ../shared/data/photos/*.jpg
"""
import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "training"))
import kinds  # noqa: E402


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", required=True)
    args.add_argument("--cutout", default="models/cutout.onnx")
    args.add_argument("--out", required=True)
    args.add_argument("--columns", type=int, default=14)
    args.add_argument("--only", help="show just what is claimed to be this kind")
    args.add_argument("pictures", nargs="+")
    args = args.parse_args()
    cv2.setNumThreads(1)
    cutout, session = kinds.open_session(args.cutout), kinds.open_session(args.model)
    cells = []
    for path in args.pictures:
        rgb = cv2.cvtColor(cv2.imread(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        square = kinds.crop(rgb, kinds.matte(cutout, rgb))
        if square is None:
            continue
        likely = session.run(None, {"subject": (square.transpose(2, 0, 1) / 255)[None].astype(np.float32)})[0][0]
        kind, sure = kinds.KINDS[likely.argmax()], float(likely.max())
        claimed = kinds.KINDS[kinds.claims(likely[None])[0]]
        if args.only and claimed != args.only:
            continue
        alpha = square[..., 3:] / 255
        cell = cv2.resize((square[..., :3] * (0.4 + 0.6 * alpha)).astype(np.uint8)[..., ::-1], (100, 100))
        colour = (0, 255, 0) if claimed != "other" else (80, 80, 255)
        cv2.putText(cell, f"{kind} {sure:.2f}", (2, 96), 0, 0.36, colour, 1, cv2.LINE_AA)
        cv2.putText(cell, Path(path).stem[-6:], (2, 10), 0, 0.3, (255, 255, 255), 1, cv2.LINE_AA)
        cells.append(cell)
    while len(cells) % args.columns:
        cells.append(np.zeros_like(cells[0]))
    rows = [np.hstack(cells[k : k + args.columns]) for k in range(0, len(cells), args.columns)]
    cv2.imwrite(args.out, np.vstack(rows))


if __name__ == "__main__":
    main()
