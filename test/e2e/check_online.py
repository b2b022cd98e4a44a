"""Decodes sequences chunk by chunk with compiled online mixers and compares with the whole
sequence in double (oracle.py).

usage: check_online.py AFT-RUN [--reference]

A program decodes all chunks of a sequence in one run; programs of unknown batch and chunk
length go from run to run with their state in files.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

import oracle

RUN, EXTRA = sys.argv[1], sys.argv[2:]
rng = np.random.default_rng(23)


def rounded(x, dtype):
    return oracle.bf16(x) if dtype == "bf16" else x.astype(np.float32).astype(np.float64) \
        if dtype == "f32" else x


def tensor(shape, element):
    return "tensor<" + "".join(f"{d}x" for d in shape) + element + ">"


class Online:
    """One online mixer: its operands, its state and the text of a call."""

    def __init__(self, op, d, dtype, window=0, heads=0, gate="sigmoid"):
        self.op, self.d, self.dtype, self.window, self.gate = op, d, dtype, window, gate
        self.heads = heads or d
        self.acc = "f64" if dtype == "f64" else "f32"

    def empty_state(self, B):
        state = [np.full((B, self.heads), -np.inf), np.zeros((B, self.d)), np.zeros((B, self.heads))]
        if self.op != "simple":
            state += [np.full((B, self.window - 1, self.heads), -np.inf),
                      np.zeros((B, self.window - 1, self.d))]
        return state

    def types(self, B, C):
        """Types of q, k, v, the bias and the state."""
        d, h, dtype, acc = self.d, self.heads, self.dtype, self.acc
        bias = {"simple": None, "local": tensor((C, self.window), dtype),
                "conv": tensor((h, self.window), dtype)}[self.op]
        state = [tensor((B, h), acc), tensor((B, d), acc), tensor((B, h), acc)]
        if bias:
            state += [tensor((B, self.window - 1, h), dtype), tensor((B, self.window - 1, d), dtype)]
        return [tensor((B, C, n), dtype) for n in (d, h, d)], bias, state

    def call(self, results, qkv, bias, state, B, C):
        types, bias_type, states = self.types(B, C)
        operands = qkv + ([bias] if bias_type else [])
        window = f" window = {self.window}" if self.op == "local" else ""
        gate = f" gate = {self.gate}" if self.gate != "sigmoid" else ""
        inputs = types + ([bias_type] if bias_type else []) + states
        return (f"  {', '.join(results)} = aft.{self.op}_online {', '.join(operands)} "
                f"state({', '.join(state)}){window}{gate} : ({', '.join(inputs)}) -> "
                f"({', '.join([types[0]] + states)})\n")

    def whole(self, q, k, v, bias):
        if self.op == "simple":
            return oracle.simple(q, k, v, causal=True, gate=self.gate)
        if self.op == "local":
            return oracle.local(q, k, v, bias, self.window, causal=True, gate=self.gate)
        return oracle.conv(q, k, v, bias, causal=True, gate=self.gate)


def execute(program, arrays, outputs, dtype):
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "m.mlir")
        open(source, "w").write(program)
        command = [RUN, source, *EXTRA]
        for i, a in enumerate(arrays):
            file = os.path.join(folder, f"{i}.npy")
            np.save(file, a.astype(np.float64 if dtype == "f64" else np.float32))
            command.append("--input=" + file)
        files = [os.path.join(folder, f"out{i}.npy") for i in range(outputs)]
        done = subprocess.run(command + ["--output=" + f for f in files], capture_output=True,
                              text=True)
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[:400]}")
        return [np.load(f).astype(np.float64) for f in files]


def cut(name, value, source, start, size):
    """Rows [start, start + size) of dimension 1 (0 for a matrix)."""
    shape, element = source
    axis = 1 if len(shape) == 3 else 0
    part = [size if i == axis else n for i, n in enumerate(shape)]
    offsets = [start if i == axis else 0 for i in range(len(shape))]
    return (f"  {name} = tensor.extract_slice {value}{offsets} {part} {[1] * len(shape)} : "
            f"{tensor(shape, element)} to {tensor(part, element)}\n")


def unrolled(mixer, q, k, v, bias, chunk):
    """All chunks in one program."""
    B, T, d = q.shape
    arrays = [q, k, v] + ([bias] if bias is not None else []) + mixer.empty_state(B)
    names = [f"%a{i}" for i in range(len(arrays))]
    first = 4 if bias is not None else 3
    types = [tensor(a.shape, mixer.acc if first <= i < first + 3 else mixer.dtype)
             for i, a in enumerate(arrays)]
    text, state, rows, row_types = "", names[first:], [], []
    for i, start in enumerate(range(0, T, chunk)):
        C = min(chunk, T - start)
        parts = []
        for letter, value, array in zip("qkv", names, (q, k, v)):
            text += cut(f"%{letter}{i}", value, (array.shape, mixer.dtype), start, C)
            parts.append(f"%{letter}{i}")
        weights = names[3]
        if mixer.op == "local":
            text += cut(f"%w{i}", names[3], (bias.shape, mixer.dtype), start, C)
            weights = f"%w{i}"
        results = [f"%y{i}"] + [f"%s{i}_{j}" for j in range(len(state))]
        text += mixer.call(results, parts, weights, state, B, C)
        state = results[1:]
        rows.append(results[0])
        row_types.append(tensor((B, C, d), mixer.dtype))
    y = rows[0]
    if len(rows) > 1:
        y = "%y"
        text += (f"  %y = tensor.concat dim(1) {', '.join(rows)} : ({', '.join(row_types)}) -> "
                 f"{types[0]}\n")
    arguments = ", ".join(f"{n}: {t}" for n, t in zip(names, types))
    program = f"func.func @main({arguments}) -> {types[0]} {{\n{text}  return {y} : {types[0]}\n}}\n"
    return execute(program, arrays, 1, mixer.dtype)[0]


def stepwise(mixer, q, k, v, bias, sizes):
    """One program for every batch and chunk length, run after run."""
    B, T, d = q.shape
    types, bias_type, states = mixer.types("?", "?")
    names = ["%q", "%k", "%v"]
    inputs = types + ([bias_type] if bias_type else []) + states
    state_names = [f"%s{i}" for i in range(len(states))]
    arguments = names + (["%w"] if bias_type else []) + state_names
    results = ["%y"] + [f"%r{i}" for i in range(len(states))]
    listed = ", ".join(f"{n}: {t}" for n, t in zip(arguments, inputs))
    outputs = ", ".join([types[0]] + states)
    program = (f"func.func @main({listed}) -> ({outputs}) {{\n"
               + mixer.call(results, names, "%w", state_names, "?", "?")
               + f"  return {', '.join(results)} : {outputs}\n}}\n")
    state, rows, start = mixer.empty_state(B), [], 0
    for C in sizes:
        part = slice(start, start + C)
        weights = [] if bias is None else [bias[part] if mixer.op == "local" else bias]
        arrays = [q[:, part], k[:, part], v[:, part]] + weights + state
        y, *state = execute(program, arrays, len(states) + 1, mixer.dtype)
        rows.append(y)
        start += C
    assert start == T, f"chunks cover {start} of {T} positions"
    return np.concatenate(rows, 1)


def tolerance(dtype, *arrays):
    size = max((np.abs(a[np.isfinite(a)]).max(initial=0) for a in arrays if a is not None),
               default=0)
    return {"f32": 2e-6 + 3e-7 * size, "bf16": 1e-2, "f64": 1e-12 + 1e-15 * size}[dtype]


def judge(name, y, expected, v, limit):
    scale = np.abs(v[np.isfinite(v)]).max(initial=0) or 1
    same = bool((np.isnan(y) == np.isnan(expected)).all())
    error = np.nanmax(np.abs(y - expected), initial=0) / scale
    good = same and error <= limit
    print(f"{'ok  ' if good else 'FAIL'} {name}: error {error:.2e}, limit {limit:.2e}"
          + ("" if same else ", NaNs differ"))
    return good


def rising(k, v, w):
    k[:] += np.linspace(0, 5000, k.shape[1])[None, :, None]


def falling(k, v, w):
    k[:] -= np.linspace(0, 5000, k.shape[1])[None, :, None]


def hidden(k, v, w):
    k[:, :3] = -np.inf
    v[:, 0] = np.nan
    if w is not None:
        w[..., 1] = -np.inf


def nan_key(k, v, w):
    k[0, k.shape[1] // 2, 1] = np.nan


def case(op, B, T, d, dtype="f32", window=0, heads=0, scale=1.0, chunks=(), steps=None, edit=None,
         gate="sigmoid"):
    mixer = Online(op, d, dtype, window, heads, gate)
    q, v = rng.normal(size=(B, T, d)), rng.normal(size=(B, T, d))
    k = rng.normal(size=(B, T, mixer.heads)) * scale
    bias = {"simple": lambda: None, "local": lambda: rng.normal(size=(T, window)) * scale,
            "conv": lambda: rng.normal(size=(mixer.heads, window)) * scale}[op]()
    if edit:
        edit(k, v, bias)
    q, k, v = (rounded(a, dtype) for a in (q, k, v))
    bias = None if bias is None else rounded(bias, dtype)
    expected, limit = mixer.whole(q, k, v, bias), tolerance(dtype, k, bias)
    base = (f"{op} B{B} T{T} d{d} {dtype} scale {scale:g} {gate}" +
            (f" window {window}" if window else "") + (f" heads {heads}" if heads else "") +
            (f" {edit.__name__}" if edit else ""))
    runs = [(f"chunks of {c}", lambda c=c: unrolled(mixer, q, k, v, bias, c)) for c in chunks]
    if steps:
        runs.append((f"steps {steps}", lambda: stepwise(mixer, q, k, v, bias, steps)))
    good = True
    for name, decode in runs:
        try:
            good &= judge(f"{base}, {name}", decode(), expected, v, limit)
        except RuntimeError as error:
            print(f"FAIL {base}, {name}: {error}")
            good = False
    return good


def finish(dtype, gate, shape=(2, 5, 24)):
    """aft.finish on a state some of whose sums are empty."""
    acc = "f64" if dtype == "f64" else "f32"
    q, n = rounded(rng.normal(size=shape), dtype), rounded(rng.normal(size=shape), acc)
    z = rounded(rng.uniform(0.5, 2, size=shape), acc)
    n[0, 1], z[0, 1] = 0, 0
    types = [tensor(("?", "?", shape[2]), t) for t in (dtype, acc, acc)]
    clause = f" gate = {gate}" if gate != "sigmoid" else ""
    program = (f"func.func @main(%q: {types[0]}, %n: {types[1]}, %z: {types[2]}) -> {types[0]} {{\n"
               f"  %y = aft.finish %q, %n, %z{clause} : ({', '.join(types)}) -> {types[0]}\n"
               f"  return %y : {types[0]}\n}}\n")
    try:
        y = execute(program, [q, n, z], 1, dtype)[0]
    except RuntimeError as error:
        print(f"FAIL finish {dtype} {gate}: {error}")
        return False
    mean = np.where(z == 0, 0, n / np.where(z == 0, 1, z))
    return judge(f"finish {dtype} {gate}", y, oracle.gate_of(gate, q) * mean, mean,
                 tolerance(dtype))


kinds = (("simple", {}, 4), ("local", dict(window=4), 4), ("conv", dict(window=4, heads=8), 4),
         ("conv", dict(window=4, heads=2), 4))
results = []
for dtype in ("f32", "f64", "bf16"):
    for op, extra, s in kinds:
        results.append(case(op, 2, 19, 24, dtype, chunks=(1, s - 1, s, s + 1, 19),
                            steps=(1, 3, 1, 5, 4, 5), **extra))
        results.append(case(op, 2, 19, 24, dtype, scale=10 if dtype == "bf16" else 1e4,
                            chunks=(1, s, 19), **extra))
    results += [finish(dtype, gate) for gate in ("sigmoid", "tanh", "relu", "none")]
for op, extra, s in kinds:
    for edit in (rising, falling, hidden, nan_key):
        results.append(case(op, 2, 19, 24, chunks=(1, s + 1, 19), edit=edit, **extra))
    results.append(case(op, 1, 150, 40, chunks=(7, 64, 150), **extra))
    results.append(case(op, 3, 7, 5, chunks=(1, 2, 7), gate="tanh", **{**extra, **(
        dict(heads=5) if op == "conv" else {})}))
    results.append(case(op, 1, 1, 16, chunks=(1,), gate="relu", steps=(1,), **extra))
results.append(case("local", 2, 9, 16, window=1, chunks=(1, 2, 9), steps=(4, 5)))
results.append(case("conv", 2, 9, 16, window=1, heads=16, chunks=(1, 2, 9)))
results.append(case("local", 1, 50, 16, window=32, chunks=(1, 31, 32, 33, 50)))
results.append(case("conv", 1, 12, 48, window=31, heads=2, chunks=(1, 5, 12)))
print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(0 if all(results) else 1)
