"""What a good matte is: right (cross entropy, overlap), sharp where the subject ends (gradients at
three scales), and without veils (the L1 term and a price for middle values where the truth has none).
"""
import torch
import torch.nn.functional as F


def overlap(p, y):
    """1 - soft intersection over union, per picture."""
    both = (p * y).sum((1, 2, 3))
    either = (p + y - p * y).sum((1, 2, 3))
    return (1 - (both + 1) / (either + 1)).mean()


def gradients(p, y, scales=3):
    """L1 between horizontal and vertical differences, at full, half and quarter size."""
    total = 0
    for _ in range(scales):
        d = p - y
        total = total + (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
        p, y = F.avg_pool2d(p, 2), F.avg_pool2d(y, 2)
    return total


def veil(p, y):
    """Middle values where the truth is plainly 0 or 1."""
    plain = ((y < 0.02) | (y > 0.98)).float()
    return (p * (1 - p) * plain).mean()


def cutout_loss(outputs, y):
    """The full-size output carries all terms, the coarser ones the first two."""
    logits = outputs[0].float()
    p = torch.sigmoid(logits)
    total = F.binary_cross_entropy_with_logits(logits, y) + 0.6 * overlap(p, y)
    total = total + 0.5 * (p - y).abs().mean() + 0.6 * gradients(p, y) + 0.5 * veil(p, y)
    for side in outputs[1:]:
        side = side.float()
        target = F.interpolate(y, size=side.shape[-2:], mode="area")
        bce = F.binary_cross_entropy_with_logits(side, target)
        total = total + 0.25 * (bce + 0.5 * overlap(torch.sigmoid(side), target))
    return total
