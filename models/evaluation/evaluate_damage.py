"""Measure `scratch` and `inpaint` models on held-out photos with made damage from held-out maps.

    python models/evaluation/evaluate_damage.py --scratch models/scratch.onnx --inpaint models/inpaint.onnx
    python models/evaluation/evaluate_damage.py --draws 10 --scratch models/scratch.onnx  # what is drawn moves the IoU by 0.05
"""
import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "training"))
import pictures  # noqa: E402
import scratches  # noqa: E402
import train_inpaint  # noqa: E402

SIDE = 256
PER_PHOTO = 4
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)


def patches(folder, draws):
    """Of each photo, `draws` times over, each time with other patches and other damage."""
    found = pictures.photos(folder, scales=(0.7,), least=SIDE, held_out=True)
    for seed in range(3, 3 + draws):
        chance = np.random.default_rng(seed)
        cut = [pictures.draw(chance, [p], SIDE) for p in found for _ in range(PER_PHOTO)]
        yield from ((patch, chance) for patch in cut)


def run(session, *channels, spent=None):
    """The answer to one patch; `spent` gets the processor time."""
    x = np.concatenate([c.reshape(SIDE, SIDE, -1) for c in channels], 2).astype(np.float32).transpose(2, 0, 1)[None]
    start = time.process_time()
    answer = session.run(None, {session.get_inputs()[0].name: x})[0][0].transpose(1, 2, 0)
    if spent is not None:
        spent.append(time.process_time() - start)
    return answer


def tell(path, spent):
    print(f"{Path(path).stem}: {sum(spent) / len(spent) / SIDE**2 * 1e6:.2f} s of processor time per megapixel")


def opened(path):
    """On one thread: several wait for each other by spinning, which would count as processor time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def near(mask):
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


class Counts:
    """Pixels over all patches at one threshold: right, said and true, and how many have the other within 1 px."""

    def __init__(self, threshold):
        self.threshold, self.kinds = threshold, np.zeros((len(scratches.KINDS), 2))
        self.both = self.said = self.true = self.said_near = self.true_near = self.false = 0

    def add(self, damage, mask, clean):
        found, true = damage > self.threshold, mask > 0
        self.both, self.said, self.true = self.both + (found & true).sum(), self.said + found.sum(), self.true + true.sum()
        self.said_near, self.true_near = self.said_near + (found & near(true)).sum(), self.true_near + (true & near(found)).sum()
        self.false += (clean > self.threshold).mean()
        self.kinds += [[((mask == k) & found).sum(), (mask == k).sum()] for k in range(1, len(scratches.KINDS) + 1)]

    def row(self, patches):
        precision, recall = self.both / self.said, self.both / self.true
        p, r = self.said_near / self.said, self.true_near / self.true
        iou, tolerant = self.both / (self.true + self.said - self.both), p * r / (p + r - p * r)
        return f"| {self.threshold} | {iou:.3f} | {precision:.3f} | {recall:.3f} | {tolerant:.3f} | " + (f"{100 * self.false / patches:.2f} % |" if self.false else "- |")


def measure_scratch(path, folder, draws):
    """IoU over all pixels; the tolerant one from a precision and a recall that forgive 1 px."""
    session = opened(path)
    found, sheets, spent = scratches.maps(held_out=True), scratches.papers(), []
    for name, only_thin in (("all kinds", False), ("no tears and blots", True)):
        counts, patches_seen = [Counts(t) for t in THRESHOLDS], 0
        for patch, chance in patches(folder, draws):
            patch = scratches.old_look(chance, patch)
            bad, mask = scratches.damaged(chance, patch, found, sheets, large=0.0 if only_thin else 1.0)
            damage = run(session, scratches.scan(chance, bad) / 255, spent=spent)[..., 0]
            clean = run(session, scratches.scan(chance, patch) / 255)[..., 0] if not only_thin else np.zeros((1, 1))
            patches_seen += 1
            for c in counts:
                c.add(damage, mask, clean)
        print(f"{Path(path).stem}, {name}\n| threshold | IoU | precision | recall | IoU, 1 px forgiven | marked on the same photos undamaged |\n|---|---|---|---|---|---|")
        print("\n".join(c.row(patches_seen) for c in counts), flush=True)
        if not only_thin:
            half = next(c for c in counts if c.threshold == 0.5)
            print("recall at 0.5 by kind (share of the damaged pixels): " + ", ".join(f"{k} {a / max(b, 1):.2f} ({b / half.true:.0%})" for k, (a, b) in zip(scratches.KINDS, half.kinds)))
    tell(path, spent)


def measure_inpaint(path, folder, draws):
    session = opened(path)
    found = scratches.maps(held_out=True)
    rows = {"Telea, radius 3": [], "Telea, radius 5": [], "Navier-Stokes, radius 5": [], Path(path).stem: []}
    widths, spent = [], []
    for patch, chance in patches(folder, draws):
        mask = train_inpaint.hole(chance, SIDE, found)
        inside = mask > 0
        widths.append(2 * cv2.distanceTransform(mask, cv2.DIST_L2, 5).max())
        bgr = cv2.cvtColor(patch, cv2.COLOR_RGB2BGR)
        bgr[inside] = 0
        filled = [
            cv2.inpaint(bgr, mask, 3, cv2.INPAINT_TELEA)[..., ::-1], cv2.inpaint(bgr, mask, 5, cv2.INPAINT_TELEA)[..., ::-1],
            cv2.inpaint(bgr, mask, 5, cv2.INPAINT_NS)[..., ::-1],
            np.rint(np.clip(run(session, np.where(inside[..., None], 0, patch / 255), inside, spent=spent), 0, 1) * 255),
        ]
        for row, result in zip(rows.values(), filled):
            error = np.mean((result[inside].astype(np.float64) - patch[inside]) ** 2)
            row.append((error, 10 * np.log10(255**2 / max(error, 1e-2))))
    widths = np.array(widths)
    print(f"PSNR inside the mask, {len(widths)} patches (mean of the patches; widest part of the hole <= 12 px, 12 to 24, above)\n| | all | <= 12 | 12-24 | > 24 |\n|---|---|---|---|---|")
    for name, row in rows.items():
        values = np.array(row)[:, 1]
        parts = [values, values[widths <= 12], values[(widths > 12) & (widths <= 24)], values[widths > 24]]
        print(f"| {name} | " + " | ".join(f"{p.mean():.2f} ({len(p)})" for p in parts) + " |")
    tell(path, spent)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--scratch", action="append", default=[])
    args.add_argument("--inpaint", action="append", default=[])
    args.add_argument("--photos", default=pictures.PHOTOS)
    args.add_argument("--draws", type=int, default=1, help="how many times 80 patches with their damage are drawn")
    args = args.parse_args()
    for path in args.scratch:
        measure_scratch(path, args.photos, args.draws)
    for path in args.inpaint:
        measure_inpaint(path, args.photos, args.draws)


if __name__ == "__main__":
    main()
