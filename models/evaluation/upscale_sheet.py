"""A contact sheet of squares that were made small and enlarged again: Lanczos, the model, the truth.

    python models/evaluation/upscale_sheet.py --model models/upscale4.onnx --scale 4 --out sheet.png \
        ../shared/data/photos/portrait.jpg:620,160 ../shared/data/photos/bike.jpg:600,500
"""
import argparse

import cv2
import numpy as np
import onnxruntime

SIDE = 256
ZOOM = 1.4


def row(session, scale, place):
    file, _, corner = place.partition(":")
    x, y = map(int, corner.split(",")) if corner else (0, 0)
    truth = cv2.imread(file, cv2.IMREAD_COLOR)[y : y + SIDE, x : x + SIDE]
    if truth.shape[:2] != (SIDE, SIDE):
        raise SystemExit(f"{place}: no {SIDE} x {SIDE} pixels there")
    small = cv2.resize(truth, (SIDE // scale,) * 2, interpolation=cv2.INTER_AREA)
    tensor = small[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
    large = session.run(None, {session.get_inputs()[0].name: tensor})[0][0].transpose(1, 2, 0)[..., ::-1]
    large = np.rint(255 * large.clip(0, 1)).astype(np.uint8)
    return np.hstack([cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LANCZOS4), large, truth])


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", required=True)
    args.add_argument("--scale", type=int, default=4)
    args.add_argument("--out", required=True)
    args.add_argument("places", nargs="+", metavar="FILE[:LEFT,TOP]")
    args = args.parse_args()
    session = onnxruntime.InferenceSession(args.model, providers=["CPUExecutionProvider"])
    sheet = np.vstack([row(session, args.scale, place) for place in args.places])
    cv2.imwrite(args.out, cv2.resize(sheet, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC))


if __name__ == "__main__":
    main()
