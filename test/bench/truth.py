"""The double-precision results that every worker is checked against."""
from pathlib import Path

import numpy as np
import torch

import arrays
import torch_ops
import torch_peer

MOST = 1 << 24   # elements of an operand that are computed at once


def _by_channels(spec, folder, form):
    """A forward pass in slices of channels, which do not depend on each other."""
    names = list(arrays.operands(spec))
    inputs = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in names]
    y = np.empty(inputs[0].shape)
    step = max(1, MOST // (inputs[0].size // spec["dim"]))
    for start in range(0, spec["dim"], step):
        part = [x[..., start:start + step] if n in ("q", "k", "v") else x
                for n, x in zip(names, inputs)]
        part = [torch.from_numpy(np.array(x)).double() for x in part]
        y[..., start:start + step] = form(spec, *part).numpy()
    return {"y": y}


def write(spec, folder):
    """Writes NAME.npy for every result to `folder`/truth."""
    folder = Path(folder)
    (folder / "truth").mkdir(exist_ok=True)
    if spec["op"] in ("train", "decode", "model", "image"):
        import torch_models
        found = torch_models.truth(spec, folder)
    else:
        form = torch_ops.candidates({**spec, "dtype": "f64"})[0]
        wide = spec["batch"] * spec["length"] * spec["dim"]
        if spec.get("pass") == "fwd" and wide > MOST and spec["op"] in ("local", "simple"):
            found = _by_channels(spec, folder, form)
        else:
            found = torch_peer.operation(spec, folder, form, lambda f: f, torch.float64)[1]()
    for name, value in found.items():
        np.save(folder / "truth" / f"{name}.npy", value)
