"""Train the net that finds scratches, cracks, dust and stains. Resumable; CPU or GPU.

    python models/training/train_scratch.py --out RUN
    python models/training/train_scratch.py --out RUN --export models/scratch.onnx
"""
import argparse

import torch
import torch.nn.functional as F

import loop
from pictures import PEOPLE, draw, photos, tensor
from scratches import MAPS, PAPER, damaged, maps, old_look, papers, scan
from unet import Scratch

CLEAN = 0.15  # share of patches without any damage


def sample(chance, pictures, people, side, found, sheets):
    patch = old_look(chance, draw(chance, people if chance.random() < 0.35 else pictures, side))
    if chance.random() < CLEAN:
        return scan(chance, patch), torch.zeros(side, side).numpy().astype("uint8")
    picture, mask = damaged(chance, patch, found, sheets)
    return scan(chance, picture), (mask > 0).astype("uint8") * 255


def criterion(logits, mask):
    """Cross entropy, and the soft IoU over the batch, which thin things need."""
    chance = torch.sigmoid(logits)
    both = (chance * mask).sum()
    iou = (both + 1) / (chance.sum() + mask.sum() - both + 1)
    return F.binary_cross_entropy_with_logits(logits, mask, pos_weight=torch.tensor(2.0, device=mask.device)) * 3 + 1 - iou


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loop.arguments(parser, side=192, batch=8, rate=2e-3)
    parser.add_argument("--people", default=PEOPLE)
    parser.add_argument("--maps", default=MAPS)
    parser.add_argument("--paper", default=PAPER)
    args = parser.parse_args()
    if args.export:
        return loop.export(args, Scratch(), torch.rand(1, 3, 128, 128), ("image", "damage"), torch.rand(1, 3, 96, 160))
    pictures, people = photos(args.photos, least=args.side), photos(args.people, (1.0, 1.7), args.side)
    found, sheets = maps(args.maps), papers(args.paper)

    def batch(chance, count, place):
        bad, mask = zip(*[sample(chance, pictures, people, args.side, found, sheets) for _ in range(count)])
        return tensor(bad, place), tensor(mask, place)

    def objective(net, data):
        bad, mask = data
        return criterion(net.logits(bad), mask)

    loop.train(args, Scratch(), batch, objective)


if __name__ == "__main__":
    main()
