"""Measure upscaling models (ONNX files) on reduced pictures, beside Lanczos: PSNR in dB of RGB and of Y.

The pictures are reduced by Pillow's antialiased bicubic filter; a border of `scale` pixels is not counted.

    python models/evaluation/evaluate_upscale.py --scale 2 --model models/upscale2.onnx
"""
import argparse
import time
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

LUMA = np.array([65.481, 128.553, 24.966]) / 255  # BT.601, as is customary in super-resolution


def psnr(a, b):
    return float(10 * np.log10(255**2 / np.mean((a - b) ** 2)))


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", action="append", required=True)
    args.add_argument("--scale", type=int, required=True)
    args.add_argument("--pictures", default="../shared/data/eval/restore-set14")
    args = args.parse_args()
    names = [Path(p).stem for p in args.model]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # several wait for each other by spinning, which would count as processor time
    sessions = [onnxruntime.InferenceSession(p, options, providers=["CPUExecutionProvider"]) for p in args.model]
    rows = {name: [] for name in ("bicubic", "lanczos", *names)}
    seconds, pixels, k = dict.fromkeys(names, 0.0), 0, args.scale
    for path in sorted(Path(args.pictures).iterdir()):
        picture = Image.open(path).convert("RGB")
        size = picture.size[0] // k, picture.size[1] // k
        full = size[0] * k, size[1] * k
        picture = picture.crop((0, 0, *full))
        small = picture.resize(size, Image.BICUBIC)
        results = {"bicubic": small.resize(full, Image.BICUBIC), "lanczos": small.resize(full, Image.LANCZOS)}
        for name, session in zip(names, sessions):
            x = np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 255
            start = time.process_time()
            y = session.run(None, {session.get_inputs()[0].name: x})[0][0]
            seconds[name] += time.process_time() - start
            results[name] = np.rint(np.clip(y, 0, 1).transpose(1, 2, 0) * 255)
        pixels += size[0] * size[1]
        inner = slice(k, -k)
        truth = np.asarray(picture, np.float64)[inner, inner]
        for name, result in results.items():
            result = np.asarray(result, np.float64)[inner, inner]
            rows[name].append((psnr(result, truth), psnr(result @ LUMA, truth @ LUMA)))
    print(f"x{k}, {len(rows['lanczos'])} pictures\n| | RGB | Y |\n|---|---|---|")
    for name, values in rows.items():
        print("| {} | {:.2f} | {:.2f} |".format(name, *np.mean(values, 0)))
    for name in names:
        print(f"{name}: {seconds[name] / pixels * 1e6:.2f} s of processor time per megapixel of input")


if __name__ == "__main__":
    main()
