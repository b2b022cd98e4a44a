"""Runs aft-run on many mixers and compares with oracle.py and the accuracy contract.

usage: check_mixers.py AFT-RUN [--reference]
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

import oracle

RUN, EXTRA = sys.argv[1], sys.argv[2:]
rng = np.random.default_rng(7)


def type_of(a, dtype, dynamic):
    dims = list(a.shape)
    if dynamic:
        for i in dynamic:
            if i < len(dims):
                dims[i] = "?"
    return "tensor<" + "".join(f"{d}x" for d in dims) + dtype + ">"


def tolerance(dtype, k, w):
    finite = [np.abs(a[np.isfinite(a)]).max(initial=0) for a in (k, w) if a is not None]
    size = max(finite)
    return {"f32": 2e-6 + 3e-7 * size, "bf16": 1e-2, "f64": 1e-12 + 1e-15 * size}[dtype]


def run(name, op, attrs, arrays, expected, k, w, v, dtype, dynamic=False, lengths=None):
    with tempfile.TemporaryDirectory() as folder:
        types, inputs = [], []
        for i, a in enumerate(arrays):
            file = os.path.join(folder, f"{i}.npy")
            np.save(file, a.astype(np.float64 if dtype == "f64" else np.float32))
            inputs.append("--input=" + file)
            types.append(type_of(a, dtype, (0, 1) if dynamic and a.ndim == 3 and i < 3 else
                                 (0,) if dynamic and op == "local" else
                                 (0, 1) if dynamic and op == "full" else ()))
        names = [f"%a{i}" for i in range(len(arrays))]
        clause = ""
        arguments = [f"{n}: {t}" for n, t in zip(names, types)]
        if lengths is not None:
            file = os.path.join(folder, "n.npy")
            np.save(file, np.array(lengths, np.int32))
            inputs.append("--input=" + file)
            n = "tensor<?xi32>" if dynamic else f"tensor<{len(lengths)}xi32>"
            arguments.append(f"%n: {n}")
            clause = " lengths(%n)"
            types.append(n)
        program = (f"func.func @main({', '.join(arguments)}) -> {types[0]} {{\n"
                   f"  %y = aft.{op} {', '.join(names)}{clause} {attrs} : "
                   f"({', '.join(types)}) -> {types[0]}\n  return %y : {types[0]}\n}}\n")
        source, output = os.path.join(folder, "m.mlir"), os.path.join(folder, "y.npy")
        open(source, "w").write(program)
        done = subprocess.run([RUN, source, *inputs, "--output=" + output, *EXTRA],
                              capture_output=True, text=True)
        if done.returncode:
            print(f"FAIL {name}: exit {done.returncode}: {done.stderr.strip()[:400]}")
            return False
        y = np.load(output).astype(np.float64)
    scale = np.abs(v[np.isfinite(v)]).max(initial=0) or 1
    same = np.isnan(y) == np.isnan(expected)
    with np.errstate(invalid="ignore"):
        error = np.nanmax(np.abs(y - expected), initial=0) / scale
    limit = tolerance(dtype, k, w)
    good = bool(same.all()) and error <= limit
    print(f"{'ok  ' if good else 'FAIL'} {name}: error {error:.2e}, limit {limit:.2e}"
          + ("" if same.all() else ", NaNs differ"))
    return good


def case(op, B, T, d, dtype="f32", scale=1.0, causal=False, lengths=None, gate="sigmoid",
         window=4, heads=None, grid=(), taps=3, S=None, edit=None, dynamic=False, perBatch=False):
    S = S or T
    q, v = rng.normal(size=(B, T, d)), rng.normal(size=(B, S, d))
    k = rng.normal(size=(B, S, heads or d)) * scale
    w = None
    attrs = ("causal " if causal else "") + (f"gate = {gate}" if gate != "sigmoid" else "")
    if op == "full":
        w = rng.normal(size=(B, T, S) if perBatch else (T, S)) * scale
    elif op == "local":
        w = rng.normal(size=(T, window if causal else 2 * window - 1)) * scale
        attrs = f"window = {window} " + attrs
    elif op == "conv":
        w = rng.normal(size=(heads,) + (taps,) * max(1, len(grid))) * scale
        attrs = (f"grid = {list(grid)} " if grid else "") + attrs
    if edit:
        edit(q, k, v, w)
    arrays = [q, k, v] + ([w] if w is not None else [])
    if dtype == "bf16":
        arrays = [oracle.bf16(a) for a in arrays]
    elif dtype == "f32":
        arrays = [a.astype(np.float32).astype(np.float64) for a in arrays]
    extra = {"local": dict(window=window), "conv": dict(grid=grid)}.get(op, {})
    expected = getattr(oracle, op)(*arrays, causal=causal, lengths=lengths, gate=gate, **extra)
    name = (f"{op} B{B} T{T} S{S} d{d} {dtype} scale {scale:g}" + (" causal" if causal else "") +
            (f" lengths {lengths}" if lengths is not None else "") + f" {gate}" +
            (f" window {window}" if op == "local" else "") +
            (f" heads {heads} grid {grid} taps {taps}" if op == "conv" else "") +
            (f" {edit.__name__}" if edit else "") + (" dynamic" if dynamic else "") +
            (" per batch" if perBatch else ""))
    return run(name, op, attrs, arrays, expected, arrays[1], arrays[3] if w is not None else None,
               arrays[2], dtype, dynamic, lengths)


def opposed(q, k, v, w):
    k[:] = 0
    k[:, 1::2] = 300
    if w is not None and w.ndim == 2:
        w[:] = 300
        w[:, 1::2] = 0


def hidden_bias(q, k, v, w):
    w[..., ::3] = -np.inf


def hidden_row(q, k, v, w):
    w[1] = -np.inf


def hidden_key(q, k, v, w):
    k[:, 1, ::2] = -np.inf


def nan_key(q, k, v, w):
    k[0, k.shape[1] // 2, 1] = np.nan


def nan_value(q, k, v, w):
    v[0, v.shape[1] // 2, 1] = np.nan
    v[0, v.shape[1] // 2 + 3, 2] = np.inf


def large_key(q, k, v, w):
    """Moderate numbers but for one key and one bias."""
    k[:, k.shape[1] // 2, ::3] = 500
    if w is not None:
        w[w.shape[0] // 3, 1] = 200


def rising(q, k, v, w):
    k[:] += np.linspace(0, 5000, k.shape[1])[None, :, None]


def falling(q, k, v, w):
    k[:] -= np.linspace(0, 5000, k.shape[1])[None, :, None]


def far_key(q, k, v, w):
    oracle.one_far_key(k, w)


def wide_rows(q, k, v, w):
    w *= np.linspace(0, 200, len(w))[:, None] / np.ptp(w, axis=1, keepdims=True)


def extremes(q, k, v, w):
    for a in (k, w):
        a[:] = rng.choice([-1e4, 1e4], size=a.shape)


def hidden_giant(q, k, v, w):
    k[:, 5] = 500
    w[::2, 5] = -np.inf


def hidden_nan(q, k, v, w):
    v[0, 4, 1] = np.nan
    w[1::2, 4] = -np.inf


def at_the_ends(k, w):
    """Of what products of exponentials are taken for: weights far above and below those around."""
    k[:] = np.minimum(np.arange(k.shape[1]), 19)[:, None]
    if w is not None:
        w[:] = 19
        w[:, ::3] = -19


def large_values(q, k, v, w):
    at_the_ends(k, w)
    v *= 1e35


def small_values(q, k, v, w):
    at_the_ends(k, w)
    v *= 1e-13


def blocks_in_turns(value):
    """A bias in every other block of queries that does not go by products."""
    def edit(q, k, v, w):
        w[48::96, -1] = value
    edit.__name__ = f"blocks in turns {value}"
    return edit


def hidden_top(q, k, v, w):
    """A key far above all others in a window, hidden from a few queries when most of them have left."""
    k[:], w[:] = 0, 0
    k[:, 140] = 100
    for t in range(192, 200):
        w[t, w.shape[1] - 1 + 140 - t] = -100


def hidden_start(q, k, v, w):
    """Keys far above all others from the first on, hidden from a few queries before any has left."""
    k[:], w[:] = 0, 0
    k[:, :73] = 100
    for t in (32, 33, 36):
        for key in range(73):
            w[t, w.shape[1] // 2 + key - t] = -200


def alike(q, k, v, w):
    """Keys and values that are all about the same."""
    k[:], w[:] = 0, 0
    v[:] = np.linspace(1, 2, v.shape[2])


def rare(q, k, v, w):
    w[rng.random(w.shape) < 0.003] = -np.inf


def turns(k, w, size):
    """Keys and biases that are large in turns."""
    k[:], w[:] = 0, 0
    k[:, ::2] = size
    w[:, 1::2] = size


def large_turns(q, k, v, w):
    turns(k, w, 55)
    v *= 1e35


def small_turns(q, k, v, w):
    turns(k, w, 55)
    v *= 1e-20


def smallest_values(q, k, v, w):
    turns(k, w, 190)
    v *= 1e-280


def wide_filter(q, k, v, w):
    """Too wide a range for products of exponentials, in some of the heads."""
    w[1::2] *= 50
    k *= 20


def execute(name, program, arrays):
    with tempfile.TemporaryDirectory() as folder:
        source, output = os.path.join(folder, "m.mlir"), os.path.join(folder, "y.npy")
        open(source, "w").write(program)
        inputs = []
        for i, a in enumerate(arrays):
            np.save(os.path.join(folder, f"{i}.npy"), a)
            inputs.append("--input=" + os.path.join(folder, f"{i}.npy"))
        done = subprocess.run([RUN, source, *inputs, "--output=" + output, *EXTRA],
                              capture_output=True, text=True)
        if done.returncode:
            print(f"FAIL {name}: exit {done.returncode}: {done.stderr.strip()[:400]}")
            return None
        return np.load(output)


def hidden_pairs():
    """What a bias says of a key that the length of an entry hides does not matter, bit for bit."""
    arrays = [rng.normal(size=(2, 256, 16)).astype(np.float32) for _ in "qkv"]
    arrays += [rng.normal(size=(256, 256)).astype(np.float32), np.array([256, 10], np.int32)]
    types = [type_of(a, "f32", ()) for a in arrays[:4]] + ["tensor<2xi32>"]
    arguments = ", ".join(f"%a{i}: {t}" for i, t in enumerate(types))
    program = (f"func.func @main({arguments}) -> {types[0]} {{\n"
               f"  %y = aft.full %a0, %a1, %a2, %a3 lengths(%a4) causal : ({', '.join(types)}) -> {types[0]}\n"
               f"  return %y : {types[0]}\n}}\n")
    found = [execute("hidden pairs", program, arrays)]
    arrays[3][82, 40] = np.nan
    found.append(execute("hidden pairs", program, arrays))
    good = all(y is not None for y in found) and \
        bool((found[0][1].view(np.uint32) == found[1][1].view(np.uint32)).all())
    print(f"{'ok  ' if good else 'FAIL'} hidden pairs")
    return good


def causality(op, T, t, d, change, window=0):
    """Whatever comes after position t, the bits of the outputs up to t are the same."""
    arrays = [rng.normal(size=(2, T, d)).astype(np.float32) for _ in "qkv"]
    if window:
        arrays.append(rng.normal(size=(T, window)).astype(np.float32))
    types = [type_of(a, "f32", (0, 1) if a.ndim == 3 else (0,)) for a in arrays]
    names = [f"%a{i}" for i in range(len(arrays))]
    attrs = (f"window = {window} " if window else "") + "causal"
    arguments = ", ".join(f"{n}: {t}" for n, t in zip(names, types))
    program = (f"func.func @main({arguments}) -> {types[0]} {{\n  %y = aft.{op} {', '.join(names)} "
               f"{attrs} : ({', '.join(types)}) -> {types[0]}\n  return %y : {types[0]}\n}}\n")
    found = []
    for _ in range(2):
        found.append(execute(f"causality {op}", program, arrays))
        if found[-1] is None:
            return False
        for a in arrays:
            if a.ndim == 3:
                a[:, t + 1:] = rng.normal(size=a[:, t + 1:].shape)
        change(arrays[1][:, t + 1:], arrays[2][:, t + 1:])
        if window:
            later = arrays[3][t + 1:]
            later[:] = rng.choice([0, 1, 21, -np.inf], later.shape)
    found = [y[:, :t + 1] for y in found]
    good = bool((found[0].view(np.uint32) == found[1].view(np.uint32)).all())
    print(f"{'ok  ' if good else 'FAIL'} causality {op} T{T} t{t} d{d} {change.__name__}"
          + (f" window {window}" if window else ""))
    return good


def moderate(k, v):
    pass


def much_larger(k, v):
    k += 500


def no_numbers(k, v):
    k[:, ::2] = np.nan
    v[:] = np.inf


results = []
for dtype in ("f32", "f64", "bf16"):
    for op, extra in (("full", {}), ("local", {}), ("simple", {}),
                      ("conv", dict(heads=4)), ("conv", dict(heads=8, grid=(3, 5)))):
        for causal in (False, True):
            if causal and extra.get("grid"):
                continue
            T = 15 if extra.get("grid") else 17
            results.append(case(op, 2, T, 8, dtype, causal=causal, **extra))
            results.append(case(op, 2, T, 8, dtype, causal=causal, scale=1e3 if dtype != "bf16"
                                else 10, **extra))
for op, extra in (("full", {}), ("local", {}), ("simple", {}), ("conv", dict(heads=4))):
    for causal in (False, True):
        case_ = lambda *a, **b: results.append(case(op, *a, causal=causal, **extra, **b))
        case_(1, 1, 4)
        case_(3, 37, 20, lengths=[0, 1, 20])
        case_(2, 131, 72, scale=1e4)
        case_(2, 64, 16, gate="tanh")
        case_(2, 33, 16, gate="relu", dynamic=True)
        case_(2, 33, 16, gate="none")
        case_(1, 97, 12, edit=rising)
        case_(1, 97, 12, edit=falling)
        case_(2, 16, 12, edit=opposed)
        case_(2, 16, 12, edit=nan_key)
        case_(2, 16, 12, edit=hidden_key)
        case_(2, 75, 12, edit=nan_value)
        case_(2, 75, 12, edit=large_key)
        case_(2, 75, 20, edit=large_values, gate="none")
        case_(2, 75, 20, edit=small_values)
for causal in (False, True):
    results.append(case("full", 2, 16, 12, causal=causal, edit=hidden_bias))
    results.append(case("full", 2, 16, 12, causal=causal, edit=hidden_row))
    results.append(case("full", 2, 16, 12, causal=causal, perBatch=True))
    results.append(case("full", 2, 5, 12, S=19, causal=causal))
    results.append(case("full", 2, 200, 64, causal=causal, scale=20, lengths=[200, 33]))
    results.append(case("local", 2, 9, 12, window=1, causal=causal))
    results.append(case("local", 2, 9, 12, window=20, causal=causal))
    results.append(case("local", 2, 300, 40, window=32, causal=causal))
    results.append(case("conv", 2, 40, 12, heads=12, taps=4, causal=causal))
    results.append(case("conv", 2, 9, 12, heads=1, taps=31, causal=causal))
    # Blocks of queries and keys of the product, whole and in part; several of channels.
    for T, S in ((1, 1), (1, 300), (8, 8), (127, 127), (128, 128), (257, 257), (300, 600), (520, 520)):
        results.append(case("full", 2, T, 24, S=S, causal=causal))
    results.append(case("full", 1, 130, 1100, causal=causal))
    results.append(case("full", 2, 150, 24, causal=causal, dtype="f64", scale=300))
    results.append(case("full", 2, 150, 24, causal=causal, lengths=[0, 150], dynamic=True))
    for edit in (wide_rows, extremes, hidden_giant, hidden_nan, rising, falling, large_turns,
                 small_turns):
        results.append(case("full", 2, 300, 24, causal=causal, edit=edit))
results.append(case("full", 2, 30, 9, "f64", edit=smallest_values))
# Blocks of causal windows and runs of simple, whole and in part.
for T in (47, 48, 49, 97, 145):
    results.append(case("local", 2, T, 40, window=12, causal=True))
for T in (63, 64, 65, 200):
    results.append(case("simple", 2, T, 40, causal=True))
    results.append(case("simple", 2, T, 40, lengths=[T, 64]))
for edit in (rising, falling, nan_key, nan_value, hidden_key, hidden_bias, large_key, extremes):
    results.append(case("local", 2, 130, 24, window=20, causal=True, edit=edit))
results.append(case("local", 3, 130, 24, window=70, causal=True, lengths=[0, 51, 130]))
for value in (21, -np.inf):
    for window, d, dtype in ((1, 1, "f32"), (7, 20, "f32"), (1, 16, "bf16")):
        results.append(case("local", 1, 1500, d, dtype, window=window, causal=True, edit=blocks_in_turns(value)))
results.append(case("local", 1, 1536, 8, window=4, causal=True, edit=rare))
results.append(case("local", 1, 4096, 8, window=32, causal=True, gate="none", edit=alike))
results.append(case("local", 1, 2048, 8, window=32, gate="none", edit=alike))
for d, dtype in ((8, "f32"), (64, "f32"), (16, "bf16")):
    results.append(case("local", 1, 260, d, dtype, window=60, causal=True, edit=hidden_top))
    results.append(case("local", 1, 200, d, dtype, window=41, edit=hidden_start))
results.append(case("local", 1, 150, 256, window=20, causal=True, dynamic=True))
results.append(case("simple", 1, 150, 256, causal=True, dynamic=True))
results.append(case("simple", 2, 20, 2100, causal=True))
# A single entry, long enough that its rows are taken in large parts; its oracle against the other.
q, k, v = rng.standard_normal((3, 2, 90, 7)) * 9
assert np.allclose(oracle.running_mean(q, k, v, "tanh"), oracle.simple(q, k, v, True, gate="tanh"), 1e-13, 1e-13)
results.append(case("simple", 1, 2100, 512, causal=True))
for change in (moderate, much_larger, no_numbers):
    for t in (0, 60, 100):
        results.append(causality("local", 130, t, 40, change, window=20))
    results.append(causality("simple", 130, 70, 40, change))
results.append(hidden_pairs())
results.append(case("full", 2, 19, 12, S=5))
results.append(case("conv", 2, 196, 24, heads=6, grid=(14, 14), taps=11))
results.append(case("conv", 1, 24, 6, heads=3, grid=(2, 3, 4), taps=2))
results.append(case("conv", 1, 24, 6, heads=3, grid=(4, 6), taps=4, scale=1e3, lengths=[10]))
for d, dtype in ((8, "f32"), (128, "f32"), (5, "f64"), (16, "bf16")):
    results.append(case("local", 2, 200, d, dtype, window=4, edit=far_key))
    results.append(case("conv", 2, 200, d, dtype, heads=d, taps=8, edit=far_key))
for causal in (False, True):
    for d, dtype in ((128, "f32"), (256, "bf16"), (128, "f64")):
        results.append(case("local", 2, 70, d, dtype, window=7, causal=causal, lengths=[70, 33]))
        results.append(case("local", 1, 70, d, dtype, window=7, causal=causal, edit=large_key))
    results.append(case("local", 1, 200, 32, window=70, causal=causal))
    results.append(case("local", 1, 40, 16, window=1100, causal=causal))
    results.append(case("conv", 1, 150, 48, heads=2, taps=50, causal=causal))
for dtype in ("f32", "f64", "bf16"):
    results.append(case("conv", 2, 35, 48, dtype, heads=2, grid=(5, 7), taps=5, lengths=[0, 17]))
    results.append(case("conv", 2, 35, 20, dtype, heads=20, grid=(7, 5), taps=3, lengths=[35, 1]))
for edit in (rising, falling, nan_key, hidden_key, hidden_bias, wide_filter, large_values, small_values):
    results.append(case("conv", 2, 36, 24, heads=6, grid=(4, 9), taps=3, edit=edit))
results.append(case("conv", 2, 143, 40, heads=40, grid=(11, 13), taps=7, scale=1e4))
results.append(case("conv", 1, 60, 36, heads=3, grid=(3, 4, 5), taps=3, scale=1e4, lengths=[37]))
results.append(case("conv", 1, 60, 36, heads=12, grid=(3, 4, 5), taps=4, lengths=[41]))
# Rows too long for their pairs to be written out.
results.append(case("conv", 1, 200, 24, heads=24, grid=(2, 100), taps=7))
results.append(case("conv", 2, 200, 48, heads=2, grid=(2, 100), taps=7, lengths=[200, 37]))
# Several blocks of outputs, and filters wider than the grid.
results.append(case("conv", 1, 99, 48, heads=2, grid=(3, 33), taps=6))
results.append(case("conv", 1, 51, 20, heads=20, grid=(3, 17), taps=40))
results.append(case("conv", 1, 8, 16, heads=4, grid=(1, 8), taps=3))
results.append(case("conv", 1, 8, 16, heads=4, grid=(8, 1), taps=3))
results.append(case("conv", 1, 1, 16, heads=4, grid=(1, 1), taps=3))
print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(0 if all(results) else 1)
