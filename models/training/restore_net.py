"""The restoration net: a residual net at half resolution, with a gate that can leave a place alone."""
import onnx
import torch
import torch.nn as nn
import torch.nn.functional as F
from onnx import numpy_helper


class Restore(nn.Module):
    """RGB 0..1, n x 3 x h x w with h and w even, to the same, to be clamped.

    The gate looks at neighbourhoods of 8 x 8 pixels and scales the correction: where it finds no
    damage it closes, which keeps a clean picture clean without costing strength elsewhere.
    """

    def __init__(self, width=32, blocks=4, added=3):
        super().__init__()
        self.first = nn.Conv2d(12, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2 * blocks))
        self.added = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2 * added))
        self.last = nn.Conv2d(width, 12, 3, padding=1)
        self.gate = nn.Sequential(nn.Conv2d(width, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 1, 3, padding=1))
        nn.init.zeros_(self.gate[-1].weight)
        nn.init.constant_(self.gate[-1].bias, 3.0)  # begins open
        for conv in self.added[1::2]:  # added blocks begin as the identity
            nn.init.zeros_(conv.weight)
            nn.init.zeros_(conv.bias)

    def forward(self, image):
        start = self.first(F.pixel_unshuffle(image, 2))
        x = start
        for a, b in zip(self.body[0::2], self.body[1::2]):
            x = x + b(F.relu(a(x)))
        for a, b in zip(self.added[0::2], self.added[1::2]):
            x = x + b(F.relu(a(x)))
        change = self.last(x + start)
        gate = torch.sigmoid(self.gate(x).float())
        gate = F.interpolate(gate, size=change.shape[-2:], mode="bilinear", align_corners=False)
        return image + F.pixel_shuffle(change.float() * gate, 2)


def load_smaller(net, path):
    """Weights of the earlier ten-convolution net from its ONNX file."""
    graph = onnx.load(str(path)).graph
    values = {t.name: numpy_helper.to_array(t).astype("float32") for t in graph.initializer}
    convs = [n for n in graph.node if n.op_type == "Conv"]
    mine = [net.first, *net.body, net.last]
    if len(convs) != len(mine):
        raise SystemExit(f"{path}: {len(convs)} convolutions, expected {len(mine)}")
    with torch.no_grad():
        for conv, node in zip(mine, convs):
            conv.weight.copy_(torch.from_numpy(values[node.input[1]].copy()))
            conv.bias.copy_(torch.from_numpy(values[node.input[2]].copy()))
