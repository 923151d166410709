"""Train the cutout net. The same command on CPU or GPU; started again it goes on where it stopped.

    python models/training/train_cutout.py --cache CACHE --out RUN --warm-start ../shared/models/cutout-bootstrap.onnx
"""
import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import common
import warmstart
from data import Source
from losses import cutout_loss
from net import Cutout, count

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def tensors(pictures, mattes, device):
    x = torch.from_numpy(np.array(pictures)).to(device).permute(0, 3, 1, 2).float() / 255
    x = (x - MEAN.to(device)) / STD.to(device)
    y = torch.from_numpy(np.array(mattes)).to(device)[:, None].float() / 255
    return x.contiguous(memory_format=torch.channels_last), y


@torch.no_grad()
def validate(net, source, side, device):
    """Agreement with the teacher on pictures kept out of training."""
    scores = {}
    for name, (pictures, mattes) in source.held_out().items():
        overlap, error = [], []
        for i in range(0, len(pictures), 8):
            x, y = tensors(pictures[i : i + 8], mattes[i : i + 8], device)
            with torch.autocast(device.type, torch.bfloat16):
                p = torch.sigmoid(net(F.interpolate(x, size=(side, side), mode="area")).float())
            p = F.interpolate(p, size=y.shape[-2:], mode="bilinear")
            a, b = p > 0.5, y > 0.5
            overlap += ((a & b).sum((1, 2, 3)) / (a | b).sum((1, 2, 3)).clamp_min(1)).tolist()
            error += (p - y).abs().mean((1, 2, 3)).tolist()
        scores[name] = (round(float(np.mean(overlap)), 4), round(float(np.mean(error)), 4))
    return scores


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--cache", required=True, help="made by prepare.py")
    args.add_argument("--out", required=True, help="folder for checkpoints and the log")
    args.add_argument("--warm-start", help="ONNX file of the smaller net")
    args.add_argument("--init", help="checkpoint whose weights to begin with (a new schedule)")
    args.add_argument("--minutes", type=float, default=90)
    args.add_argument("--steps", type=int, default=0, help="instead of minutes")
    args.add_argument("--sides", default="256,288", help="drawn per step in the first part")
    args.add_argument("--late-sides", default="352", help="in the second part")
    args.add_argument("--late", type=float, default=0.5, help="where the second part begins")
    args.add_argument("--batch", type=int, default=12, help="per thread")
    args.add_argument("--threads", type=int, default=2, help="replicas on a CPU; a GPU uses one")
    args.add_argument("--rate", type=float, default=1e-3)
    args.add_argument("--warm-up", type=int, default=200, help="steps in which the rate rises")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--licensed-only", action="store_true")
    args.add_argument("--pid-file")
    args = args.parse_args()
    if args.pid_file:
        Path(args.pid_file).write_text(str(os.getpid()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(args.seed)
    torch.set_num_threads(1 if device.type == "cpu" else 4)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    log = (out / "log.txt").open("a", buffering=1)

    def say(*words):
        print(*words, flush=True)
        print(*words, file=log)

    source = Source(args.cache, args.licensed_only)
    net = Cutout()
    spent, step, state = 0.0, 0, None
    if (out / "last.pt").exists():
        state = torch.load(out / "last.pt", map_location="cpu")
        net.load_state_dict(state["net"])
        spent, step = state["spent"], state["step"]
    elif args.init:
        net.load_state_dict(torch.load(args.init, map_location="cpu")["average"])
    elif args.warm_start:
        batches = [tensors(*source.batch((args.seed, 9, i), 16, 288), "cpu")[0] for i in range(8)]
        say("warm start:", warmstart.load(net, args.warm_start, batches), "convolutions")
    net = net.to(device).to(memory_format=torch.channels_last).train()
    average = common.Average(net, 0.999)
    decayed = [p for p in net.parameters() if p.dim() > 1]
    plain = [p for p in net.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, args.rate, fused=True)
    if state:
        average.net.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
    # A GPU takes the pictures of all threads in one.
    replicas, each = (args.threads, args.batch) if device.type == "cpu" else (1, args.batch * args.threads)
    threads = common.Threads(net, replicas)
    clock = common.Clock(args.minutes, args.steps, spent)
    say("torch", torch.__version__, platform.machine(), device, json.dumps(vars(args)))
    say("parameters (M), GMACs at 352:", count(Cutout(), 352), "sets:", [(s.name, len(s.images) - s.first) for s in source.sets])
    mean, seen, told, start = None, 0, 0.0, time.time()

    def keep():
        common.save(out / "last.pt", net=net.state_dict(), average=average.net.state_dict(), optimiser=optimiser.state_dict(), step=step, spent=clock.spent())

    while clock.progress(step) < 1:
        progress = clock.progress(step)
        sides = (args.sides if progress < args.late else args.late_sides).split(",")
        side = int(sides[int(np.random.default_rng([args.seed, step]).integers(len(sides)))])
        for g in optimiser.param_groups:
            g["lr"] = common.cosine(progress, step, args.rate, args.warm_up)

        def work(k, replica):
            x, y = tensors(*source.batch((args.seed, step, k), each, side), device)
            with torch.autocast(device.type, torch.bfloat16):
                outputs = replica(x)
            loss = cutout_loss(outputs, y)
            loss.backward()
            return loss.item()

        losses = threads.step(work)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        optimiser.zero_grad()
        average.update(net, step)
        step, seen = step + 1, seen + each * len(losses)
        mean = np.mean(losses) if mean is None else 0.99 * mean + 0.01 * np.mean(losses)
        if time.time() - told > 300:
            told = time.time()
            rate = seen / (time.time() - start)
            say(f"{clock.spent() / 60:.1f} min, step {step}, {rate:.1f} pictures/s, loss {mean:.4f},", validate(average.net, source, 352, device))
            keep()
    keep()
    say("end: step", step, validate(average.net, source, 352, device))


if __name__ == "__main__":
    main()
