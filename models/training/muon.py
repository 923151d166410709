"""Muon for the filters of convolutions, Adam for everything else.

Muon (K. Jordan, 2024, kellerjordan.github.io/posts/muon) makes each step of a weight matrix as large in all
directions. Filters are matrices here, a row for each output channel. Steps are scaled to the size of Adam's
(`match_rms_adamw`), so that `--rate` means the same for both. The first and the last convolution, which
turn pixels into channels and back, stay with Adam, as its author advises.
"""
import torch

NARROW = 16  # a convolution from or to fewer channels is Adam's


def filters(net):
    return [p for p in net.parameters() if p.ndim == 4 and min(p.shape[:2]) >= NARROW]


def rows(filter):
    """A view of it if it is stored channels last."""
    return filter.permute(0, 2, 3, 1).reshape(filter.shape[0], -1)


class Both:
    """The part of an optimiser's interface that the loop needs."""

    def __init__(self, net, rate):
        self.filters = filters(net)
        self.matrices = [torch.nn.Parameter(rows(p.data)) for p in self.filters]
        if any(m.data_ptr() != p.data_ptr() for m, p in zip(self.matrices, self.filters)):
            raise ValueError("the net is not channels last: its filters would not follow")
        theirs = {id(p) for p in self.filters}
        rest = [p for p in net.parameters() if id(p) not in theirs]
        self.muon = torch.optim.Muon(self.matrices, rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        self.adam = torch.optim.Adam(rest, rate, betas=(0.9, 0.99), fused=True)
        self.param_groups = self.muon.param_groups + self.adam.param_groups

    def step(self):
        for matrix, filter in zip(self.matrices, self.filters):
            matrix.grad = None if filter.grad is None else rows(filter.grad)
        self.muon.step()
        self.adam.step()

    def zero_grad(self):
        self.adam.zero_grad()
        for filter in self.filters:
            filter.grad = None

    def state_dict(self):
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state):
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
        self.param_groups = self.muon.param_groups + self.adam.param_groups
