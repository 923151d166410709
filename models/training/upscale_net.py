"""The upscaling nets: residual blocks at the input's resolution over an upsampling inside the graph."""
import torch.nn as nn
import torch.nn.functional as F


def conv(before, after):
    return nn.Conv2d(before, after, 3, padding=1)


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b = conv(width, width), conv(width, width)

    def forward(self, x):
        return x + self.b(F.relu(self.a(x)))


class Upscale(nn.Module):
    """RGB 0..1, n x 3 x h x w of any size, to n x 3 x (scale h) x (scale w), to be clamped."""

    def __init__(self, scale, width=32, blocks=5):
        super().__init__()
        self.scale = scale
        self.first = conv(3, width)
        self.body = nn.Sequential(*[Residual(width) for _ in range(blocks)], conv(width, width))
        self.last = conv(width, 3 * scale * scale)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, image):
        start = self.first(image - 0.5)
        change = F.pixel_shuffle(self.last(start + self.body(start)).float(), self.scale)
        return change + F.interpolate(image, scale_factor=float(self.scale), mode="bicubic", align_corners=False)
