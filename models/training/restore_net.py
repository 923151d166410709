"""The restoration net: a chain of convolutions at half resolution with a branch at 1/4 and 1/8, and a gate."""
import re

import torch
import torch.nn as nn
import torch.nn.functional as F

from warmstart import by_name, folded_convolutions

# What is not computed in 8 bits: the ends, where a level is one of the picture, the gate, and the ways between half and a
# quarter of the resolution, where changing the arithmetic and its layout of memory takes longer than 8 bits save.
FLOATING = ("first", "down1", "up1", "gate", "last")


def conv(before, after, size=3):
    return nn.Conv2d(before, after, size, padding=size // 2)


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b = conv(width, width), conv(width, width)

    def forward(self, x):
        return x + self.b(F.relu(self.a(x)))


class Restore(nn.Module):
    """RGB 0..1, n x 3 x h x w with h and w multiples of 8, to the same, to be clamped.

    The chain is the project's first net, with blocks added at the end of each of its halves. The branch
    sees further at little cost: it tells noise from texture. The gate, from its deepest level, scales the
    correction of each neighbourhood: where it finds no damage it closes, which keeps a clean picture clean
    without costing strength elsewhere.
    """

    def __init__(self, width=32, deep=64, deeper=128, half=(3, 5), quarter=(2, 3), eighth=4):
        super().__init__()
        self.first = conv(12, width)
        self.before = nn.Sequential(*[Residual(width) for _ in range(half[0])])
        self.down1 = nn.Conv2d(width, deep, 2, 2)
        self.quarter1 = nn.Sequential(*[Residual(deep) for _ in range(quarter[0])])
        self.down2 = nn.Conv2d(deep, deeper, 2, 2)
        self.eighth = nn.Sequential(*[Residual(deeper) for _ in range(eighth)])
        self.up2 = conv(deeper, 4 * deep, 1)
        self.quarter2 = nn.Sequential(*[Residual(deep) for _ in range(quarter[1])])
        self.up1 = conv(deep, 4 * width, 1)
        self.after = nn.Sequential(*[Residual(width) for _ in range(half[1])])
        self.last = conv(width, 12)
        self.gate = nn.Sequential(conv(deeper, 16), nn.ReLU(), conv(16, 1))
        nn.init.normal_(self.up1.weight, std=1e-3)  # the branch begins silent, the gate open
        nn.init.zeros_(self.up1.bias)
        self.open_gate()

    def open_gate(self):
        nn.init.zeros_(self.gate[-1].weight)
        nn.init.constant_(self.gate[-1].bias, 3.0)

    def forward(self, image):
        start = self.first(F.pixel_unshuffle(image, 2))
        x = self.before(start)
        q = self.quarter1(self.down1(x))
        e = self.eighth(self.down2(q))
        q = self.quarter2(q + F.pixel_shuffle(self.up2(e), 2))
        x = self.after(x + F.pixel_shuffle(self.up1(q), 2))
        change = self.last(x + start)
        gate = torch.sigmoid(self.gate(e).float())
        gate = F.interpolate(gate, scale_factor=4.0, mode="bilinear", align_corners=False)
        return image + F.pixel_shuffle(change.float() * gate, 2)


def load_file(net, path):
    """Weights of an ONNX file: of this net, which may have fewer blocks, or of the first one, which had the chain alone."""
    source = folded_convolutions(path)
    chain = [net.first, *[c for block in (*net.before[:2], *net.after[:2]) for c in (block.a, block.b)], net.last]
    mine = by_name(net, [name for name, *_ in source]) or chain
    if len(source) != len(mine):
        raise SystemExit(f"{path}: {len(source)} convolutions, expected {len(mine)}")
    with torch.no_grad():
        for conv, (_, weight, bias) in zip(mine, source):
            conv.weight.copy_(torch.from_numpy(weight.copy()))
            conv.bias.copy_(torch.from_numpy(bias.copy()))
        for block in net.modules():
            if isinstance(block, Residual) and not any(block.a is conv for conv in mine):  # a new one begins as nothing
                block.b.weight.zero_()
                block.b.bias.zero_()


def widened(value, mine):
    """`value` as the corner of a larger tensor: what is old hears nothing of what is new, which begins as in `mine`."""
    if value.dim() > 1:
        mine[: value.shape[0], value.shape[1] :] = 0
    mine[tuple(slice(n) for n in value.shape)] = value
    return mine


def load_run(net, path):
    """Weights of another run of this net, which may have fewer blocks and channels: the net begins as the same function."""
    theirs = torch.load(path, map_location="cpu")["average"]
    theirs = {re.sub(r"^(quarter\d)\.([ab])\.", r"\1.0.\2.", name): value for name, value in theirs.items()}
    mine = net.state_dict()
    for name, value in mine.items():
        if name not in theirs and ".b." in name:  # a new block
            value.zero_()
    missing, unknown = net.load_state_dict({name: widened(value, mine[name].clone()) for name, value in theirs.items() if name in mine}, strict=False)
    if set(theirs) - set(mine) or unknown or not all(name.startswith(("before", "quarter", "eighth", "after")) for name in missing):
        raise SystemExit(f"{path}: another net")
