"""Train the net that says what kind of thing a subject is. CPU; minutes.

    python models/training/kinds.py --cache CACHE
    python models/training/train_kind.py --cache CACHE --out RUN --minutes 12
    python models/training/train_kind.py --cache CACHE --out RUN --export models/kind.onnx
"""
import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import kinds
import loop
from kind_net import Kind

# How often a kind is drawn. Of the sets of a kind each is drawn by the root of its size: the small
# ones are the varied ones.
SHARE = {"person": 0.24, "animal": 0.26, "product": 0.26, "other": 0.24}


class Crops:
    """The packed crops that are trained on, by kind."""

    def __init__(self, cache, licensed_only):
        self.of = {k: [] for k in range(len(kinds.KINDS))}
        for file in sorted(Path(cache).glob("train-*.npz")):
            name = file.stem.removeprefix("train-")
            if licensed_only and kinds.LICENCES[name] == "none":
                continue
            packed = np.load(file)
            crops, labels, places = packed["crops"], packed["labels"], packed["places"]
            train = np.array([kinds.part(name, int(k)) == "train" for k in places])
            for kind in self.of:
                chosen = crops[train & (labels == kind)]
                if len(chosen):
                    self.of[kind].append(chosen)

    def draw(self, chance):
        kind = int(chance.choice(len(kinds.KINDS), p=[SHARE[k] for k in kinds.KINDS]))
        sets = self.of[kind]
        weight = np.sqrt([len(s) for s in sets])
        chosen = sets[int(chance.choice(len(sets), p=weight / weight.sum()))]
        return chosen[int(chance.integers(len(chosen)))], kind


def colour(chance, rgb):
    """Another light: gain, gamma, cast, saturation; now and then grey."""
    x = rgb.astype(np.float32) / 255
    grey = x @ np.float32([0.299, 0.587, 0.114])
    amount = 0.0 if chance.random() < 0.12 else chance.uniform(0.4, 1.6)
    x = grey[..., None] + (x - grey[..., None]) * amount
    x = np.clip(x * chance.uniform(0.75, 1.3) * chance.uniform(0.88, 1.12, 3).astype(np.float32), 0, 1)
    return x ** np.float32(np.exp(chance.uniform(-0.4, 0.4)))


def sample(chance, crops):
    """(80 x 80 x 4 in 0..1, kind): moved, turned a little, flipped, in another light, sometimes on
    another ground, with a worse matte, blurred, noisy or partly hidden."""
    square, kind = crops.draw(chance)
    square = square.astype(np.float32)
    if chance.random() < 0.35:
        # The ground of another picture, or a plain one: what is around a thing must not name it.
        alpha = square[..., 3:] / 255
        other = crops.draw(chance)[0] if chance.random() < 0.5 else None
        ground = np.full_like(square[..., :3], chance.uniform(0, 255, 3)) if other is None else other[::-1, ::-1, :3].astype(np.float32)
        square[..., :3] = square[..., :3] * alpha + ground * (1 - alpha)
    side, centre = kinds.SIDE, kinds.PACKED / 2
    nominal = side / kinds.PACKED * (1 + 2 * kinds.PACKED_MARGIN) / (1 + 2 * kinds.MARGIN)
    zoom = nominal * np.exp(chance.uniform(-0.25, 0.3))
    move = cv2.getRotationMatrix2D((centre, centre), chance.normal(0, 9), zoom)
    stretch = np.exp(chance.normal(0, 0.08))
    move[0] *= stretch
    if chance.random() < 0.5:
        move[0] *= -1
    move[:, 2] = side / 2 - move[:, :2] @ [centre, centre] + chance.normal(0, 3.5, 2)
    square = cv2.warpAffine(square, move, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(128, 128, 128, 0))
    rgb, matte = colour(chance, np.clip(square[..., :3], 0, 255)), square[..., 3] / 255
    if chance.random() < 0.3:
        matte = cv2.GaussianBlur(matte, (0, 0), chance.uniform(0.5, 3))
    if chance.random() < 0.3:
        size = int(chance.integers(3, 8))
        matte = (cv2.dilate if chance.random() < 0.5 else cv2.erode)(matte, np.ones((size, size), np.uint8))
    if chance.random() < 0.15:
        rgb = cv2.GaussianBlur(rgb, (0, 0), chance.uniform(0.4, 1.2))
    if chance.random() < 0.3:
        rgb = rgb + chance.normal(0, chance.uniform(0.01, 0.05), rgb.shape)
    if chance.random() < 0.25:
        y, x = chance.integers(0, side - 20, 2)
        h, w = chance.integers(10, 34, 2)
        rgb[y : y + h, x : x + w] = chance.uniform(0, 1, 3)
    return np.dstack([np.clip(rgb, 0, 1), matte]).astype(np.float32), kind


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True)
    loop.arguments(parser, side=kinds.SIDE, batch=96, rate=3e-3)
    args = parser.parse_args()
    if args.export:
        return export(args)
    crops = Crops(args.cache, args.licensed_only)
    print(json.dumps({k: [len(s) for s in crops.of[i]] for i, k in enumerate(kinds.KINDS)}), flush=True)

    def batch(chance, count, place):
        squares, labels = zip(*[sample(chance, crops) for _ in range(count)])
        x = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).to(place)
        return x.contiguous(memory_format=torch.channels_last), torch.tensor(labels, device=place)

    def objective(net, data):
        x, labels = data
        return F.cross_entropy(net.logits(x), labels, label_smoothing=0.05)

    loop.train(args, Kind(), batch, objective)


def export(args):
    """ONNX with fp16 weights, one input size, any number of pictures."""
    from export import difference, halve, publish, to_onnx  # needs onnxruntime, training does not

    net = Kind()
    net.load_state_dict(torch.load(Path(args.out) / "last.pt", map_location="cpu")["average"])
    partial = str(args.export) + ".part"
    example = torch.rand(1, 4, kinds.SIDE, kinds.SIDE)
    to_onnx(net.eval(), example, partial, ("subject", "kinds"), {0: "n"})
    halve(partial)
    print("largest difference to PyTorch:", difference(partial, net, example))
    publish(partial, args.export)


if __name__ == "__main__":
    main()
