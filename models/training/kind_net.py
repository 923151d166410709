"""The net that says what kind of thing a subject is: a few residual blocks and a mean."""
import torch
from torch import nn


class Block(nn.Module):
    """Two 3x3 convolutions, of which the first halves the sides, beside a 1x1 one."""

    def __init__(self, inner, outer):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inner, outer, 3, 2, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(inplace=True),
            nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer),
        )
        self.beside = nn.Sequential(nn.Conv2d(inner, outer, 1, 2, bias=False), nn.BatchNorm2d(outer))

    def forward(self, x):
        return torch.relu(self.body(x) + self.beside(x))


class Kind(nn.Module):
    """n x 4 x 80 x 80, RGB and matte in 0..1, to n x 4: how likely each of `kinds.KINDS` is."""

    def __init__(self, widths=(16, 32, 48, 72), classes=4):
        super().__init__()
        first = widths[0]
        self.stem = nn.Sequential(nn.Conv2d(4, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(*[Block(inner, outer) for inner, outer in zip(widths, widths[1:])])
        self.drop = nn.Dropout(0.15)
        self.head = nn.Linear(widths[-1], classes)

    def logits(self, x):
        x = self.blocks(self.stem((x - 0.5) * 4))
        return self.head(self.drop(x.mean((2, 3)).float()))

    def forward(self, x):
        return torch.softmax(self.logits(x), 1)
