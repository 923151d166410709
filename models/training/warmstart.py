"""Weights of an exported net back into a trainable one.

Export folds each normalisation into its convolution. Here they are taken apart again: the convolution
keeps the folded weights, and the normalisation gets the statistics measured on training pictures with
a scale and shift that undo it. The function is the same, and training behaves as if it had gone on.
"""
import onnx
import torch
import torch.nn as nn
from onnx import numpy_helper


def dequantised(values, scale, zero, axis):
    """Integers of a file in 8 bits as the numbers that they stand for; one scale, or one for each part along `axis`."""
    shape = [-1 if k == axis else 1 for k in range(values.ndim)] if scale.size > 1 else []
    return (values.astype("float32") - zero.reshape(shape)) * scale.reshape(shape)


def folded_convolutions(path):
    """(name, weight, bias) of each Conv node in graph order, in fp32."""
    graph = onnx.load(str(path)).graph
    values = {t.name: numpy_helper.to_array(t).astype("float32") for t in graph.initializer}
    for node in graph.node:  # what is stored in 16 or 8 bits has a node before it
        if node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            values[node.output[0]] = dequantised(*(values[name] for name in node.input), axis)
    return [(n.name, values[n.input[1]], values[n.input[2]]) for n in graph.node if n.op_type == "Conv"]


def by_name(net, names):
    """The convolutions that nodes of these names come from; none where one is of another net. What was quantised has lost its order."""
    modules, found = dict(net.named_modules()), []
    for name in names:  # /net/encode.1/encode.1.0/a/Conv is net.encode.1.0.a
        path = []
        for part in name.split("/")[1:-1]:
            path[-1:] = [part] if path and part.startswith(path[-1] + ".") else path[-1:] + [part]
        inside = modules.get(".".join(path), modules.get(".".join(path[1:])))  # the exported net may be part of another
        if not isinstance(inside, nn.Conv2d):
            return None
        found.append(inside)
    return found


def conv_order(net):
    """Convolutions in the order of use, without those that the smaller net does not have."""
    new = {id(m) for b in net.modules() if getattr(b, "is_new", False) for m in b.modules()}
    order, handles = [], []
    for m in net.modules():
        if isinstance(m, nn.Conv2d) and id(m) not in new:
            handles.append(m.register_forward_hook(lambda mod, i, o: order.append(mod)))
    with torch.no_grad():
        net(torch.zeros(1, 3, 64, 64))
    for h in handles:
        h.remove()
    return order


def following_norms(net):
    """Which normalisation comes after which convolution."""
    pairs = {}
    for m in net.modules():
        if isinstance(m, nn.Sequential) and len(m) > 1 and isinstance(m[0], nn.Conv2d) and isinstance(m[1], nn.BatchNorm2d):
            pairs[id(m[0])] = m[1]
        elif hasattr(m, "second") and hasattr(m, "norm"):
            pairs[id(m.second)] = m.norm
    return pairs


@torch.no_grad()
def load(net, path, batches):
    """Fill `net` from the ONNX file `path`; `batches` are normalised pictures to measure on."""
    net.eval()
    source, norms = folded_convolutions(path), following_norms(net)
    order = by_name(net, [name for name, *_ in source]) or conv_order(net)
    if len(source) != len(order):
        raise SystemExit(f"{path}: {len(source)} convolutions, the net has {len(order)}")
    for conv, (_, weight, bias) in zip(order, source):
        conv.weight.copy_(torch.from_numpy(weight.copy()))
        norm = norms.get(id(conv))
        if norm is None:
            conv.bias.copy_(torch.from_numpy(bias.copy()))
        else:
            if conv.bias is not None:
                conv.bias.zero_()
            norm.weight.fill_(1)
            norm.bias.copy_(torch.from_numpy(bias.copy()))
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
    sums = {}

    def hook(module, inputs):
        x = inputs[0].float()
        s = sums.setdefault(module, [0, 0.0, 0.0])
        s[0] += 1
        s[1] = s[1] + x.mean((0, 2, 3))
        s[2] = s[2] + (x * x).mean((0, 2, 3))

    known = [norms[id(c)] for c in order if id(c) in norms]
    fresh = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d) and m not in known]
    handles = [m.register_forward_pre_hook(hook) for m in known + fresh]
    for x in batches:
        net(x)
    for h in handles:
        h.remove()
    for m, (n, mean, square) in sums.items():
        mean, var = mean / n, (square / n - (mean / n) ** 2).clamp_min(1e-6)
        m.running_mean.copy_(mean)
        m.running_var.copy_(var)
        if m in known:
            m.bias.add_(mean)
            m.weight.copy_((var + m.eps).sqrt())
    return len(order)
