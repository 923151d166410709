"""Measure `kind` models (ONNX files) on crops that were kept back, and choose the values from which on
kinds are claimed.

    python models/training/kinds.py --cache CACHE
    python models/evaluation/evaluate_kind.py --cache CACHE --model models/kind.onnx

The crops that are kept back from training are in two halves, `../shared/data/eval` in the second. For
each kind either half says the least likelihood with which its claims are right often enough, and the
larger one is taken: a value that suits one half by chance does not suit both. A kind is claimed where
it is the likeliest and likely enough; `other` is what remains.
"""
import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "training"))
import kinds  # noqa: E402


def inner(crops):
    """The net's input from packed crops, which have room around them."""
    share = (1 + 2 * kinds.MARGIN) / (1 + 2 * kinds.PACKED_MARGIN)
    edge = round(kinds.PACKED * (1 - share) / 2)
    cut = [cv2.resize(c[edge : kinds.PACKED - edge, edge : kinds.PACKED - edge], (kinds.SIDE, kinds.SIDE), interpolation=cv2.INTER_AREA) for c in crops]
    return np.stack(cut).transpose(0, 3, 1, 2).astype(np.float32) / 255


def parts(cache):
    """(part, set, crops, labels) of everything that is not trained on."""
    for file in sorted(Path(cache).glob("*.npz")):
        place, name = file.stem.split("-", 1)
        packed = np.load(file)
        part = np.array(["second" if place == "eval" else kinds.part(name, int(k)) for k in packed["places"]])
        for wanted in ("first", "second"):
            if (part == wanted).any():
                yield wanted, f"{place}/{name}", packed["crops"][part == wanted], packed["labels"][part == wanted]


class Model:
    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.name = Path(path).stem
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def likely(self, crops):
        return np.concatenate([self.session.run(None, {"subject": x[None]})[0] for x in inner(crops)])


def precision(claimed, labels, kind):
    said = claimed == kind
    return (labels[said] == kind).mean() if said.any() else 1.0


def choose(likely, labels, target):
    """For each kind the least value with which its claims are right often enough; above 1, so that
    it is never claimed, where there is none."""
    chosen = []
    for kind in range(len(kinds.KINDS) - 1):
        steps = np.arange(0.5, 0.99, 0.01)
        good = [s for s in steps if precision(kinds.claims(likely, [s] * 4), labels, kind) >= target]
        chosen.append(float(good[0]) if good else 1.01)
    return (*chosen, 0.0)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", action="append", required=True)
    args.add_argument("--cache", required=True)
    args.add_argument("--target", type=float, default=0.96, help="precision of each kind in each half")
    args.add_argument("--chosen", action="store_true", help="take the values of kinds.SURE, choose none")
    args = args.parse_args()
    for model in map(Model, args.model):
        found = [(part, name, model.likely(crops), labels) for part, name, crops, labels in parts(args.cache)]
        join = {p: [np.concatenate(x) for x in zip(*[(l, y) for part, _, l, y in found if part == p])] for p in ("first", "second")}
        halves = [choose(*half, args.target) for half in join.values()]
        sure = kinds.SURE if args.chosen else tuple(map(max, *halves))
        print(f"{model.name}: claimed from {', '.join(f'{s:.2f}' for s in sure)} on\n| part | kind | pictures | likeliest is right | claimed | of these right | found |\n|---|---|---|---|---|---|---|")
        for part, (likely, labels) in join.items():
            claimed = kinds.claims(likely, sure)
            for k, kind in enumerate(kinds.KINDS):
                of = labels == k
                right = (claimed == k) & of
                print(f"| {part} | {kind} | {of.sum()} | {(likely[of].argmax(1) == k).mean():.3f} | {(claimed == k).sum()} | "
                      f"{precision(claimed, labels, k):.3f} | {right.sum() / of.sum():.3f} |")
        print("\n| part | set | kind | pictures | " + " | ".join(f"said {k}" for k in kinds.KINDS) + " |\n|" + "---|" * 8)
        for part, name, likely, labels in found:
            claimed = kinds.claims(likely, sure)
            for k in np.unique(labels):
                said = np.bincount(claimed[labels == k], minlength=len(kinds.KINDS))
                print(f"| {part} | {name} | {kinds.KINDS[k]} | {said.sum()} | " + " | ".join(map(str, said)) + " |")
        x = np.random.default_rng(0).random((1, 4, kinds.SIDE, kinds.SIDE), np.float32)
        start = time.perf_counter()
        for _ in range(200):
            model.session.run(None, {"subject": x})
        print(f"{(time.perf_counter() - start) * 5:.2f} ms a picture, one thread")


if __name__ == "__main__":
    main()
