"""The peers of PyTorch: eager, torch.compile (inductor), and a softmax Transformer."""
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import arrays
import torch_ops

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f64": torch.float64}


def load(folder, name, dtype):
    array = torch.from_numpy(np.load(Path(folder) / f"{name}.npy"))
    return array.to(torch.get_default_device(), dtype)


def plain(tensor):
    """As NumPy's, bf16 as f32."""
    dtype = torch.float32 if tensor.dtype == torch.bfloat16 else tensor.dtype
    return tensor.detach().to(dtype).cpu().numpy()


def compiled(function):
    return torch.compile(function, dynamic=False, fullgraph=True)


def operation(spec, folder, form, wrap, dtype=None):
    """(work, results) of one form of an operation."""
    dtype = dtype or DTYPES[spec["dtype"]]
    names = [name for name in arrays.operands(spec) if name != "dy"]
    inputs = [load(folder, name, dtype) for name in names]
    if spec.get("pass") != "fwdbwd":
        function = wrap(lambda *x: form(spec, *x))

        def forward():
            with torch.no_grad():
                return function(*inputs)
        return forward, lambda: {"y": plain(forward())}
    dy = load(folder, "dy", dtype)
    leaves = [x.requires_grad_() for x in inputs]
    function = wrap(lambda *x: form(spec, *x))

    def both():
        y = function(*leaves)
        return (y, *torch.autograd.grad(y, leaves, dy))
    return both, lambda: {n: plain(x) for n, x in zip(arrays.results(spec), both())}


def product(spec, folder):
    """A product into memory that is there already, as ours has it."""
    dtype = DTYPES[spec["dtype"]]
    a, b = (load(folder, name, dtype) for name in "ab")
    y = torch.empty(a.shape[0], b.shape[1], dtype=dtype)

    def work():
        with torch.no_grad():
            torch.mm(a, b, out=y)
    return work, lambda: work() or {"y": plain(y)}


def attention(spec, folder):
    """Causal softmax attention on the same q, k and v, in heads of 64 channels."""
    dtype, heads = DTYPES[spec["dtype"]], max(1, spec["dim"] // 64)
    q, k, v = (load(folder, name, dtype).unflatten(-1, (heads, -1)).transpose(1, 2)
               for name in "qkv")

    def work():
        with torch.no_grad():
            F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return work


def forms(spec, folder, peer):
    """[(name, make)]; make() gives (work, results)."""
    if peer == "inductor":
        # Else the forms of earlier rows count towards how often a function may be compiled.
        torch._dynamo.reset()
    if spec["op"] in ("train", "decode", "model", "image"):
        import torch_models
        return torch_models.forms(spec, folder, peer)
    if peer == "sdpa":
        return [("sdpa", lambda: (attention(spec, folder), None))]
    wrap = compiled if peer == "inductor" else (lambda function: function)
    found = [(form.__name__, lambda form=form: operation(spec, folder, form, wrap))
             for form in torch_ops.candidates(spec, peer == "inductor")]
    own = spec["dtype"] != "bf16" or torch_ops.has_bf16_products()
    if spec["op"] == "matmul" and peer == "eager" and spec["pass"] == "fwd" and own:
        found.append(("matmul_out", lambda: product(spec, folder)))
    return found
