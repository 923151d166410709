"""Weights of an exported net back into a trainable one.

Export folds each normalisation into its convolution. Here they are taken apart again: the convolution
keeps the folded weights, and the normalisation gets the statistics measured on training pictures with
a scale and shift that undo it. The function is the same, and training behaves as if it had gone on.
"""
import onnx
import torch
import torch.nn as nn
from onnx import numpy_helper


def folded_convolutions(path):
    """(weight, bias) of each Conv node in graph order, in fp32."""
    graph = onnx.load(str(path)).graph
    values = {t.name: numpy_helper.to_array(t).astype("float32") for t in graph.initializer}
    for node in graph.node:  # fp16 weights are stored behind a Cast
        if node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    return [(values[n.input[1]], values[n.input[2]]) for n in graph.node if n.op_type == "Conv"]


def conv_order(net):
    """Convolutions in the order of use, without those that the smaller net does not have."""
    new = {id(m) for b in net.modules() if getattr(b, "is_new", False) for m in b.modules()}
    order, handles = [], []
    for m in net.modules():
        if isinstance(m, nn.Conv2d) and id(m) not in new:
            handles.append(m.register_forward_hook(lambda mod, i, o: order.append(mod)))
    net.eval()
    with torch.no_grad():
        net(torch.zeros(1, 3, 64, 64))
    for h in handles:
        h.remove()
    return order


def following_norms(net):
    """Which normalisation comes after which convolution."""
    pairs = {}
    for m in net.modules():
        if isinstance(m, nn.Sequential) and len(m) == 3 and isinstance(m[1], nn.BatchNorm2d):
            pairs[id(m[0])] = m[1]
        elif hasattr(m, "second") and hasattr(m, "norm"):
            pairs[id(m.second)] = m.norm
    return pairs


@torch.no_grad()
def load(net, path, batches):
    """Fill `net` from the ONNX file `path`; `batches` are normalised pictures to measure on."""
    order, norms = conv_order(net), following_norms(net)
    source = folded_convolutions(path)
    if len(source) != len(order):
        raise SystemExit(f"{path}: {len(source)} convolutions, the net has {len(order)}")
    for conv, (weight, bias) in zip(order, source):
        conv.weight.copy_(torch.from_numpy(weight.copy()))
        norm = norms.get(id(conv))
        if norm is None:
            conv.bias.copy_(torch.from_numpy(bias.copy()))
        else:
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
