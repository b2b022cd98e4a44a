"""How far a result is from the double-precision one, and how far ours may be."""
from pathlib import Path

import numpy as np

import arrays

MODELS = ("model", "train", "decode", "image")


def contract(dtype, size):
    """The bound of a mixer's result; `size` is the largest of keys and biases."""
    return 1e-2 if dtype == "bf16" else 2e-6 + 3e-7 * size


def _largest(path):
    return float(np.abs(np.load(path, mmap_mode="r")).max())


def _difference(found, expected, scale):
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        raise ValueError(f"expected shape {expected.shape}, found {found.shape}")
    most = 0.0
    found, expected = found.reshape(-1), expected.reshape(-1)
    for start in range(0, found.size, 1 << 22):
        part = slice(start, start + (1 << 22))
        error = np.abs(found[part].astype(np.float64) - expected[part]).max()
        most = max(most, float(error)) if np.isfinite(error) else float("inf")
    return most / (scale or 1.0)


def _model_limits(spec):
    if spec["op"] != "train":
        return {"logits": 5e-2 if spec["dtype"] == "bf16" else 1e-4}
    # Later losses also depend on how an update rounds.
    return {"losses": 2e-2 if spec["dtype"] == "bf16" else 1e-3}


def errors(spec, folder, found):
    """{"error": e, "limit": l, "of": name} of the result that comes closest to its limit.

    `found` maps names to arrays; inputs are in `folder`, the truth in `folder`/truth.
    A mixer's result is measured relative to the largest of v, all else relative to
    its own largest with 50 times the bound.
    """
    folder, worst = Path(folder), None
    mixer = spec["op"] not in MODELS + ("matmul", "mlp")
    inputs = [] if spec["op"] in MODELS else list(arrays.operands(spec))
    for name in found:
        expected = np.load(folder / "truth" / f"{name}.npy", mmap_mode="r")
        if spec["op"] in MODELS:
            scale, limit = float(np.abs(expected).max()), _model_limits(spec)[name]
        else:
            sizes = [n for n in inputs if n != "dy" and not (mixer and n in ("q", "v"))]
            bound = contract(spec["dtype"], max(_largest(folder / f"{n}.npy") for n in sizes))
            own = mixer and name == "y"
            scale = _largest(folder / "v.npy") if own else float(np.abs(expected).max())
            limit = bound if own else 50 * bound
        error = _difference(found[name], expected, scale)
        if worst is None or error / limit > worst["error"] / worst["limit"]:
            worst = {"error": error, "limit": limit, "of": name}
    return worst


def read(spec, folder):
    """The results that aft-bench wrote to `folder`."""
    names = {"train": ["losses"]}.get(spec["op"], ["logits"] if spec["op"] in MODELS
                                      else arrays.results(spec))
    return {name: np.load(Path(folder) / f"{name}.npy", mmap_mode="r") for name in names}
