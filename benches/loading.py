#!/usr/bin/env python3
"""What storing optimised graphs would save: benches/loading.py MODEL.onnx...

Processor time and memory of one more session of each model, from its file as it is and from its graph as ONNX
Runtime's portable optimisations leave it. Both have to give the same answer to the bit.
"""

import argparse
import multiprocessing
import os
import pathlib
import statistics
import tempfile
import time

import numpy as np
import onnxruntime

import served

LEVEL = onnxruntime.GraphOptimizationLevel
TIMES = 7
SIDE = 256  # of models that take any


def session(data, level=LEVEL.ORT_ENABLE_ALL, store=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.graph_optimization_level = level
    options.log_severity_level = 3  # it warns of each graph that is stored
    if store:
        options.optimized_model_filepath = str(store)
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def resident():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def load(data):
    """Milliseconds, MiB, and the answer to noise."""
    kept, times, sizes = [session(data)], [], []
    for _ in range(TIMES):
        size, begin = resident(), time.process_time()
        kept.append(session(data))
        times.append(1000 * (time.process_time() - begin))
        sizes.append(resident() - size)
    taken = kept[0].get_inputs()[0]
    shape = [d if isinstance(d, int) else SIDE if i > 1 else 1 for i, d in enumerate(taken.shape)]
    noise = np.random.default_rng(0).random(shape, np.float32)
    return statistics.median(times), statistics.median(sizes), kept[0].run(None, {taken.name: noise})[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("model", nargs="+", type=pathlib.Path)
    given = parser.parse_args()
    rows = [["model", "as it is: CPU ms", "MiB", "stored: CPU ms", "MiB"]]
    # A process for each: memory that an earlier session has left would be taken again unseen.
    processes = multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1)
    with tempfile.TemporaryDirectory() as folder, processes:
        stored = pathlib.Path(folder) / "stored.onnx"
        for path in given.model:
            session(path.read_bytes(), LEVEL.ORT_ENABLE_EXTENDED, stored)
            plain, other = (processes.apply(load, (file.read_bytes(),)) for file in (path, stored))
            if not np.array_equal(plain[2], other[2]):
                raise SystemExit(f"{path}: the stored graph answers otherwise")
            rows.append([f"`{path.stem}`", *(f"{x:.0f}" for x in (*plain[:2], *other[:2]))])
    served.publish("loading", rows, given.write)


if __name__ == "__main__":
    main()
