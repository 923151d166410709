"""The cutout net: a plain residual encoder, pooled context, a top-down decoder.

It starts from the earlier model's shape and grows it: its added blocks begin as the identity
(the last normalisation of such a block starts at zero), so that weights of the smaller net can be loaded
and the larger one continues from the same function.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F


def conv(inputs, outputs, kernel=3, stride=1, dilation=1):
    """Convolution, normalisation, ReLU."""
    pad = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, pad, dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Block(nn.Module):
    """Residual block of two convolutions."""

    def __init__(self, width, dilation=1, identity=False):
        super().__init__()
        self.first = conv(width, width, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.is_new = identity  # not in the smaller net: see warmstart.py
        if identity:
            nn.init.zeros_(self.norm.weight)

    def forward(self, x):
        return F.relu(x + self.norm(self.second(self.first(x))))


class Context(nn.Module):
    """What the whole picture and wide surroundings say, added to each place at stride 32."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.whole = nn.Conv2d(inputs, inputs // 2, 1)
        self.wide = nn.Conv2d(inputs, inputs // 4, 1)
        self.out = conv(inputs + inputs // 2 + inputs // 4, outputs)

    def forward(self, x):
        size = [int(s) for s in x.shape[-2:]]
        whole = F.relu(self.whole(x.mean((2, 3), keepdim=True))).expand(-1, -1, size[0], size[1])
        wide = F.relu(self.wide(F.avg_pool2d(x, 3, 2, 1)))
        wide = F.interpolate(wide, size=size, mode="bilinear", align_corners=False)
        return self.out(torch.cat([x, whole, wide], 1))


def up(x):
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Cutout(nn.Module):
    """RGB, normalised, n x 3 x S x S (S a multiple of 32) to logits of the matte.

    In training it returns the full-size logits and four coarser ones that are supervised too.
    """

    def __init__(self, widths=(16, 24, 48, 96, 160), depths=(1, 2, 3, 3), grow=(0, 0, 2, 3), decoder=(64, 48, 32, 16, 16)):
        super().__init__()
        self.stem = conv(3, widths[0], stride=2)
        stages = []
        for i in range(4):
            last = i == 3
            blocks = [Block(widths[i + 1], 1 if not last or k == 0 else 2) for k in range(depths[i])]
            grown = [Block(widths[i + 1], 1 + k % 2, identity=True) for k in range(grow[i])]
            stages.append(nn.Sequential(conv(widths[i], widths[i + 1], stride=2), *blocks, *grown))
        self.stages = nn.ModuleList(stages)
        self.context = Context(widths[4], decoder[0])
        skips = zip((widths[3], widths[2], widths[1], widths[0]), decoder[:4])
        self.skips = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in skips)
        self.merge = nn.ModuleList(conv(decoder[i], decoder[i + 1]) for i in range(4))
        self.refine = nn.ModuleList(Block(decoder[i + 1], identity=True) for i in range(4))
        self.side = nn.ModuleList(nn.Conv2d(decoder[i], 1, 1) for i in range(4))
        self.out = nn.Conv2d(decoder[4], 1, 3, padding=1)

    def forward(self, x):
        features = [self.stem(x)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        y = self.context(features.pop())
        sides = []
        for i in range(4):
            if self.training:
                sides.append(self.side[i](y))
            y = self.refine[i](self.merge[i](up(y) + self.skips[i](features.pop())))
        y = up(self.out(y))
        return (y, *reversed(sides)) if self.training else y


class WithNormalisation(nn.Module):
    """RGB 0..1 in, matte 0..1 out: what is exported, so that a caller needs no constants."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, image):
        return torch.sigmoid(self.net((image - self.mean) / self.std))


def count(net, side):
    """Parameters (millions) and multiply-accumulates of the convolutions (billions)."""
    total = [0]

    def hook(module, _, output):
        kernel = module.weight[0].numel()
        total[0] += kernel * output.numel()

    handles = [m.register_forward_hook(hook) for m in net.modules() if isinstance(m, nn.Conv2d)]
    mode = net.training
    net.eval()
    with torch.no_grad():
        net(torch.zeros(1, 3, side, side))
    net.train(mode)
    for h in handles:
        h.remove()
    return sum(p.numel() for p in net.parameters()) / 1e6, total[0] / 1e9
