"""aft.full compiled: its gradients and online form against the reference, at sizes and ranges
that reach both the products and the exact path, and what must hold bit for bit; products of
bf16 also in pairs, by AVX512-BF16 where this CPU has it, else and with vectors of 256 bits by
f32 arithmetic, and in tile registers, which a library emulates that is loaded before aft-run.

usage: check_full.py AFT-RUN AFTC [EMULATOR]
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

RUN, AFTC, *EMULATOR = sys.argv[1:]
# Around its tiles a CPU with AMX has vectors of AVX-512, which are not emulated.
HAS_TILES = bool(EMULATOR) and "avx512_bf16" in open("/proc/cpuinfo").read().split()
rng = np.random.default_rng(23)
results = []


def report(name, good, text):
    print(f"{'ok  ' if good else 'FAIL'} {name}: {text}")
    results.append(bool(good))


def type_of(shape, element):
    return "tensor<" + "".join(f"{d}x" for d in shape) + element + ">"


def execute(program, arrays, count, *options, pairs=None):
    """`pairs`: the CPU that products of bf16 are compiled for in pairs, or "tiles"."""
    kind, cpu, environment = "pairs", pairs, dict(os.environ)
    if pairs == "tiles":
        kind, cpu = "tiles", "native"
        environment.update(AFT_ASSUME_CPU="amx-tile,amx-bf16", LD_PRELOAD=EMULATOR[0])
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "main.mlir")
        open(source, "w").write(program)
        inputs, outputs = [], [os.path.join(folder, f"out{i}.npy") for i in range(count)]
        for i, array in enumerate(arrays):
            inputs.append(os.path.join(folder, f"in{i}.npy"))
            np.save(inputs[-1], array)
        if pairs:
            object_file = os.path.join(folder, "main.so")
            subprocess.run([AFTC, source, "--bf16-products=" + kind, "--mcpu=" + cpu, "-o",
                            object_file], check=True, env=environment)
            source = object_file
        done = subprocess.run([RUN, source, *("--input=" + f for f in inputs),
                               *("--output=" + f for f in outputs), *options],
                              capture_output=True, text=True, env=environment)
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[:400]}")
        return [np.load(f) for f in outputs]


def operands(B, T, S, d, scale, per_batch):
    w = rng.normal(size=(B, T, S) if per_batch else (T, S)) * scale
    q, dy = rng.normal(size=(2, B, T, d))
    return [q, rng.normal(size=(B, S, d)) * scale, rng.normal(size=(B, S, d)), w, dy]


def stored(arrays, element):
    """As aft-run reads them: rounded to f32 (bf16 is rounded there), or f64."""
    return [a.astype(np.float64 if element == "f64" else np.float32) for a in arrays]


def gradient_program(arrays, element, attrs, lengths, dynamic):
    """y, dq, dk, dv, dw of full for the adjoint dy of y."""
    shapes = [["?" if dynamic and i < a.ndim - (a.ndim == 3) else n for i, n in enumerate(a.shape)]
              for a in arrays]
    if dynamic and len(shapes[3]) == 3:
        shapes[3] = ["?"] * 3
    q, k, v, w, dy = (type_of(s, element) for s in shapes)
    state = type_of(shapes[0], "f32" if element == "bf16" else element)
    n = f"tensor<{'?' if dynamic else len(lengths)}xi32>" if lengths is not None else ""
    extra, clause = (f", {n}", " lengths(%n)") if n else ("", "")
    argument = f", %n: {n}" if n else ""
    return f"""
