"""Train the blind restoration net on clean photos with made damage. Resumable; CPU or GPU.

    python models/training/train_restore.py --out RUN --warm-start ../shared/models/restore-bootstrap.onnx
    python models/training/train_restore.py --out RUN --export models/restore.onnx
"""
import argparse
import json
import os
import time
from pathlib import Path

import cv2
import numpy as np
import torch

import common
from restore_net import Restore, load_smaller

PHOTOS = "../shared/data/train/clean-photos"


def photos(folder):
    """Each photo at its size and reduced: reduced ones are free of their own compression."""
    found = []
    for path in sorted(Path(folder).iterdir()):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            continue
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        for scale in (1.0, 0.7, 0.5):
            small = picture if scale == 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            if min(small.shape[:2]) >= 160:
                found.append(small)
    return found


def patch(chance, pictures, side):
    picture = pictures[int(chance.integers(len(pictures)))]
    y = int(chance.integers(picture.shape[0] - side + 1))
    x = int(chance.integers(picture.shape[1] - side + 1))
    clean = picture[y : y + side, x : x + side]
    if chance.random() < 0.5:
        clean = clean[:, ::-1]
    if chance.random() < 0.5:
        clean = clean.transpose(1, 0, 2)
    if chance.random() < 0.08:
        clean = cv2.cvtColor(cv2.cvtColor(np.ascontiguousarray(clean), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.ascontiguousarray(clean)


def jpeg(picture, quality, full_colour):
    factor = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if full_colour else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)  # JPEG treats its channels differently
    return cv2.cvtColor(cv2.imdecode(cv2.imencode(".jpg", bgr, settings)[1], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def damage(chance, clean):
    """Blur, then noise, then JPEG, each sometimes; one patch in ten stays as it is."""
    kind = chance.random()
    if kind < 0.1:
        return clean
    picture = clean
    if chance.random() < 0.12:
        picture = cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.7, 1.6))
    if kind < 0.7:
        grey = chance.random() < 0.2
        noise = chance.normal(0, chance.uniform(2, 32), picture.shape[:2] + ((1,) if grey else (3,)))
        picture = np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)
    if kind > 0.6:
        picture = jpeg(picture, int(chance.integers(12, 92)), chance.random() < 0.25)
    return picture


def decibel_loss(restored, clean):
    """Mean of each patch's log error, so that nearly clean patches count as well as noisy ones.

    The floor (about 43 dB) keeps clean patches from outweighing all others: with 50 dB the gate learned to
    close on JPEG too.
    """
    error = ((restored - clean) ** 2).mean((1, 2, 3))
    return (10 * torch.log10(error + 5e-5)).mean()


def export(checkpoint, out):
    from export import difference, publish, to_onnx, halve  # needs onnxruntime, training does not

    net = Restore()
    net.load_state_dict(torch.load(checkpoint, map_location="cpu")["average"])
    partial = str(out) + ".part"
    to_onnx(net.eval(), torch.rand(1, 3, 128, 128), partial, ("image", "restored"), {0: "n", 2: "h", 3: "w"})
    halve(partial)
    print("largest difference to PyTorch:", difference(partial, net, torch.rand(1, 3, 96, 160)))
    publish(partial, out)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--photos", default=PHOTOS)
    args.add_argument("--out", required=True)
    args.add_argument("--warm-start")
    args.add_argument("--export", metavar="FILE", help="write the ONNX file of a run and stop")
    args.add_argument("--minutes", type=float, default=20)
    args.add_argument("--steps", type=int, default=0)
    args.add_argument("--side", type=int, default=96)
    args.add_argument("--batch", type=int, default=16, help="per thread")
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--rate", type=float, default=1e-3)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--pid-file")
    args = args.parse_args()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if args.export:
        return export(out / "last.pt", args.export)
    if args.pid_file:
        Path(args.pid_file).write_text(str(os.getpid()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(args.seed)
    torch.set_num_threads(1 if device.type == "cpu" else 4)
    cv2.setNumThreads(1)
    pictures = photos(args.photos)
    net, spent, step = Restore(), 0.0, 0
    state = torch.load(out / "last.pt", map_location="cpu") if (out / "last.pt").exists() else None
    if state:
        net.load_state_dict(state["net"])
        spent, step = state["spent"], state["step"]
    elif args.warm_start:
        load_smaller(net, args.warm_start)
    net = net.to(device).to(memory_format=torch.channels_last)
    average = common.Average(net, 0.999)
    optimiser = torch.optim.Adam(net.parameters(), args.rate)
    if state:
        average.net.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
    threads = common.Threads(net, args.threads if device.type == "cpu" else 1)
    clock = common.Clock(args.minutes, args.steps, spent)
    print("torch", torch.__version__, device, json.dumps(vars(args)), "pictures", len(pictures), flush=True)
    mean, told = None, time.time()

    def tensor(patches):
        x = torch.from_numpy(np.stack(patches)).to(device).permute(0, 3, 1, 2).float() / 255
        return x.contiguous(memory_format=torch.channels_last)

    def keep():
        common.save(out / "last.pt", net=net.state_dict(), average=average.net.state_dict(), optimiser=optimiser.state_dict(), step=step, spent=clock.spent())

    while clock.progress(step) < 1:
        for g in optimiser.param_groups:
            g["lr"] = common.cosine(clock.progress(step), step, args.rate)

        def work(k, replica):
            chance = np.random.default_rng([args.seed, step, k])
            clean = [patch(chance, pictures, args.side) for _ in range(args.batch)]
            x, y = tensor([damage(chance, c) for c in clean]), tensor(clean)
            with torch.autocast(device.type, torch.bfloat16):
                restored = replica(x)
            loss = decibel_loss(restored, y)
            loss.backward()
            return loss.item()

        losses = threads.step(work)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad()
        average.update(net, step)
        step += 1
        mean = np.mean(losses) if mean is None else 0.99 * mean + 0.01 * np.mean(losses)
        if time.time() - told > 120:
            told = time.time()
            print(f"{clock.spent() / 60:.1f} min, step {step}, loss {mean:.3f} dB", flush=True)
            keep()
    keep()


if __name__ == "__main__":
    main()
