"""What both recipes share: schedule, running average, checkpoints, training on several threads."""
import copy
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch


def cosine(progress, step, peak, warm_up=200, floor=0.01):
    """Learning rate: linear warm-up, then half a cosine over `progress` (0..1)."""
    return peak * min(1.0, (step + 1) / warm_up) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


class Average:
    """Exponential moving average of weights and statistics: what is evaluated and exported."""

    def __init__(self, net, decay):
        self.net, self.decay = copy.deepcopy(net).eval(), decay

    @torch.no_grad()
    def update(self, net, step):
        decay = min(self.decay, (step + 1) / (step + 20))
        for mine, theirs in zip(self.net.state_dict().values(), net.state_dict().values()):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


class Clock:
    """Progress of a run by wall time, or by steps when `steps` is given; survives a resume."""

    def __init__(self, minutes, steps, spent=0.0):
        self.minutes, self.steps, self.start = minutes, steps, time.time() - spent

    def spent(self):
        return time.time() - self.start

    def progress(self, step):
        return step / self.steps if self.steps else self.spent() / 60 / self.minutes


def save(path, **state):
    """Write beside, then rename: a stop in the middle leaves the last good checkpoint."""
    partial = Path(str(path) + ".part")
    torch.save(state, partial)
    os.replace(partial, path)


class Threads:
    """Data-parallel training inside one process.

    On a CPU small nets spend much of a multi-threaded step waiting at the end of each operation. One
    replica for each core, each working alone on its own half of the batch, was 2.4 times as fast
    here. Replicas share the weights' memory; only the gradients are added up.
    """

    def __init__(self, net, count):
        self.nets = [net] + [copy.deepcopy(net) for _ in range(count - 1)]
        for other in self.nets[1:]:
            for mine, first in zip(other.parameters(), net.parameters()):
                mine.data = first.data
        self.parameters = [list(n.parameters()) for n in self.nets]
        self.pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) if count > 1 else None

    def step(self, work):
        """work(k, net) computes a loss and calls backward. Returns the losses."""
        if self.pool is None:
            return [work(0, self.nets[0])]
        losses = list(self.pool.map(work, range(len(self.nets)), self.nets))
        first = self.parameters[0]
        for others in self.parameters[1:]:
            for mine, theirs in zip(first, others):
                if theirs.grad is not None:
                    mine.grad.add_(theirs.grad)
                    theirs.grad = None
        for p in first:
            if p.grad is not None:
                p.grad.div_(len(self.nets))
        return losses