func.func @main(%q: {q}, %k: {k}, %v: {v}, %w: {w}, %dy: {dy}{argument}) -> ({q}, {q}, {k}, {v}, {w}) {{
  %y, %r, %z = aft.full %q, %k, %v, %w{clause} {attrs} : ({q}, {k}, {v}, {w}{extra}) -> ({q}, {state}, {state})
  %g:4 = aft.full_grad %dy, %q, %k, %v, %w, %r, %z{clause} {attrs} : ({dy}, {q}, {k}, {v}, {w}, {state}, {state}{extra}) -> ({q}, {k}, {v}, {w})
  return %y, %g#0, %g#1, %g#2, %g#3 : {q}, {q}, {k}, {v}, {w}
}}"""


def largest(array):
    return np.abs(array[np.isfinite(array)]).max(initial=0)


def compare(name, actual, expected, limits):
    """Errors relative to the largest entry of each result."""
    worst, text, good = 0, [], True
    for title, a, e, limit in zip(("y", "dq", "dk", "dv", "dw"), actual, expected, limits):
        a, e = a.astype(np.float64), e.astype(np.float64)
        # A gradient that is 0 but for rounding has no scale of its own.
        scale = max(largest(e), 1e-2)
        error = np.nanmax(np.abs(a - e), initial=0) / scale
        same = bool((np.isnan(a) == np.isnan(e)).all())
        good = good and same and error <= limit
        text.append(f"{title} {error:.1e}" + ("" if same else " (NaNs differ)"))
    report(name, good, ", ".join(text) + f", limits {limits[0]:.1e} {limits[1]:.1e}")


def gradients(B, T, d, element="f32", S=None, scale=1.0, attrs="", lengths=None, edit=None,
              dynamic=False, per_batch=False, pairs=None):
    arrays = operands(B, T, S or T, d, scale, per_batch)
    if edit:
        edit(*arrays)
    arrays = stored(arrays, element)
    size = max(largest(arrays[1]), largest(arrays[3]))
    limit = {"f32": 2e-6 + 3e-7 * size, "bf16": 1e-2, "f64": 1e-12 + 1e-15 * size}[element]
    program = gradient_program(arrays, element, attrs, lengths, dynamic)
    inputs = arrays + ([np.array(lengths, np.int32)] if lengths is not None else [])
    name = (f"gradients B{B} T{T} S{S or T} d{d} {element} scale {scale:g} {attrs}"
            + (f" lengths {lengths}" if lengths is not None else "")
            + (f" {edit.__name__}" if edit else "") + (" dynamic" if dynamic else "")
            + (" per batch" if per_batch else "") + (f" pairs on {pairs}" if pairs else ""))
    # bf16 rounds the operands of both alike: 50 times its limit would hide anything. Pairs
    # round each term, which shows where few of them count.
    for_gradients = (5e-2 if pairs else 2e-2) if element == "bf16" else 50 * limit
    try:
        compare(name, execute(program, inputs, 5, pairs=pairs), execute(program, inputs, 5, "--reference"),
                [limit] + [for_gradients] * 4)
    except RuntimeError as error:
        report(name, False, error)


def opposed(q, k, v, w, dy):
    """The largest k meets the smallest w: no common scale exists."""
    k[:], w[:] = 0, 300
    k[:, 1::2], w[:, 1::2] = 300, 0


def wide_rows(q, k, v, w, dy):
    """Rows with ranges from 0 to 200 side by side."""
    w *= np.linspace(0, 200, len(w))[:, None] / np.ptp(w, axis=1, keepdims=True)


def hidden_pairs(q, k, v, w, dy):
    w[..., ::3] = -np.inf
    w[1] = -np.inf
    k[:, 2, ::2] = -np.inf


def hidden_giant(q, k, v, w, dy):
    """A key that would decide every sum is hidden from half of the queries."""
    k[:, 5] = 500
    w[::2, 5] = -np.inf


def late_giant(q, k, v, w, dy):
    k[:, -3:] = 800


def rising(q, k, v, w, dy):
    """Keys that exceed all before them, by far in the end."""
    k += np.geomspace(0.01, 60, k.shape[1])[:, None]


def falling_sums(q, k, v, w, dy):
    """log Z falls with the query."""
    w -= np.arange(w.shape[-2])[:, None] / 100


def nan_value(q, k, v, w, dy):
    v[0, 4, 1] = np.nan
    w[..., 4] = -np.inf
    w[..., 3, 4] = 0


for causal in ("", "causal"):
    gradients(2, 200, 72, attrs=causal)
    gradients(1, 300, 600, attrs=causal)
    gradients(1, 530, 20, attrs=causal)
    gradients(1, 1, 5, attrs=causal)
    gradients(2, 67, 20, S=301, attrs=causal)
    gradients(2, 131, 24, "f64", attrs=causal)
    gradients(2, 131, 24, "bf16", attrs=causal)
    gradients(2, 67, 12, attrs=causal, per_batch=True, dynamic=True, lengths=[3, 60])
    gradients(3, 150, 40, attrs=causal, lengths=[0, 1, 149])
    gradients(2, 150, 40, attrs=causal + " gate = tanh", dynamic=True)
    for scale in (20, 1000, 1e4):
        gradients(2, 150, 24, attrs=causal, scale=scale)
    for edit in (opposed, wide_rows, hidden_pairs, hidden_giant, late_giant, rising, nan_value):
        gradients(2, 150, 24, attrs=causal, edit=edit)
gradients(2, 150, 24, S=40)
# The borders of blocks of 256 keys and queries, and strips that do not end there.
for T in (255, 256, 257, 512, 517):
    gradients(1, T, 33, attrs="causal")
    gradients(1, 9, 16, S=T)
gradients(3, 520, 16, attrs="causal", lengths=[255, 257, 300])
gradients(3, 270, 16, lengths=[255, 256, 257])
# Enough of a batch that a work group has all queries: several blocks on its diagonal.
for edit in (None, rising, hidden_pairs, hidden_giant, late_giant, nan_value):
    gradients(16, 290, 17, attrs="causal", edit=edit)
gradients(16, 290, 16, "f64", attrs="causal", lengths=[0, 100, 255, 256, 257, 258, 280, 289] * 2)
gradients(1, 300, 16, S=301, attrs="causal")
gradients(1, 300, 16, S=700, attrs="causal", lengths=[450])
# Pairs: odd numbers of queries, keys and channels, blocks of 512 keys or queries, and all
# that leads to the exact path. At scale 20 a sum has few terms that count, so that the
# rounding of each is seen.
for pairs in ("native", "haswell"):
    for causal in ("", "causal"):
        case = dict(element="bf16", attrs=causal, pairs=pairs)
        gradients(2, 131, 24, **case)
        gradients(1, 67, 21, S=301, **case)
        gradients(3, 150, 40, lengths=[0, 1, 149], **case)
        gradients(2, 75, 24, scale=20, **case)
        gradients(1, 515, 17, S=1031, **case)
for pairs, edit in zip(("native", "haswell") * 4, (opposed, wide_rows, hidden_pairs, hidden_giant,
                                                   late_giant, rising, nan_value)):
    for causal in ("", "causal"):
        gradients(2, 151, 24, "bf16", attrs=causal, edit=edit, pairs=pairs)
    gradients(16, 291, 17, "bf16", attrs="causal", edit=edit, pairs=pairs)
gradients(2, 67, 13, "bf16", attrs="causal", per_batch=True, dynamic=True, lengths=[3, 61],
          pairs="native")
if HAS_TILES:
    for causal in ("", "causal"):
        case = dict(element="bf16", attrs=causal, pairs="tiles")
        gradients(2, 131, 24, **case)
        gradients(1, 70, 31, **case)
        gradients(1, 118, 300, S=173, **case)
        # Two blocks of queries, sums of which are scaled in between: later ones weigh more.
        for d in (5, 24, 31):
            gradients(1, 1030, d, edit=falling_sums, **case)
        gradients(1, 67, 21, S=301, **case)
        gradients(3, 150, 40, lengths=[0, 1, 149], **case)
        gradients(2, 75, 24, scale=20, **case)
        gradients(1, 515, 17, S=1031, **case)
        gradients(1, 1, 5, **case)
        for edit in (opposed, wide_rows, hidden_pairs, hidden_giant, late_giant, rising, nan_value):
            gradients(2, 151, 24, edit=edit, **case)
    for edit in (None, rising, hidden_pairs, nan_value):
        gradients(16, 291, 17, "bf16", attrs="causal", edit=edit, pairs="tiles")
    gradients(2, 67, 13, "bf16", attrs="causal", per_batch=True, dynamic=True, lengths=[3, 61],
              pairs="tiles")
else:
    print("left out: tile registers, for want of a CPU with avx512_bf16 or of their emulator")
# Vectors of four, and what LLVM makes of bf16 where the CPU has no such instruction.
gradients(2, 67, 13, "bf16", attrs="causal", pairs="x86-64")


def forward_program(shape, element):
    x, w = type_of(shape, element), type_of((shape[1], shape[1]), element)
    return (f"func.func @main(%q: {x}, %k: {x}, %v: {x}, %w: {w}) -> {x} {{\n"
            f"  %y = aft.full %q, %k, %v, %w causal : ({x}, {x}, {x}, {w}) -> {x}\n"
            f"  return %y : {x}\n}}")


def constant_values(B, T, d, pairs):
    """Values that are all the same power of two are their mean, whatever the weights."""
    arrays = stored(operands(B, T, T, d, 3, False)[:4], "bf16")
    arrays[2][:] = 0.5
    program = forward_program((B, T, d), "bf16").replace("causal", "gate = none")
    y, = execute(program, arrays, 1, pairs=pairs)
    report(f"constant values B{B} T{T} d{d} pairs on {pairs}", (y == 0.5).all(), "exactly")


def causality(B, T, d, cuts, element="f32", pairs=None):
    """What comes later does not change a bit, even where it is far larger."""
    arrays = stored(operands(B, T, T, d, 1, False)[:4], element)
    program = forward_program((B, T, d), element)
    before, = execute(program, arrays, 1, pairs=pairs)
    for cut in cuts:
        later = [a.copy() for a in arrays]
        for a in later[:3]:
            a[:, cut:] = rng.normal(size=a[:, cut:].shape) * 300
        later[1][:, cut, 0] = np.nan
        later[3][:, cut:] = 1000
        after, = execute(program, later, 1, pairs=pairs)
        same = (after[:, :cut] == before[:, :cut]).all()
        report(f"causality B{B} T{T} from {cut} on {element} {pairs or ''}", same, "bit for bit")


def threads(B, T, d):
    arrays = stored(operands(B, T, T, d, 1, False), "f32")
    program = gradient_program(arrays, "f32", "causal", None, False)
    one, two, five = (execute(program, arrays, 5, f"--threads={n}") for n in (1, 2, 5))
    same = all((a == b).all() and (a == c).all() for a, b, c in zip(one, two, five))
    report(f"B{B} T{T}: one, two and five threads", same, "bit for bit")


def online(element, per_batch, scale):
    """Keys in two blocks, the second into the state of the first."""
    B, T, S, d = 2, 19, 150, 20
    arrays = stored(operands(B, T, 2 * S, d, scale, per_batch), element)
    q, k, v, w = arrays[:4]
    state = type_of((B, T, d), "f32" if element == "bf16" else element)
    kt, qt = type_of((B, S, d), element), type_of((B, T, d), element)
    wt = type_of(w.shape[:-1] + (S,), element)
    program = f"""
