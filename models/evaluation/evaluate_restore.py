"""Measure restoration models (ONNX files) on clean pictures with made damage: RGB PSNR in dB.

    python models/evaluation/evaluate_restore.py --model ../shared/models/restore-bootstrap.onnx --limit 12
"""
import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime


def jpeg(quality):
    def apply(picture, _):
        data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    return apply


def noise(sigma, lightness=0):
    """Of each channel by itself, and of all alike, as most of a photo's is."""

    def apply(picture, chance):
        noisy = picture + chance.normal(0, sigma, picture.shape)
        if lightness:
            noisy += chance.normal(0, lightness, (*picture.shape[:2], 1))
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return apply


MULTIPLE = 8  # sides that every model accepts
ROWS = {"sigma 10": noise(10), "sigma 25": noise(25), "lightness 12, colour 6": noise(6, 12), "JPEG 20": jpeg(20), "JPEG 40": jpeg(40), "clean": lambda p, _: p}


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", action="append", required=True)
    args.add_argument("--pictures", default="../shared/data/eval/restore-kodak")
    args.add_argument("--limit", type=int, default=0)
    args.add_argument("--threads", type=int, default=1)
    args = args.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    files = sorted(Path(args.pictures).iterdir())[: args.limit or None]
    print("| model | damage | n | before | after |\n|---|---|---|---|---|")
    for path in args.model:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        seconds = pixels = 0
        for name, apply in ROWS.items():
            chance = np.random.default_rng(5)
            before, after = [], []
            for f in files:
                clean = cv2.cvtColor(cv2.imread(str(f), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
                bad = apply(clean, chance)
                h, w = bad.shape[:2]
                whole = np.pad(bad, ((0, -h % MULTIPLE), (0, -w % MULTIPLE), (0, 0)), "reflect")
                start = time.perf_counter()
                y = session.run(None, {session.get_inputs()[0].name: whole.transpose(2, 0, 1)[None].astype(np.float32) / 255})[0][0]
                seconds, pixels = seconds + time.perf_counter() - start, pixels + h * w
                y = np.rint(np.clip(y, 0, 1).transpose(1, 2, 0) * 255)[:h, :w]
                before.append(psnr(bad, clean))
                after.append(psnr(y, clean))
            print(f"| {Path(path).stem} | {name} | {len(files)} | {np.mean(before):.2f} | {np.mean(after):.2f} |", flush=True)
        print(f"{Path(path).stem}: {pixels / seconds / 1e6:.2f} MP/s, {args.threads} thread(s)")


if __name__ == "__main__":
    main()
