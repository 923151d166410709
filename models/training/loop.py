"""The training loop of the image-to-image recipes: resumable, on a CPU or a GPU.

A recipe gives a net, `batch(chance, count)` and `objective(net, batch, state)`. The rate follows one
half cosine down to nothing, by wall time (`--minutes`) or by steps (`--steps`, which is repeatable).
"""
import collections
import concurrent.futures
import json
import multiprocessing
import os
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import torch

import common
import muon


def arguments(parser, side, batch, rate):
    parser.add_argument("--photos", default="../shared/data/train/clean-photos")
    parser.add_argument("--out", required=True, help="folder of the run")
    parser.add_argument("--warm-start", help="checkpoint or, where the recipe says so, ONNX file to begin with")
    parser.add_argument("--export", metavar="FILE", help="write the ONNX file of a run and stop")
    parser.add_argument("--licensed-only", action="store_true", help="for recipes with other pictures than `--photos`, whose licences are all stated")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--side", type=int, default=side)
    parser.add_argument("--batch", type=int, default=batch, help="per replica")
    parser.add_argument("--replicas", type=int, default=1, help="on a CPU: one per core that may be used; a GPU takes the patches of all of them in one")
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--muon", action="store_true", help="Muon for the filters, Adam for the rest")
    parser.add_argument("--average", type=float, default=0.999)
    parser.add_argument("--full-precision", type=float, default=0.0, help="share of the run, at its end, in fp32")
    parser.add_argument("--feed", action="store_true", help="make the batches in a second process (where the loss keeps no notes of them)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pid-file")


class Classes:
    """Running mean of the error of each kind of damage.

    Dividing by it makes a step towards a smaller log error, mean over kinds, which is what the
    table of PSNRs sums up, without letting flat patches outweigh textured ones within a kind.
    """

    def __init__(self, floor):
        self.floor, self.mean, self.seen = floor, {}, {}

    def weigh(self, errors, kinds):
        weights = []
        for error, kind in zip(errors.detach().tolist(), kinds):
            seen = self.seen[kind] = self.seen.get(kind, 0) + 1
            mean = self.mean.get(kind, error)
            self.mean[kind] = mean + (error - mean) * max(0.01, 1 / (seen + 1))
            weights.append(1.0 / max(mean, self.floor))
        return (errors * torch.tensor(weights, device=errors.device)).mean()

    def __str__(self):
        often = sorted(self.seen, key=self.seen.get, reverse=True)[:9]
        return " ".join(f"{kind} {self.mean[kind]:.2g}" for kind in sorted(often))


class Feed:
    """The batches of each step, one for each replica. With `apart` they are made ahead, in a process of their own."""

    AHEAD = 4

    def __init__(self, batch, args, place, replicas, apart):
        self.args, self.place, self.replicas, self.waiting = args, place, replicas, collections.deque()
        Feed.batch, self.pool = batch, None  # the process finds it there: it is forked from this one
        if apart:
            self.pool = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("fork"), Feed.begin, (os.getpid(),))

    @staticmethod
    def begin(parent):
        def follow():
            while os.getppid() == parent:
                time.sleep(5)
            os._exit(1)

        torch.set_num_threads(1)
        threading.Thread(target=follow, daemon=True).start()

    @staticmethod
    def make(seed, step, replica, count, place):
        return Feed.batch(np.random.default_rng([seed, step, replica]), count, place)

    def batches(self, step):
        """For each replica a function that gives its batch."""
        count = self.args.batch * self.args.replicas // self.replicas  # a GPU takes what all would
        now = [(self.args.seed, step, k, count) for k in range(self.replicas)]
        if not self.pool:
            return [lambda what=what: Feed.make(*what, self.place) for what in now]
        while len(self.waiting) < self.AHEAD * self.replicas:
            ahead, k = divmod(len(self.waiting), self.replicas)
            self.waiting.append(self.pool.submit(Feed.make, self.args.seed, step + ahead, k, count, "cpu"))
        made = [self.waiting.popleft() for _ in range(self.replicas)]
        return [lambda one=one: [x.to(self.place) if torch.is_tensor(x) else x for x in one.result()] for one in made]


def device():
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(args, net, batch, objective, initialise=None, note=""):
    """`note` is added to each line of the log, as it reads then."""
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if args.pid_file:
        Path(args.pid_file).write_text(str(os.getpid()))
    place = device()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1 if place.type == "cpu" else 4)
    cv2.setNumThreads(1)
    spent, step = 0.0, 0
    last = out / "last.pt"
    state = torch.load(last, map_location="cpu") if last.exists() else None
    if state:
        net.load_state_dict(state["net"])
        spent, step = state["spent"], state["step"]
        if isinstance(note, Classes):
            vars(note).update(state.get("note", {}))
    elif initialise:
        initialise(net)
    elif args.warm_start:
        raise SystemExit("this recipe has no --warm-start")
    net = net.to(place).to(memory_format=torch.channels_last)
    average = common.Average(net, args.average)
    optimiser = muon.Both(net, args.rate) if args.muon else torch.optim.Adam(net.parameters(), args.rate, betas=(0.9, 0.99), fused=True)
    if state:
        average.net.load_state_dict(state["average"])
        if ("muon" in state["optimiser"]) != args.muon:
            raise SystemExit(f"{out} began {'without' if args.muon else 'with'} --muon")
        optimiser.load_state_dict(state["optimiser"])
    replicas = args.replicas if place.type == "cpu" else 1
    feed = Feed(batch, args, place, replicas, args.feed)
    threads = common.Threads(net, replicas)
    clock = common.Clock(args.minutes, args.steps, spent)
    parameters = sum(p.numel() for p in net.parameters())
    print("torch", torch.__version__, place, json.dumps(vars(args)), "parameters", parameters, flush=True)
    mean, told = None, 0.0

    def keep():
        common.save(last, net=net.state_dict(), average=average.net.state_dict(), optimiser=optimiser.state_dict(), step=step, spent=clock.spent(), note=vars(note) if isinstance(note, Classes) else {})

    while (progress := clock.progress(step)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = common.cosine(progress, step, args.rate, floor=0.002)
        full = progress > 1 - args.full_precision

        made = feed.batches(step)

        def work(k, replica):
            data = made[k]()
            with torch.autocast(place.type, torch.bfloat16, enabled=not full):
                loss = objective(replica, data)
            loss.backward()
            return loss.item()

        losses = threads.step(work)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad()
        average.update(net, step)
        step += 1
        mean = np.mean(losses) if mean is None else 0.99 * mean + 0.01 * np.mean(losses)
        if time.time() - told > 60:
            told = time.time()
            print(f"{clock.spent() / 60:.1f} min, step {step}, rate {optimiser.param_groups[0]['lr']:.2e}, loss {mean:.4f} {note}", flush=True)
            keep()
    keep()


def export(args, net, example, names, check):
    """ONNX with fp16 weights and free n, h, w; `check` is another shape to compare with PyTorch."""
    from export import difference, halve, publish, to_onnx  # needs onnxruntime, training does not

    net.load_state_dict(torch.load(Path(args.out) / "last.pt", map_location="cpu")["average"])
    partial = str(args.export) + ".part"
    to_onnx(net.eval(), example, partial, names, {0: "n", 2: "h", 3: "w"})
    halve(partial)
    print("largest difference to PyTorch:", difference(partial, net, check))
    publish(partial, args.export)
