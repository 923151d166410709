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


def patches(folder):
    chance = np.random.default_rng(3)
    found = pictures.photos(folder, scales=(0.7,), least=SIDE, held_out=True)
    return [(pictures.draw(chance, [p], SIDE), chance) for p in found for _ in range(PER_PHOTO)]


def run(session, *channels):
    x = np.concatenate([c.reshape(SIDE, SIDE, -1) for c in channels], 2).astype(np.float32).transpose(2, 0, 1)[None]
    return session.run(None, {session.get_inputs()[0].name: x})[0][0].transpose(1, 2, 0)


def measure_scratch(path, folder, threshold):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found, sheets = scratches.maps(held_out=True), scratches.papers()
    both = either = hit = said = true = false_area = clean_area = 0
    for patch, chance in patches(folder):
        patch = scratches.old_look(chance, patch)
        bad, mask = scratches.damaged(chance, patch, found, sheets)
        ours = run(session, scratches.scan(chance, bad) / 255)[..., 0] > threshold
        both, either = both + (ours & mask).sum(), either + (ours | mask).sum()
        hit, said, true = hit + (ours & mask).sum(), said + ours.sum(), true + mask.sum()
        false_area += (run(session, scratches.scan(chance, patch) / 255)[..., 0] > threshold).sum()
        clean_area += SIDE * SIDE
    print(f"{Path(path).stem}: IoU {both / either:.3f}, precision {hit / said:.3f}, recall {hit / true:.3f} at {threshold}; marked on the same photos undamaged: {100 * false_area / clean_area:.2f} %")


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
    args.add_argument("--threshold", type=float, default=0.5)
    args = args.parse_args()
    for path in args.scratch:
        measure_scratch(path, args.photos, args.threshold)
    for path in args.inpaint:
        measure_inpaint(path, args.photos)


if __name__ == "__main__":
    main()
