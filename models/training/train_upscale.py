"""Train the x2 or x4 upscaling net on reduced clean photos. Resumable; CPU or GPU.

    python models/training/train_upscale.py --scale 2 --out RUN
    python models/training/train_upscale.py --scale 2 --out RUN --export RUN/upscale2.onnx
"""
import argparse

import cv2
import numpy as np
import torch
from PIL import Image

import loop
from pictures import draw, grey, jpeg, noisy, photos, tensor
from upscale_net import Upscale

WIDTHS = {2: (32, 5), 4: (48, 6)}  # width and blocks by scale


def reduced(chance, patch, scale):
    """Antialiased, by one of three filters; then, in a third of the cases, a little noise or JPEG."""
    size = patch.shape[0] // scale
    roll = chance.random()
    if roll < 0.3:
        small = cv2.resize(patch, (size, size), interpolation=cv2.INTER_AREA)
    else:
        small = np.asarray(Image.fromarray(patch).resize((size, size), Image.BICUBIC if roll < 0.8 else Image.LANCZOS))
    kind = "clean"
    if chance.random() < 0.15:
        small, kind = noisy(chance, small, chance.uniform(1, 8), float(chance.random() < 0.3)), "noise"
    if chance.random() < 0.2:
        small, kind = jpeg(small, chance.integers(40, 96), chance.random() < 0.3), "jpeg"
    return small, kind


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loop.arguments(parser, side=48, batch=16, rate=1e-3)
    parser.add_argument("--scale", type=int, choices=(2, 4), required=True)
    args = parser.parse_args()
    net = Upscale(args.scale, *WIDTHS[args.scale])
    if args.export:
        return loop.export(args, net, torch.rand(1, 3, 64, 64), ("image", "upscaled"), torch.rand(1, 3, 49, 70))
    # Small enough photos are free of their own compression; the largest scale adds resolution all the same.
    pictures = photos(args.photos, scales=(1.0, 0.7, 0.5), least=args.side * args.scale, keep_all=True)
    kinds = loop.Classes(floor=0.001)

    def batch(chance, count, place):
        large = [draw(chance, pictures, args.side * args.scale) for _ in range(count)]
        large = [grey(p) if chance.random() < 0.08 else p for p in large]
        small, kind = zip(*[reduced(chance, p, args.scale) for p in large])
        return tensor(small, place), tensor(large, place), kind

    def objective(net, data):
        small, large, kind = data
        error = net(small) - large
        return kinds.weigh(torch.sqrt(error * error + 1e-6).mean((1, 2, 3)), kind)

    loop.train(args, net, batch, objective, note=kinds)


if __name__ == "__main__":
    main()
