"""Train the net that finds scratches, cracks, dust and stains. Resumable; CPU or GPU.

    python models/training/train_scratch.py --out RUN --feed
    python models/training/train_scratch.py --out RUN --replicas 2 --warm-start models/scratch.onnx  # go on from the committed file
    python models/training/train_scratch.py --out RUN --export RUN/scratch.onnx
"""
import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import loop
import sets
import warmstart
from pictures import draw, photos, tensor
from scratches import MAPS, PAPER, damaged, drawn, framed, maps, old_look, papers, scan
from unet import Scratch

CLEAN = 0.15  # share of patches without any damage
FEW = 0.0015  # share of a patch of which little is lost when it is marked or missed
HINTS = 0.5  # weight of what the deeper levels say
MEASURED = 240  # patches that the normalisation of an exported net is measured on
PEOPLE = ("people", "unlabelled-people")  # old photos are of people; also enlarged, for faces
SHARES = (0.4, 0.4, 0.2)  # of the draw: clean photos, people, the other sets
ENLARGED = (0.15, 0.5, 0.15)  # and of these: portraits fill the picture, and skin is no stain


def grounds(folder, licensed_only, side):
    """Pictures in the order of SHARES. The other sets are there for what they show that looks like damage and is none."""
    root, chosen = Path(folder).parent, sets.chosen(licensed_only)
    people = [p for s in chosen if s.name in PEOPLE for p in photos(root / s.name, (1.0, 1.7), side)]
    others = [p for s in chosen if s.name not in PEOPLE for p in photos(root / s.name, (1.0,), side)]
    return photos(folder, least=side), people, others


def sample(chance, pictures, side, found, sheets, large, more=1.0):
    kind = int(chance.choice(len(pictures), p=SHARES))
    seen = int(side * chance.uniform(0.3, 0.8)) if chance.random() < ENLARGED[kind] else side
    patch = cv2.resize(draw(chance, pictures[kind], seen), (side, side), interpolation=cv2.INTER_CUBIC)
    if chance.random() < 0.1:
        patch = drawn(chance, patch)
    if chance.random() < 0.1:
        patch = framed(chance, patch)
    patch = old_look(chance, patch)
    if chance.random() < CLEAN:
        return scan(chance, patch), np.zeros((side, side), np.uint8)
    picture, mask = damaged(chance, patch, found, sheets, large, more)
    return scan(chance, picture), (mask > 0).astype(np.uint8) * 255


def criterion(logits, mask):
    """Cross entropy, and the soft IoU, which thin things need: over the batch, where what is large counts most, and of each patch."""
    chance = torch.sigmoid(logits)
    both, either = (chance * mask).mean((1, 2, 3)), (chance + mask - chance * mask).mean((1, 2, 3))
    iou = (both.mean() + 1e-5) / (either.mean() + 1e-5) + ((both + FEW) / (either + FEW)).mean()
    return F.binary_cross_entropy_with_logits(logits, mask) * 3 + 1 - iou / 2


def teach_hints(net, made, rounds=4):
    """What the deeper levels say, alone: it is not in an exported file."""
    optimiser = torch.optim.Adam(net.hints.parameters(), 3e-3)
    for bad, mask in made * rounds:
        with torch.no_grad():
            _, said = net.net.levels(bad - 0.5)
        hints = [hint(x) for hint, x in zip(net.hints, said)]
        loss = sum(F.binary_cross_entropy_with_logits(h, F.adaptive_avg_pool2d(mask, h.shape[2:])) for h in hints)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loop.arguments(parser, side=256, batch=8, rate=2e-3)
    parser.add_argument("--large", type=float, default=2.0, help="how many times as frequent blots and tears are as they are measured")
    parser.add_argument("--more", type=float, default=1.0, help="how many times as frequent all damage is")
    parser.add_argument("--maps", default=MAPS)
    parser.add_argument("--paper", default=PAPER)
    args = parser.parse_args()
    if args.export:
        return loop.export(args, Scratch(), torch.rand(1, 3, 128, 128), ("image", "damage"), torch.rand(1, 3, 96, 160))
    pictures = grounds(args.photos, args.licensed_only, args.side)
    found, sheets = maps(args.maps), papers(args.paper)

    def batch(chance, count, place):
        bad, mask = zip(*[sample(chance, pictures, args.side, found, sheets, args.large, args.more) for _ in range(count)])
        return tensor(bad, place), tensor(mask, place)

    def objective(net, data):
        bad, mask = data
        logits, hints = net.all_logits(bad)
        cells = [criterion(h, F.adaptive_avg_pool2d(mask, h.shape[2:])) for h in hints]
        return criterion(logits, mask) + HINTS * sum(cells) / len(cells)

    def initialise(net):
        if args.warm_start and args.warm_start.endswith(".onnx"):
            chance = np.random.default_rng(args.seed)
            made = [batch(chance, args.batch, "cpu") for _ in range(MEASURED // args.batch)]
            warmstart.load(net, args.warm_start, [bad for bad, _ in made])
            teach_hints(net, made)
        elif args.warm_start:
            net.load_state_dict(torch.load(args.warm_start, map_location="cpu")["average"], strict=False)

    loop.train(args, Scratch(), batch, objective, initialise)


if __name__ == "__main__":
    main()
