"""The mean of the averaged weights of several checkpoints of one net, as a checkpoint to export or to begin with.

Runs that began from the same weights lie in one valley: their mean is often better than each, and costs nothing.

    python models/training/mean.py --out MEAN.pt RUN1/last.pt RUN2/last.pt
"""
import argparse

import torch

import common


def mean(states):
    """Weights and running statistics averaged; counters as in the first."""
    first = states[0]
    return {name: sum(s[name] for s in states) / len(states) if value.dtype.is_floating_point else value for name, value in first.items()}


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--out", required=True)
    args.add_argument("checkpoints", nargs="+")
    args = args.parse_args()
    common.save(args.out, average=mean([torch.load(c, map_location="cpu")["average"] for c in args.checkpoints]))


if __name__ == "__main__":
    main()
