"""A sheet of old photos: as they are, with the damage that was found in red, and (with --inpaint) filled.

    python models/evaluation/damage_sheet.py --scratch models/scratch.onnx --inpaint models/inpaint.onnx --out sheet.png ../shared/data/old_photos/old*
"""
import argparse

import cv2
import numpy as np
import onnxruntime

MULTIPLE = 32
CELL = 520


def padded(picture):
    return np.pad(picture, ((0, -picture.shape[0] % MULTIPLE), (0, -picture.shape[1] % MULTIPLE), (0, 0)), "reflect")


def run(session, x):
    h, w = x.shape[:2]
    y = session.run(None, {session.get_inputs()[0].name: padded(x).transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
    return y.transpose(1, 2, 0)[:h, :w]


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--scratch", required=True)
    args.add_argument("--inpaint")
    args.add_argument("--threshold", type=float, default=0.5)
    args.add_argument("--grow", type=int, default=2, help="pixels by which the damage is grown before it is filled")
    args.add_argument("--columns", type=int, default=2)
    args.add_argument("--out", required=True)
    args.add_argument("pictures", nargs="+")
    args = args.parse_args()
    scratch = onnxruntime.InferenceSession(args.scratch, providers=["CPUExecutionProvider"])
    inpaint = onnxruntime.InferenceSession(args.inpaint, providers=["CPUExecutionProvider"]) if args.inpaint else None
    cells = []
    for path in args.pictures:
        picture = cv2.imread(path, cv2.IMREAD_COLOR)[..., ::-1]
        damage = run(scratch, picture / 255)[..., 0]
        found = damage > args.threshold
        shown = [picture, np.where(found[..., None], (255, 0, 0), picture * 0.7 + 0.3 * 255 * damage[..., None] * np.array([1, 1, 0]))]
        if inpaint:
            shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * args.grow + 1, 2 * args.grow + 1))
            hole = cv2.dilate(found.astype(np.uint8), shape)[..., None]
            shown.append(np.clip(run(inpaint, np.concatenate([picture / 255 * (1 - hole), hole], 2)), 0, 1) * 255)
        for image in shown:
            scale = CELL / max(image.shape[:2])
            image = cv2.resize(np.ascontiguousarray(image).astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
            cell = np.zeros((CELL, CELL, 3), np.float32)
            cell[: image.shape[0], : image.shape[1]] = image
            cells.append(np.clip(cell, 0, 255).astype(np.uint8))
    per_row = args.columns * (3 if inpaint else 2)
    cells += [np.zeros_like(cells[0])] * (-len(cells) % per_row)
    cv2.imwrite(args.out, np.vstack([np.hstack(cells[k : k + per_row]) for k in range(0, len(cells), per_row)])[..., ::-1])


if __name__ == "__main__":
    main()
