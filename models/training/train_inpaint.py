"""Train the net that fills thin to medium holes. Resumable; CPU or GPU.

    python models/training/train_inpaint.py --out RUN
    python models/training/train_inpaint.py --out RUN --export RUN/inpaint.onnx
"""
import argparse

import cv2
import numpy as np
import torch

import loop
from pictures import draw, grey, jpeg, noisy, photos, tensor
from scratches import MAPS, crack, dust, film, jagged, maps, scratch, stroke
from unet import Inpaint


def hole(chance, side, found):
    """Masks as the damage net finds them, grown a little, and wider strokes and blots."""
    mask = np.zeros((side, side), bool)
    while not 0.005 < mask.mean() < 0.4:
        if mask.mean() >= 0.4:
            mask[:] = False
        roll = chance.random()
        if roll < 0.35:
            part = crack(chance, side) > 0.2
        elif roll < 0.45:
            part = scratch(chance, side) > 0.2
        elif roll < 0.52:
            part = dust(chance, side) > 0.2
        elif roll < 0.67:
            part = film(chance, side, found, "thin") > 0.2
        elif roll < 0.75:
            part = film(chance, side, found, "blots") > 0.2
        else:
            canvas = np.zeros((side, side), np.uint8)
            a, b = chance.uniform(-0.1, 1.1, (2, 2)) * side
            stroke(canvas, chance, jagged(chance, a, b, 0.1, 4), chance.uniform(8, 40), 0.1)
            part = canvas > 64
        grow = int(chance.integers(0, 4))
        if grow:
            shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
            part = cv2.dilate(part.astype(np.uint8), shape) > 0
        mask |= part
    return mask.astype(np.uint8) * 255


def sample(chance, pictures, side, found):
    patch = draw(chance, pictures, side)
    if chance.random() < 0.3:
        patch = grey(patch)
    if chance.random() < 0.2:  # what is around the hole is not always clean
        patch = noisy(chance, patch, chance.uniform(1, 10), float(chance.random() < 0.5), 0.7 if chance.random() < 0.5 else 0)
    if chance.random() < 0.15:
        patch = jpeg(patch, chance.integers(40, 95))
    return patch, hole(chance, side, found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loop.arguments(parser, side=192, batch=6, rate=1e-3)
    parser.add_argument("--maps", default=MAPS)
    args = parser.parse_args()
    if args.export:
        return loop.export(args, Inpaint(), torch.rand(1, 4, 128, 128), ("image", "filled"), torch.rand(1, 4, 96, 160))
    pictures, found = photos(args.photos, least=args.side), maps(args.maps)

    def batch(chance, count, place):
        patches, holes = zip(*[sample(chance, pictures, args.side, found) for _ in range(count)])
        return tensor(patches, place), tensor(holes, place)

    def objective(net, data):
        """Error in the hole, each patch by a root of its hole's size; the squared part is what PSNR counts."""
        clean, mask = data
        error = (net(torch.cat([clean * (1 - mask), mask], 1)) - clean) * mask
        area = mask.sum((1, 2, 3)) * 3
        each = (error.abs() + 2 * error * error).sum((1, 2, 3)) / area
        weight = area.sqrt()
        return 10 * (each * weight).sum() / weight.sum()

    loop.train(args, Inpaint(), batch, objective)


if __name__ == "__main__":
    main()
