"""Contact sheet for looking: each picture, then each model's cutout on a magenta or checkered ground.

    python models/evaluation/contact_sheet.py --model A.onnx --model B.onnx --out sheet.png ../shared/data/photos/*.jpg
"""
import argparse

import cv2
import numpy as np

from evaluate import Model, read

MAGENTA = np.array([255, 0, 255], np.float32)


def ground(kind, height, width):
    if kind == "magenta":
        return np.broadcast_to(MAGENTA, (height, width, 3))
    y, x = np.mgrid[0:height, 0:width] // 12
    return np.where(((x + y) % 2 == 0)[..., None], 255.0, 190.0) * np.ones(3)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", action="append", required=True)
    args.add_argument("--out", required=True)
    args.add_argument("--ground", choices=["magenta", "checker"], default="magenta")
    args.add_argument("--height", type=int, default=260)
    args.add_argument("--columns", type=int, default=1, help="groups beside each other")
    args.add_argument("pictures", nargs="+")
    args = args.parse_args()
    models = [Model(m) for m in args.model]
    rows = []
    for path in args.pictures:
        rgb = read(path)
        width = round(rgb.shape[1] * args.height / rgb.shape[0])
        small = cv2.resize(rgb, (width, args.height), interpolation=cv2.INTER_AREA)
        cells = [small]
        for m in models:
            alpha = cv2.resize(m.matte(rgb), (width, args.height), interpolation=cv2.INTER_AREA)[..., None]
            cells.append((small * alpha + ground(args.ground, args.height, width) * (1 - alpha)).astype(np.uint8))
        rows.append(np.hstack(cells))
    widest = max(r.shape[1] for r in rows)
    rows = [np.pad(r, ((0, 4), (0, widest - r.shape[1] + 8), (0, 0)), constant_values=40) for r in rows]
    while len(rows) % args.columns:
        rows.append(np.full_like(rows[0], 40))
    per = len(rows) // args.columns
    sheet = np.hstack([np.vstack(rows[k * per : (k + 1) * per]) for k in range(args.columns)])
    cv2.imwrite(args.out, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
