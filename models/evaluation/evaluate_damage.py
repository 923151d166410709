"""Measure `scratch` and `inpaint` models on held-out photos with made damage from held-out maps.

    python models/evaluation/evaluate_damage.py --scratch models/scratch.onnx --inpaint models/inpaint.onnx
"""
import argparse
import sys
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


def patches(folder):
    chance = np.random.default_rng(3)
    found = pictures.photos(folder, scales=(0.7,), least=SIDE, held_out=True)
    return [(pictures.draw(chance, [p], SIDE), chance) for p in found for _ in range(PER_PHOTO)]


def run(session, *channels):
    x = np.concatenate([c.reshape(SIDE, SIDE, -1) for c in channels], 2).astype(np.float32).transpose(2, 0, 1)[None]
    return session.run(None, {session.get_inputs()[0].name: x})[0][0].transpose(1, 2, 0)


def measure_scratch(path, folder):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found, sheets = scratches.maps(held_out=True), scratches.papers()
    for name, only_thin in (("all kinds", False), ("no tears and blots", True)):
        both, said, false = np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS))
        true = pixels = 0
        for patch, chance in patches(folder):
            patch = scratches.old_look(chance, patch)
            bad, mask = scratches.damaged(chance, patch, found, sheets, only_thin)
            damage = run(session, scratches.scan(chance, bad) / 255)[..., 0]
            clean = run(session, scratches.scan(chance, patch) / 255)[..., 0] if not only_thin else np.zeros((1, 1))
            both += [(mask & (damage > t)).sum() for t in THRESHOLDS]
            said += [(damage > t).sum() for t in THRESHOLDS]
            false += [(clean > t).sum() for t in THRESHOLDS]
            true, pixels = true + mask.sum(), pixels + mask.size
        print(f"{Path(path).stem}, {name}\n| threshold | IoU | precision | recall | marked on the same photos undamaged |\n|---|---|---|---|---|")
        for t, b, s, f in zip(THRESHOLDS, both, said, false):
            print(f"| {t} | {b / (true + s - b):.3f} | {b / s:.3f} | {b / true:.3f} | {'-' if only_thin else f'{100 * f / pixels:.2f} %'} |", flush=True)


def measure_inpaint(path, folder):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = scratches.maps(held_out=True)
    rows = {"Telea, radius 3": [], "Telea, radius 5": [], "Navier-Stokes, radius 5": [], Path(path).stem: []}
    widths = []
    for patch, chance in patches(folder):
        mask = train_inpaint.hole(chance, SIDE, found)
        inside = mask > 0
        widths.append(2 * cv2.distanceTransform(mask, cv2.DIST_L2, 5).max())
        bgr = cv2.cvtColor(patch, cv2.COLOR_RGB2BGR)
        bgr[inside] = 0
        filled = [
            cv2.inpaint(bgr, mask, 3, cv2.INPAINT_TELEA)[..., ::-1], cv2.inpaint(bgr, mask, 5, cv2.INPAINT_TELEA)[..., ::-1],
            cv2.inpaint(bgr, mask, 5, cv2.INPAINT_NS)[..., ::-1],
            np.rint(np.clip(run(session, np.where(inside[..., None], 0, patch / 255), inside), 0, 1) * 255),
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


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--scratch", action="append", default=[])
    args.add_argument("--inpaint", action="append", default=[])
    args.add_argument("--photos", default=pictures.PHOTOS)
    args = args.parse_args()
    for path in args.scratch:
        measure_scratch(path, args.photos)
    for path in args.inpaint:
        measure_inpaint(path, args.photos)


if __name__ == "__main__":
    main()
