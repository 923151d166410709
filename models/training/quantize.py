"""An exported net with 8-bit arithmetic where that costs next to nothing: a third to a half of the time.

    python models/training/quantize.py restore --model RUN/restore.onnx --out models/restore.onnx

Weights are stored in 8 bits per output channel (7 of them used, so that processors without VNNI do not
saturate), activations in 8 bits with ranges from pictures as they are trained on. What a task names stays in
floating point: the first and last layers, where a level is a level of the picture.
"""
import argparse
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Callable

import cv2
import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

import sets
from export import halve, publish
from pictures import PHOTOS, draw, photos
from restore_net import FLOATING

SEED = 11
# Of the values of an activation, those beyond are clipped: a few large ones would cost all others their precision.
PERCENTILE = 99.99


def cutout(chance, root, licensed_only):
    """Whole pictures of all kinds of subjects, at the net's own side; none of those that are held out."""
    for chosen in sets.chosen(licensed_only):
        files = sets.pictures(root / chosen.name, chosen.labelled)[chosen.hold_out :]
        for k in chance.choice(len(files), 10, replace=False):
            rgb = cv2.cvtColor(cv2.imread(str(files[k]), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            yield planes(cv2.resize(rgb, (320, 320), interpolation=cv2.INTER_AREA))


def restore(chance, root, _):
    from train_restore import reduced, sample

    pictures = reduced(root / "clean-photos", 320)
    for _ in range(40):
        yield planes(sample(chance, pictures, 256)[0])


def scratch(chance, root, licensed_only):
    from scratches import MAPS, PAPER, maps, papers
    from train_scratch import grounds, sample

    pictures, found, sheets = grounds(root / "clean-photos", licensed_only, 256), maps(root / Path(MAPS).name), papers(root / Path(PAPER).name)
    for _ in range(60):
        yield planes(sample(chance, pictures, 256, found, sheets, 1.0)[0])


def inpaint(chance, root, _):
    from scratches import maps
    from train_inpaint import sample

    pictures, found = photos(root / "clean-photos", (1.0, 0.5), 320), maps(root / "film-damage")
    for _ in range(40):
        patch, hole = sample(chance, pictures, 256, found)
        mask = planes(hole[..., None])
        yield np.concatenate([planes(patch) * (1 - mask), mask], 1)


def upscale(scale):
    def batches(chance, root, _):
        from train_upscale import reduced

        pictures = photos(root / "clean-photos", (1.0, 0.7), 96 * scale)
        for _ in range(40):
            yield planes(reduced(chance, draw(chance, pictures, 96 * scale), scale)[0])

    return batches


@dataclass
class Task:
    batches: Callable
    # Names of layers that stay as they are; `first` and `last` are those of the graph.
    keep: tuple
    # Which operators; all where None. Where layers add a little to a picture, the sums stay as they are.
    operators: tuple | None = ("Conv", "Relu")
    method: CalibrationMethod = CalibrationMethod.Percentile


TASKS = {
    "cutout": Task(cutout, ("first", "*refine.3/second*", "last"), None, CalibrationMethod.MinMax),
    "restore": Task(restore, tuple(f"/{name}/*" for name in FLOATING)),
    "scratch": Task(scratch, ("first", "last")),
    "inpaint": Task(inpaint, ("first", "last")),
    "upscale2": Task(upscale(2), ("first", "last")),
    "upscale4": Task(upscale(4), ("first", "last")),
}


def planes(picture):
    return picture.transpose(2, 0, 1)[None].astype(np.float32) / 255


class Reader(CalibrationDataReader):
    def __init__(self, task, name, root, licensed_only):
        self.batches = ({name: batch} for batch in task.batches(np.random.default_rng(SEED), root, licensed_only))

    def get_next(self):
        return next(self.batches, None)


def folded(path, target):
    """The graph with what is constant worked out: weights stored in 16 bits become 32."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def kept(graph, patterns):
    """The names of the convolutions that stay in floating point."""
    names = [node.name for node in graph.node if node.op_type == "Conv"]
    ends = {"first": names[0], "last": names[-1]}
    return [n for n in names if any(fnmatch(n, ends.get(p, p)) for p in patterns)]


def keep_sums(path):
    """What adds to a picture or a branch, and what stays in floating point, takes what was there before it was rounded for a convolution."""
    model = onnx.load(path)
    nodes = model.graph.node
    makers = {name: node for node in nodes for name in node.output}

    def is_made_by(name, operator):
        return name in makers and makers[name].op_type == operator

    eight = {n.output[0] for n in nodes if n.op_type == "Conv" and all(is_made_by(name, "DequantizeLinear") for name in n.input[:2])}
    exact = {}
    for node in nodes:
        if node.op_type == "DequantizeLinear" and is_made_by(node.input[0], "QuantizeLinear"):
            source = makers[node.input[0]].input[0]
            if source not in eight:
                exact[node.output[0]] = source
    for node in nodes:
        if node.output[0] not in eight and node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            for i, name in enumerate(node.input):
                node.input[i] = exact.get(name, name)
    onnx.save(model, path)


def quantise(task, model, out, root, licensed_only):
    with tempfile.TemporaryDirectory() as folder:
        plain, partial = Path(folder) / "plain.onnx", f"{out}.part"
        folded(model, plain)
        graph = onnx.load(plain).graph
        quantize_static(
            plain, partial, Reader(task, graph.input[0].name, root, licensed_only), quant_format=QuantFormat.QDQ, per_channel=True,
            reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            op_types_to_quantize=task.operators, calibrate_method=task.method, nodes_to_exclude=kept(graph, task.keep),
            extra_options={"CalibPercentile": PERCENTILE, "CalibTensorRangeSymmetric": False},
        )
        if task.operators:
            keep_sums(partial)
        halve(partial)
        publish(partial, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--model", required=True, help="an exported net")
    parser.add_argument("--out", required=True)
    parser.add_argument("--data", default=str(Path(PHOTOS).parent), help="the training sets")
    parser.add_argument("--licensed-only", action="store_true", help="no pictures without a stated licence")
    args = parser.parse_args()
    quantise(TASKS[args.task], args.model, args.out, Path(args.data), args.licensed_only)


if __name__ == "__main__":
    main()
