"""Inputs of the cases: random, the same in every run, as .npy files of f32."""
import zlib

import numpy as np

GATES = ("gamma", "beta")


def to_bf16(x):
    """Rounds f32 numbers to bf16, to nearest and even, and keeps them in f32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return bits.astype(np.uint32).view(np.float32)


def _round(spec, x):
    x = np.asarray(x, np.float32)
    return to_bf16(x) if spec["dtype"] == "bf16" else x


def _bias_shape(spec):
    op, length = spec["op"], spec["length"]
    if op == "full":
        return (length, length)
    if op == "local":
        return (length, spec["window"] if spec.get("causal") else 2 * spec["window"] - 1)
    if op == "conv":
        return (spec["heads"],) + (spec["window"],) * (2 if spec.get("grid") else 1)
    return None


def operands(spec):
    """Names and shapes of an operation's inputs, in order."""
    batch, length, dim = spec["batch"], spec["length"], spec["dim"]
    rows, wide = (batch * length, dim), (batch, length, dim)
    if spec["op"] == "matmul":
        shapes = {"a": rows, "b": (dim, dim)}
    elif spec["op"] == "mlp":
        shapes = {"a": rows, "w": (dim, 4 * dim), "bias": (4 * dim,)}
    else:
        shapes = {"q": wide, "k": (batch, length, spec.get("heads", dim)), "v": wide}
        if _bias_shape(spec):
            shapes["w"] = _bias_shape(spec)
    if spec.get("pass") == "fwdbwd":
        shapes["dy"] = rows if spec["op"] == "matmul" else wide
    return shapes


def results(spec):
    """Names of an operation's results, in order."""
    if spec.get("pass") != "fwdbwd":
        return ["y"]
    return ["y"] + ["d" + name for name in operands(spec) if name != "dy"]


def _linear(draw, name, rows, columns, weights):
    bound = columns ** -0.5
    weights[name + ".weight"] = draw.uniform(-bound, bound, (rows, columns))
    weights[name + ".bias"] = draw.uniform(-bound, bound, rows)


def _norm(draw, name, dim, weights):
    weights[name + ".weight"] = 1 + 0.1 * draw.standard_normal(dim)
    weights[name + ".bias"] = 0.1 * draw.standard_normal(dim)


def _block(draw, name, spec, positions, weights):
    dim, mixer = spec["dim"], name + ".mixer"
    keys = spec["heads"] if spec["mixer"] == "conv" else dim
    for part, rows in (("query", dim), ("key", keys), ("value", dim), ("output", dim)):
        _linear(draw, f"{mixer}.{part}", rows, dim, weights)
    if spec["mixer"] in ("full", "local"):
        for factor in "uv":
            weights[f"{mixer}.{factor}"] = 0.1 * draw.standard_normal((positions, spec["rank"]))
    if spec["mixer"] == "conv":
        shape = (keys, spec["window"], spec["window"])
        weights[mixer + ".filter"] = draw.standard_normal(shape)
        for gate in GATES:
            weights[f"{mixer}.{gate}"] = 0.5 * draw.standard_normal(keys)
    _norm(draw, name + ".norm1", dim, weights)
    _norm(draw, name + ".norm2", dim, weights)
    _linear(draw, name + ".up", 4 * dim, dim, weights)
    _linear(draw, name + ".down", dim, 4 * dim, weights)


def weights_of(spec, draw):
    """The parameters of a model, named as LibTorch names them (aft/nn.h)."""
    dim, weights = spec["dim"], {}
    if spec["op"] == "image":
        positions = (spec["image"] // 16) ** 2 + (spec["mixer"] == "full")
        _linear(draw, "embed", dim, 768, weights)
        if spec["mixer"] == "full":
            weights["classToken"] = 0.02 * draw.standard_normal((1, 1, dim))
            weights["positions"] = 0.02 * draw.standard_normal((positions, dim))
    else:
        positions = max(spec["length"], 64)
        weights["tokens.weight"] = 0.02 * draw.standard_normal((spec["vocab"], dim))
        weights["positions"] = 0.02 * draw.standard_normal((positions, dim))
    for layer in range(spec["layers"]):
        _block(draw, f"blocks.{layer}", spec, positions, weights)
    _norm(draw, "norm", dim, weights)
    _linear(draw, "head", spec["vocab"], dim, weights)
    return weights


def make(spec, folder):
    """Writes the inputs of a case to NAME.npy files in `folder`."""
    draw = np.random.default_rng(zlib.crc32(repr(sorted(spec.items())).encode()))
    if spec["op"] not in ("train", "decode", "model", "image"):
        for name, shape in operands(spec).items():
            np.save(folder / f"{name}.npy", _round(spec, draw.standard_normal(shape, np.float32)))
        return
    for name, value in weights_of(spec, draw).items():
        np.save(folder / f"{name}.npy", _round(spec, value))
    if spec["op"] == "image":
        shape = (spec["batch"], 3, spec["image"], spec["image"])
        np.save(folder / "images.npy", _round(spec, draw.standard_normal(shape, np.float32)))
    else:
        length = spec["length"] + (spec["op"] == "train")
        np.save(folder / "ids.npy", draw.integers(0, spec["vocab"], (spec["batch"], length)))
