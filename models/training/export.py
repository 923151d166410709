"""A checkpoint as ONNX: normalisation inside, weights stored as fp16, everything computed in fp32.

    python models/training/export.py --checkpoint RUN/last.pt --out RUN/cutout.onnx
"""
import argparse
import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from net import Cutout, WithNormalisation, count

OPSET = 17


def to_onnx(model, example, path, names, dynamic):
    """Trace to ONNX; `names` are (input, output), `dynamic` their free dimensions."""
    axes = {n: dynamic for n in names}
    torch.onnx.export(
        model, example, str(path), input_names=[names[0]], output_names=[names[1]],
        opset_version=OPSET, dynamo=False, dynamic_axes=axes,
    )


def halve(path):
    """Store large fp32 weights as fp16 behind a Cast: half the file, the same fp32 arithmetic."""
    model = onnx.load(str(path))
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 512:
            half = tensor.name + ".fp16"
            casts.append(helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT))
            graph.initializer.remove(tensor)
            graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), half))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def difference(path, model, example):
    """Largest difference between the file in ONNX Runtime and the PyTorch model."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    with torch.no_grad():
        expected = model(example).numpy()
    return float(np.abs(session.run(None, {name: example.numpy()})[0] - expected).max())


def publish(partial, target):
    """Atomic rename into place, and the facts that the manifest needs."""
    data = Path(partial).read_bytes()
    os.replace(partial, target)
    print(f"{target}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--checkpoint", required=True)
    args.add_argument("--side", type=int, default=320)
    args.add_argument("--out", required=True)
    args = args.parse_args()
    torch.set_num_threads(1)
    net = Cutout()
    net.load_state_dict(torch.load(args.checkpoint, map_location="cpu")["average"])
    model = WithNormalisation(net).eval()
    example = torch.rand(1, 3, args.side, args.side)
    partial = str(args.out) + ".part"
    to_onnx(model, example, partial, ("image", "matte"), {0: "n"})
    halve(partial)
    print("largest difference to PyTorch:", difference(partial, model, example))
    print("parameters (M), GMACs:", count(net, args.side))
    publish(partial, args.out)


if __name__ == "__main__":
    main()
