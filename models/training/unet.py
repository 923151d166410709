"""A small U-net of residual blocks on pixel-unshuffled input, for `scratch` and `inpaint`."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def conv(before, after, size=3):
    return nn.Conv2d(before, after, size, padding=size // 2)


class Residual(nn.Module):
    def __init__(self, width, norm):
        super().__init__()
        self.a, self.b = conv(width, width), conv(width, width)
        if norm:  # folded into the convolutions by the export
            self.a, self.b = (nn.Sequential(c, nn.BatchNorm2d(width)) for c in (self.a, self.b))
            nn.init.zeros_(self.b[1].weight)  # a block begins as nothing: Goyal et al., arXiv 1706.02677, 5.1

    def forward(self, x):
        return x + self.b(F.relu(self.a(x)))


class UNet(nn.Module):
    """n x channels x h x w to n x out x h x w. The first level is at half the resolution; `blocks` are the
    residual blocks of each level on the way down (the first may have none); on the way up each has one."""

    def __init__(self, channels, out, widths, blocks, norm=False):
        super().__init__()
        self.first = conv(4 * channels, widths[0])
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in zip(widths, widths[1:]))
        self.encode = nn.ModuleList(nn.Sequential(*[Residual(w, norm) for _ in range(n)]) for w, n in zip(widths, blocks))
        self.up = nn.ModuleList(conv(b, 4 * a, 1) for a, b in zip(widths, widths[1:]))
        self.decode = nn.ModuleList(Residual(w, norm) for w in widths[:-1])
        self.last = conv(widths[0], 4 * out)

    def levels(self, x):
        """The picture that comes out, and what each level says on the way up, the deepest first."""
        x = self.encode[0](self.first(F.pixel_unshuffle(x, 2)))
        skips = []
        for down, encode in zip(self.down, self.encode[1:]):
            skips.append(x)
            x = encode(down(x))
        said = [x]
        for up, decode, skip in zip(reversed(self.up), reversed(self.decode), reversed(skips)):
            x = decode(skip + F.pixel_shuffle(up(x), 2))
            said.append(x)
        return F.pixel_shuffle(self.last(x), 2), said

    def forward(self, x):
        return self.levels(x)[0]


class Scratch(nn.Module):
    """RGB 0..1, n x 3 x h x w with h and w multiples of 32, to the chance of damage, n x 1 x h x w.

    Few channels at half the resolution, where a channel costs most: that level only says where a thin thing's
    rim lies. What it is, is decided below, and a torn edge or a stain is seen as a whole at 1/32. In training
    the deeper levels say each for itself how much of a cell is damaged, else they learn only late to help.
    """

    WIDTHS = (16, 48, 64, 96, 112)
    BLOCKS = (0, 2, 4, 4, 2)

    def __init__(self):
        super().__init__()
        self.net = UNet(3, 1, self.WIDTHS, self.BLOCKS, norm=True)
        self.hints = nn.ModuleList(conv(w, 1, 1) for w in self.WIDTHS[:1:-1])  # at 1/32, 1/16, 1/8
        for last in (self.net.last, *self.hints):
            nn.init.constant_(last.bias, -2.0)

    def all_logits(self, image):
        """Of the pixels, and of the cells of the deeper levels."""
        logits, said = self.net.levels(image - 0.5)
        return logits.float(), [hint(x).float() for hint, x in zip(self.hints, said)]

    def logits(self, image):
        return self.net(image - 0.5).float()

    def forward(self, image):
        return torch.sigmoid(self.logits(image))


class Inpaint(nn.Module):
    """RGB 0..1 with zeros in the hole, and the mask (1 = hole), n x 4 x h x w with h and w multiples of 32,
    to the filled picture. A pyramid of the known pixels fills the hole smoothly; the net corrects that."""

    def __init__(self, widths=(32, 48, 80, 112, 128), blocks=(1, 1, 2, 2, 2), levels=5):
        super().__init__()
        self.net = UNet(4, 3, widths, blocks)
        self.levels = levels
        nn.init.zeros_(self.net.last.weight)
        nn.init.zeros_(self.net.last.bias)

    def smooth(self, image, known):
        colours, weights = [image * known], [known]
        for _ in range(self.levels):
            colours.append(F.avg_pool2d(colours[-1], 2))
            weights.append(F.avg_pool2d(weights[-1], 2))
        fill = (colours[-1] + 1e-4 * 0.5) / (weights[-1] + 1e-4)
        for colour, weight in zip(colours[-2::-1], weights[-2::-1]):
            fill = F.interpolate(fill, scale_factor=2.0, mode="bilinear", align_corners=False)
            strong = torch.clamp(weight * 4, max=1.0)  # a quarter of a cell is enough to know its colour
            fill = fill * (1 - strong) + strong * colour / (weight + 1e-6)
        return fill

    def forward(self, x):
        image, mask = x[:, :3], (x[:, 3:] > 0.5).float()
        fill = self.smooth(image, 1 - mask)
        change = self.net(torch.cat([fill - 0.5, mask], 1)).float()
        return image * (1 - mask) + (fill + change) * mask
