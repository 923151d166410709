"""Runs a second of a model by how many sessions work side by side and how many threads each of them has.

    python models/evaluation/sessions.py models/cutout.onnx [MORE.onnx ...]
"""
import argparse
import threading
import time
from pathlib import Path

import numpy as np
import onnxruntime

SECONDS = 6
SIDE = 320  # of models that take any


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def runs_a_second(path, count, threads):
    sessions = [session(path, threads) for _ in range(count)]
    taken = sessions[0].get_inputs()[0]
    shape = [d if isinstance(d, int) else SIDE if i > 1 else 1 for i, d in enumerate(taken.shape)]
    tensor = np.random.default_rng(0).random(shape, np.float32)
    runs = [0] * count
    for one in sessions:
        one.run(None, {taken.name: tensor})
    end = time.perf_counter() + SECONDS

    def work(i):
        while time.perf_counter() < end:
            sessions[i].run(None, {taken.name: tensor})
            runs[i] += 1

    workers = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(runs) / SECONDS


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("model", nargs="+")
    args = args.parse_args()
    ways = [(1, 1), (1, 2), (2, 1)]
    print("| model | " + " | ".join(f"{s} x {t}" for s, t in ways) + " |\n|" + "---|" * (len(ways) + 1))
    for path in args.model:
        cells = [f"{runs_a_second(path, s, t):.1f}" for s, t in ways]
        print(f"| {Path(path).stem} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
