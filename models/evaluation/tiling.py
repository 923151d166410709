"""How far a net really looks: the largest and the mean difference (of 255) between a tile and the whole picture, by overlap.

    python models/evaluation/tiling.py --model models/restore.onnx
"""
import argparse

import cv2
import numpy as np
import onnxruntime

TILE = 128


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", required=True)
    args.add_argument("--scale", type=int, default=1)
    args.add_argument("--multiple", type=int, default=8, help="of which the net takes sides, and tiles begin at")
    args.add_argument("--sigma", type=float, default=20)
    args.add_argument("--picture", default="../shared/data/eval/restore-kodak/kodim04.png")
    args = args.parse_args()
    session = onnxruntime.InferenceSession(args.model, providers=["CPUExecutionProvider"])
    chance = np.random.default_rng(1)
    picture = cv2.imread(args.picture)[..., ::-1][:480, :480]
    x = np.clip(picture + chance.normal(0, args.sigma, picture.shape), 0, 255)
    channels = session.get_inputs()[0].shape[1]
    if channels == 4:
        hole = np.zeros((480, 480, 1))
        for _ in range(40):
            a, b = chance.integers(0, 480, (2, 2)).tolist()
            cv2.line(hole, a, b, 255, 6)
        x = np.concatenate([picture * (hole == 0), hole], 2)
    x = x.transpose(2, 0, 1)[None].astype(np.float32) / 255

    def run(part):
        return session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(part)})[0][0]

    whole, k = run(x), args.scale
    for overlap in (8, 16, 24, 32, 48, 64, 80, 88, 96, 104, 128, 144):
        if overlap % args.multiple:
            continue
        start = 160 - overlap
        side = TILE + 2 * overlap
        tile = run(x[:, :, start : start + side, start : start + side])
        inner = tile[:, k * overlap : k * (overlap + TILE), k * overlap : k * (overlap + TILE)]
        error = 255 * np.abs(inner - whole[:, k * 160 : k * (160 + TILE), k * 160 : k * (160 + TILE)])
        print(f"overlap {overlap}: largest {error.max():.2f}, mean {error.mean():.4f}")


if __name__ == "__main__":
    main()
