"""Train the blind restoration net on clean photos with made damage. Resumable; CPU or GPU.

    python models/training/train_restore.py --out RUN --warm-start ../shared/models/restore-bootstrap.onnx
    python models/training/train_restore.py --out RUN --warm-start models/restore.onnx  # go on from the committed file
    python models/training/train_restore.py --out RUN --minutes 90 --eight-bits  # a run of 90 minutes, stopped before its end, goes on so as to bear `quantize.py`
    python models/training/train_restore.py --out RUN --export RUN/restore.onnx
"""
import argparse
from pathlib import Path

import cv2
import torch
import torch.nn.functional as F

import eight_bits
import loop
from pictures import draw, grey, jpeg, noisy, photos, tensor
from restore_net import FLOATING, Restore, load_file, load_run

UNSEEN = 2e-5  # squared change of a clean patch that costs nothing: 47 dB
# The photos are lossy files: at full size they lack the finest detail, and half of the colour's. Reduced, they have all that they show.
SCALES = (0.6, 0.5, 0.4)
SUBJECTS = "unlabelled-subjects"  # beside the folder of photos, for more variety
MARGIN = 16  # the damage is made on a larger patch, so that JPEG's grid, of which colour has one of 16, can lie anywhere


def reduced(folder, least):
    """All photos that are large enough: the net is measured on Kodak, which is not among them."""
    folders = [f for f in (folder, folder.parent / SUBJECTS) if f.is_dir()]
    return [p for f in folders for p in photos(f, SCALES, least, keep_all=True)]


def damage(chance, clean):
    """Blur, then noise, then JPEG, each sometimes. Returns the picture and the kind of damage."""
    roll = chance.random()
    if roll < 0.10:
        return clean, "clean"
    picture, kind = clean, ""
    if roll < 0.16 or chance.random() < 0.05:
        picture = cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.6, 1.2))
        kind += "blur"
    if 0.14 < roll < 0.74:
        sigma = chance.uniform(3 if chance.random() < 0.35 else 16, 32)
        shared = float(chance.choice([0.0, chance.uniform(0.3, 0.99), 1.0], p=[0.65, 0.27, 0.08]))
        picture = noisy(chance, picture, sigma, shared, chance.uniform(0.5, 1.0) if chance.random() < 0.12 else 0)
        kind += f"{'grey' if shared else 'noise'}{int(sigma) // 8}"
    if roll > 0.64:
        quality = int(chance.integers(10, 96)) if chance.random() < 0.6 else int(chance.integers(12, 50))
        picture = jpeg(picture, quality, chance.random() < 0.25)
        kind += f"jpeg{quality // 24}"
    return picture, kind


def sample(chance, pictures, side):
    clean = draw(chance, pictures, side + 2 * MARGIN)
    if chance.random() < 0.08:
        clean = grey(clean)
    bad, kind = damage(chance, clean)
    y, x = (MARGIN, MARGIN) if chance.random() < 0.75 else chance.integers(0, 2 * MARGIN + 1, 2)
    cut = slice(y, y + side), slice(x, x + side)
    return bad[cut], clean[cut], kind


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loop.arguments(parser, side=128, batch=10, rate=1e-3)
    parser.add_argument("--eight-bits", action="store_true", help="round as the committed file will; for the last part of a run")
    args = parser.parse_args()
    if args.export:
        return loop.export(args, Restore(), torch.rand(1, 3, 128, 128), ("image", "restored"), torch.rand(1, 3, 96, 160))
    pictures = reduced(Path(args.photos), args.side + 2 * MARGIN)
    kinds = loop.Classes(floor=2.5e-4)  # 36 dB; lower, and clean patches outweigh all others: the gate then stays shut on JPEG too

    def batch(chance, count, place):
        bad, clean, kind = zip(*[sample(chance, pictures, args.side) for _ in range(count)])
        return tensor(bad, place), tensor(clean, place), kind

    def objective(net, data):
        bad, clean, kind = data
        error = (net(bad) - clean).square().mean((1, 2, 3))
        spared = torch.tensor([UNSEEN if k == "clean" else 0.0 for k in kind], device=error.device)
        return kinds.weigh(F.relu(error - spared), kind)

    def initialise(net):
        if args.warm_start:
            (load_file if args.warm_start.endswith(".onnx") else load_run)(net, args.warm_start)

    net = Restore()
    if args.eight_bits:
        eight_bits.begin(net, lambda name: name.split(".")[0] in FLOATING)
    loop.train(args, net, batch, objective, initialise, kinds)


if __name__ == "__main__":
    main()
