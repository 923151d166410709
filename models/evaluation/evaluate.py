"""Measure cutout models (ONNX files) on folders of pairs: picture NAME.jpg or .webp, mask NAME.png.

    python models/evaluation/evaluate.py --model ../shared/models/u2netp.onnx --model models/cutout.onnx \
        --pairs ../shared/data/eval/people --pairs ../shared/data/eval/animals --limit 60

mIoU: mean intersection over union at 0.5; pixels inside either. MAE: mean absolute error of the matte.
BF: F-measure of the boundaries, with a tolerance of 0.75 % of the diagonal. All at the mask's own size.
With --teacher FILE a folder without masks is measured against that model's mattes.
A file with an input named `image` takes RGB 0..1; any other is fed as U2-Net is: divided by the picture's
maximum, ImageNet mean and deviation, first output stretched to its full range.
"""
import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


class Model:
    def __init__(self, path, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.name = Path(path).stem
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]
        self.output = self.session.get_outputs()[0].name
        self.side = self.input.shape[-1]
        self.raw = self.input.name == "image"
        self.seconds, self.runs = 0.0, 0

    def matte(self, rgb):
        """Matte in 0..1 at the picture's size."""
        x = cv2.resize(rgb, (self.side, self.side), interpolation=cv2.INTER_AREA).astype(np.float32)
        x = x / 255 if self.raw else (x / max(float(x.max()), 1) - MEAN) / STD
        start = time.perf_counter()
        y = self.session.run([self.output], {self.input.name: x.transpose(2, 0, 1)[None]})[0][0, 0]
        self.seconds, self.runs = self.seconds + time.perf_counter() - start, self.runs + 1
        if not self.raw:
            y = (y - y.min()) / max(float(y.max() - y.min()), 1e-6)
        return cv2.resize(y, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def boundary(mask):
    return mask & ~cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)


def boundary_f(a, b):
    """Harmonic mean of how much of each boundary lies near the other."""
    a, b = boundary(a), boundary(b)
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    radius = max(1, round(0.0075 * float(np.hypot(*a.shape))))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    near_a = cv2.dilate(a.astype(np.uint8), kernel).astype(bool)
    near_b = cv2.dilate(b.astype(np.uint8), kernel).astype(bool)
    precision, recall = (a & near_b).sum() / a.sum(), (b & near_a).sum() / b.sum()
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def pairs(folder, masked):
    files = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".webp"))
    return [p for p in files if not masked or p.with_suffix(".png").exists()]


def read(path):
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def measure(models, folder, limit, teacher):
    rows = {m.name: [] for m in models}
    for path in pairs(folder, teacher is None)[: limit or None]:
        rgb = read(path)
        if teacher is None:
            truth = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
            if truth.shape != rgb.shape[:2]:
                rgb = cv2.resize(rgb, truth.shape[1::-1], interpolation=cv2.INTER_AREA)
        else:
            truth = teacher.matte(rgb)
        for m in models:
            guess = m.matte(rgb)
            a, b = guess > 0.5, truth > 0.5
            iou = (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0
            rows[m.name].append((iou, np.abs(guess - truth).mean(), boundary_f(a, b)))
    return rows


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", action="append", required=True)
    args.add_argument("--pairs", action="append", required=True)
    args.add_argument("--limit", type=int, default=0, help="the first N of each folder")
    args.add_argument("--teacher", help="a model whose mattes stand in for missing masks")
    args.add_argument("--threads", type=int, default=1)
    args = args.parse_args()
    cv2.setNumThreads(1)
    models = [Model(m, args.threads) for m in args.model]
    teacher = Model(args.teacher, args.threads) if args.teacher else None
    print("| set | n | model | mIoU | MAE | BF |\n|---|---|---|---|---|---|")
    for folder in args.pairs:
        for name, values in measure(models, folder, args.limit, teacher).items():
            v = np.mean(values, 0)
            print(f"| {Path(folder).name} | {len(values)} | {name} | {v[0]:.4f} | {v[1]:.4f} | {v[2]:.4f} |", flush=True)
    for m in models:
        print(f"{m.name}: input {m.side}, {1000 * m.seconds / max(m.runs, 1):.1f} ms per picture, {args.threads} thread(s)")


if __name__ == "__main__":
    main()
