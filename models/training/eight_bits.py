"""Training with the arithmetic of `quantize.py`: convolutions round as they will, so that the net learns to bear it.

Weights round per output channel to `WEIGHTS` steps either way, activations to `LEVELS` in a range outside of
which `BEYOND` of their values lie on each side, as ONNX Runtime's quantiser does it with a percentile of 99.99.
Sums stay as they are. Gradients pass through the rounding as if it were not there, and are nothing where a value
is clipped (Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018).
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

WEIGHTS = 64  # 7 bits with a sign: `reduce_range`
LEVELS = 255
BEYOND = 0.0001
FOLLOW = 0.1  # of a new range, in the running one
EVERY = 16  # steps between two looks at the range
SAMPLE = 262144  # values that a look sorts


def of(share, values):
    """The value that `share` of the values are at most, by sorting."""
    return values.kthvalue(max(1, min(values.numel(), round(share * values.numel()))))[0].item()


class Range:
    """The running range of an activation; 0 is in it, as the arithmetic asks for."""

    def __init__(self):
        self.low = self.high = None
        self.seen = 0

    def look(self, x):
        flat = x.detach().flatten()
        flat = flat[:: max(1, flat.numel() // SAMPLE)].float()
        low, high = min(0.0, of(BEYOND, flat)), max(0.0, of(1 - BEYOND, flat))
        if self.low is None:
            self.low, self.high = low, high
        self.low += FOLLOW * (low - self.low)
        self.high += FOLLOW * (high - self.high)

    def round(self, x, training):
        if training and self.seen % EVERY == 0 or self.low is None:
            self.look(x)
        self.seen += training
        scale = max(self.high - self.low, 1e-6) / LEVELS
        return torch.fake_quantize_per_tensor_affine(x.float(), scale, round(-self.low / scale), 0, LEVELS)


def rounded_weight(weight):
    scale = weight.detach().abs().amax((1, 2, 3)).clamp_min(1e-8).float() / WEIGHTS
    return torch.fake_quantize_per_channel_affine(weight, scale, torch.zeros_like(scale, dtype=torch.int32), 0, -WEIGHTS, WEIGHTS)


class Rounding(nn.Conv2d):
    """A convolution in 8 bits, made of an existing one by `begin`: the first of a block with its ReLU, which leaves to the second what is rounded."""

    def forward(self, x):
        if self.before:
            x = self.before.round(x, self.training)
        y = F.conv2d(x, rounded_weight(self.weight), self.bias, self.stride, self.padding)
        return self.after.round(F.relu(y) if self.first else y, self.training)


def begin(net, kept):
    """From now on every convolution of `net` rounds for which `kept(name)` is false. Ranges are of this process and look anew after each start."""
    for name, conv in net.named_modules():
        if type(conv) is nn.Conv2d and not kept(name):
            conv.__class__ = Rounding
            conv.first, second = name.endswith(".a"), name.endswith(".b")  # of a `Residual`
            conv.before, conv.after = None if second else Range(), Range()
    return net
