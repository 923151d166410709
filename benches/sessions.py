#!/usr/bin/env python3
"""Sessions and threads of a model: benches/sessions.py MODEL.onnx...

How many runs a second, and how much processor time each takes, by how many sessions work side by side, how many
threads each of them has, and whether threads spin while they wait.
"""

import argparse
import pathlib
import threading
import time

import numpy as np
import onnxruntime

import served

SECONDS = 6
SIDE = 320  # of models that take any
# Sessions, threads of each, whether they spin. One thread has nobody to wait for.
WAYS = [(1, 1, False), (1, 2, False), (1, 2, True), (2, 1, False), (2, 2, False), (2, 2, True)]


def session(path, threads, spins):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spins)))
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def measure(path, count, threads, spins):
    """Runs a second, and milliseconds of processor time of one."""
    sessions = [session(path, threads, spins) for _ in range(count)]
    taken = sessions[0].get_inputs()[0]
    shape = [d if isinstance(d, int) else SIDE if i > 1 else 1 for i, d in enumerate(taken.shape)]
    tensor = np.random.default_rng(0).random(shape, np.float32)
    runs = [0] * count
    for one in sessions:
        one.run(None, {taken.name: tensor})
    before, end = time.process_time(), time.perf_counter() + SECONDS

    def work(i):
        while time.perf_counter() < end:
            sessions[i].run(None, {taken.name: tensor})
            runs[i] += 1

    workers = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(runs) / SECONDS, 1000 * (time.process_time() - before) / sum(runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("model", nargs="+", type=pathlib.Path)
    given = parser.parse_args()
    names = [path.stem for path in given.model]
    rows = [["sessions", "threads of each", "spinning", *(f"{name}: a second | CPU ms" for name in names)]]
    for count, threads, spins in WAYS:
        measured = [measure(path, count, threads, spins) for path in given.model]
        rows.append([count, threads, "yes" if spins else "no", *(f"{rate:.1f} | {ms:.0f}" for rate, ms in measured)])
    # A model is two columns.
    served.publish("sessions", [" | ".join(map(str, row)).split(" | ") for row in rows], given.write)


if __name__ == "__main__":
    main()
