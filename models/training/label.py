"""Teacher mattes for pictures, one grey PNG each; what is there already is kept (resumable).

The teacher is U2-Netp at 320 px. Labelling costs about half a second per picture and core, so it
is a step of its own and its results are reused by every training run.
"""
import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

import sets

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
SIDE = 320


def open_teacher(path, threads=1):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def matte(session, rgb):
    """Teacher matte (320 x 320, 0..1), stretched to its full range as its authors do."""
    x = cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    x = (x / max(float(x.max()), 1.0) - MEAN) / STD
    name = session.get_inputs()[0].name
    y = session.run([session.get_outputs()[0].name], {name: x.transpose(2, 0, 1)[None]})[0][0, 0]
    low, high = float(y.min()), float(y.max())
    return (y - low) / max(high - low, 1e-6)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--data", default="../shared/data/train")
    args.add_argument("--teacher", default="../shared/models/u2netp.onnx")
    args.add_argument("--cache", required=True)
    args.add_argument("--workers", type=int, default=2)
    args.add_argument("--licensed-only", action="store_true")
    args.add_argument("--all", action="store_true", help="label the sets with masks as well")
    args = args.parse_args()
    todo = []
    grounds = sets.Set(sets.BACKGROUNDS, "", 0, False)  # to know which parts show no subject
    for s in [*sets.chosen(args.licensed_only), grounds]:
        if s.labelled and not (s.check or args.all):
            continue
        out = Path(args.cache) / "teacher" / s.name
        out.mkdir(parents=True, exist_ok=True)
        for p in sets.pictures(sets.folder(args.data, s), s.labelled):
            if not (out / (p.stem + ".png")).exists():
                todo.append((p, out / (p.stem + ".png")))
    print("to label:", len(todo), flush=True)
    cv2.setNumThreads(1)
    sessions = [open_teacher(args.teacher) for _ in range(args.workers)]

    def work(k):
        for n, (p, target) in enumerate(todo[k :: args.workers]):
            rgb = cv2.cvtColor(cv2.imread(str(p), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            y = np.rint(matte(sessions[k], rgb) * 255).astype(np.uint8)
            partial = target.with_suffix(".part.png")
            cv2.imwrite(str(partial), y)
            partial.rename(target)  # a stop in the middle leaves no half file
            if n % 100 == 0:
                print(k, n, target.name, flush=True)

    with ThreadPoolExecutor(args.workers) as pool:
        list(pool.map(work, range(args.workers)))


if __name__ == "__main__":
    main()