func.func @main(%q: {qt}, %k0: {kt}, %v0: {kt}, %w0: {wt}, %k1: {kt}, %v1: {kt}, %w1: {wt}, %m: {state}, %n: {state}, %z: {state}) -> {qt} {{
  %a:3 = aft.full_online %k0, %v0, %w0 state(%m, %n, %z) : ({kt}, {kt}, {wt}, {state}, {state}, {state}) -> ({state}, {state}, {state})
  %b:3 = aft.full_online %k1, %v1, %w1 state(%a#0, %a#1, %a#2) : ({kt}, {kt}, {wt}, {state}, {state}, {state}) -> ({state}, {state}, {state})
  %y = aft.finish %q, %b#1, %b#2 : ({qt}, {state}, {state}) -> {qt}
  return %y : {qt}
}}"""
    zero = np.zeros_like(q)
    inputs = [q, k[:, :S], v[:, :S], w[..., :S], k[:, S:], v[:, S:], w[..., S:], zero - np.inf,
              zero, zero]
    name = f"online {element} scale {scale:g}" + (" per batch" if per_batch else "")
    size = max(largest(k), largest(w))
    limit = {"f32": 2e-6 + 3e-7 * size, "bf16": 1e-2, "f64": 1e-12 + 1e-15 * size}[element]
    try:
        compare(name, execute(program, inputs, 1), execute(program, inputs, 1, "--reference"),
                [limit, 0])
    except RuntimeError as error:
        report(name, False, error)


causality(2, 549, 40, (1, 7, 8, 130, 256, 257, 300, 512, 548))
causality(32, 300, 16, (1, 8, 100, 255, 256, 257, 299))
causality(2, 549, 24, (1, 7, 8, 131, 512, 548), "bf16", "native")
causality(32, 300, 16, (5, 299), "bf16", "haswell")
if HAS_TILES:
    causality(2, 549, 24, (1, 7, 8, 31, 32, 131, 512, 548), "bf16", "tiles")
    causality(1, 100, 31, (1, 40, 77), "bf16", "tiles")
    causality(32, 300, 21, (5, 299), "bf16", "tiles")
    constant_values(2, 71, 21, "tiles")
for pairs in ("native", "haswell"):
    constant_values(2, 71, 21, pairs)
threads(2, 549, 40)
threads(16, 300, 24)
for element in ("f32", "f64", "bf16"):
    online(element, False, 1)
    online(element, True, 100 if element != "bf16" else 5)
print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(0 if all(results) else 1)
