"""A sheet of crops: damaged (or as they are, with --plain), restored by each model, and the difference tenfold.

    python models/evaluation/restore_sheet.py --model models/restore.onnx --out sheet.png ../shared/data/eval/restore-kodak/*
    python models/evaluation/restore_sheet.py --plain --model models/restore.onnx --out sheet.png ../shared/data/old_photos/*
"""
import argparse

import cv2
import numpy as np
import onnxruntime

from evaluate_restore import jpeg, noise

SIDE = 256


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", action="append", required=True)
    args.add_argument("--plain", action="store_true")
    args.add_argument("--columns", type=int, default=3)
    args.add_argument("--out", required=True)
    args.add_argument("pictures", nargs="+")
    args = args.parse_args()
    sessions = [onnxruntime.InferenceSession(p, providers=["CPUExecutionProvider"]) for p in args.model]
    chance = np.random.default_rng(2)
    damages = [noise(25), jpeg(20), noise(10), jpeg(40)]
    cells = []
    for k, path in enumerate(args.pictures):
        picture = cv2.imread(path, cv2.IMREAD_COLOR)[..., ::-1]
        y, x = (picture.shape[0] - SIDE) // 2, (picture.shape[1] - SIDE) // 2
        bad = np.ascontiguousarray(picture[max(y, 0) :, max(x, 0) :][:SIDE, :SIDE])
        bad = bad[: bad.shape[0] // 8 * 8, : bad.shape[1] // 8 * 8]
        if not args.plain:
            bad = damages[k % len(damages)](bad, chance)
        row = [bad]
        for session in sessions:
            y = session.run(None, {session.get_inputs()[0].name: bad.transpose(2, 0, 1)[None].astype(np.float32) / 255})[0][0]
            row.append(np.clip(y.transpose(1, 2, 0) * 255, 0, 255))
        row.append(np.clip(128 + 10 * (row[-1] - bad), 0, 255))
        cells.append(np.hstack([np.pad(c, ((0, SIDE - c.shape[0]), (0, SIDE - c.shape[1]), (0, 0))) for c in row]))
    cells += [np.zeros_like(cells[0])] * (-len(cells) % args.columns)
    rows = [np.hstack(cells[k : k + args.columns]) for k in range(0, len(cells), args.columns)]
    cv2.imwrite(args.out, np.vstack(rows)[..., ::-1].astype(np.uint8))


if __name__ == "__main__":
    main()
