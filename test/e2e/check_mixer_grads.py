"""Derivatives of the compiled mixers in f32, f64 and bf16 on numbers of any size, against oracle.py
and the accuracy contract: 50 times that of the values, relative to the largest entry. Where the
terms of a gradient cancel, a few roundings of the largest sum of terms are allowed besides.

usage: check_mixer_grads.py AFT-RUN [options of aft-run]
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

import oracle

RUN, EXTRA = sys.argv[1], sys.argv[2:]
rng = np.random.default_rng(31)
EPSILON = {"f32": 2 ** -24, "f64": 2 ** -53, "bf16": 2 ** -9}
results = []


def rising(k, w):
    k += np.linspace(0, 9000, k.shape[1])[:, None]


def falling(k, w):
    k -= np.linspace(0, 9000, k.shape[1])[:, None]


def steps(k, w):
    """Between moderate and far, in both directions."""
    k += np.cumsum(rng.choice([0, 0, 25, -25, 80, -80], k.shape[1]))[:, None]


def large(k, w):
    for a in (k, w):
        if a is not None:
            a *= 1000


def spikes(k, w):
    k[rng.random(k.shape) < 0.1] = 500
    if w is not None:
        w[rng.random(w.shape) < 0.1] = -300


def hidden(k, w):
    k[:, : k.shape[1] // 2, ::2] = -np.inf
    if w is not None:
        w[rng.random(w.shape) < 0.5] = -np.inf


def equal(k, w):
    k[:] = -1e4


def moderate(k, w):
    pass


def apart(size, bias):
    """Queries below those before them, one of which gives two keys all its weight."""
    def edit(k, w):
        k[:], w[:] = 0, 0
        for key in (36, 37):
            k[:, key] = size
            for t in range(key, len(w)):
                w[t, w.shape[1] - 1 + key - t] = bias if t == 40 else -bias
    edit.__name__ = f"apart by {size} and {bias}"
    return edit


def turns(k, w):
    """Keys and biases that are large in turns, a little less than what no longer factors."""
    k[:] = 0
    k[:, ::2] = 55
    if w is not None:
        w[:] = 0
        w[:, 1::2] = 55


def at_the_ends(k, w):
    """Of what products of exponentials are taken for: weights far above and below those around."""
    k[:] = np.minimum(np.arange(k.shape[1]), 19)[:, None]
    if w is not None:
        w[:] = 19
        w[:, ::3] = -19


def blocks_in_turns(value):
    """A bias in every other block of queries that does not go by products."""
    def edit(k, w):
        w[48::96, -1] = value
    edit.__name__ = f"blocks in turns {value}"
    return edit


def hidden_top(k, w):
    """A query that a bias keeps from seeing the key that all others see most of."""
    k[:], w[:] = 0, 0
    k[:, 90] = 100
    w[147, w.shape[1] - 1 + 90 - 147] = -200
    w[100, w.shape[1] - 1 + 80 - 100] = -30


def hidden_start(k, w):
    """The same where no query has left the windows yet."""
    k[:], w[:] = 0, 0
    k[:, 33] = 200
    for t in range(73):
        w[t, w.shape[1] // 2 + 33 - t] = -400


def alone(k, w):
    """The last query sees little of a key that the others see most of."""
    k[:], w[:] = 0, 0
    k[:, 20] = 900
    w[-1, w.shape[1] - 1 + 20 - (len(w) - 1)] = -1000


def program(op, attrs, arrays, lengths, element):
    wide = "f32" if element == "bf16" else element
    shape = lambda a, t: "tensor<" + "".join(f"{d}x" for d in a.shape) + t + ">"
    types = [shape(a, element) for a in arrays]
    y, saved, logz = types[1], shape(arrays[0], wide), shape(arrays[2], wide)
    names = [f"%a{i}" for i in range(len(arrays))]
    arguments = [f"{n}: {t}" for n, t in zip(names, types)]
    clause, tail = "", []
    if lengths is not None:
        tail = [f"tensor<{len(lengths)}xi32>"]
        arguments.append(f"%n: {tail[0]}")
        clause = " lengths(%n)"
    grads = [f"%g{i}" for i in range(1, len(arrays))]
    return (f"func.func @main({', '.join(arguments)}) -> ({', '.join(types[1:])}) {{\n"
            f"  %y, %r, %z = aft.{op} {', '.join(names[1:])}{clause} {attrs} : "
            f"({', '.join(types[1:] + tail)}) -> ({y}, {saved}, {logz})\n"
            f"  {', '.join(grads)} = aft.{op}_grad {', '.join(names)}, %r, %z{clause} {attrs} : "
            f"({', '.join(types + [saved, logz] + tail)}) -> ({', '.join(types[1:])})\n"
            f"  return {', '.join(grads)} : {', '.join(types[1:])}\n}}\n")


def execute(text, arrays, count):
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "main.mlir")
        open(source, "w").write(text)
        command = [RUN, source, *EXTRA]
        for i, a in enumerate(arrays):
            np.save(os.path.join(folder, f"in{i}.npy"), a)
            command.append("--input=" + os.path.join(folder, f"in{i}.npy"))
        outputs = [os.path.join(folder, f"out{i}.npy") for i in range(count)]
        done = subprocess.run(command + ["--output=" + f for f in outputs], capture_output=True,
                              text=True)
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[:400]}")
        return [np.load(f).astype(np.float64) for f in outputs]


def window_bias(T, taps, first):
    """The tap of each pair, or -1."""
    tap = np.arange(T)[None, :] - np.arange(T)[:, None] + first
    return np.where((tap >= 0) & (tap < taps), tap, -1)


def expected(op, arrays, heads, first, causal, lengths, gate):
    dy, q, k, v = arrays[:4]
    B, T, d = q.shape
    wide = lambda a: np.repeat(a, d // a.shape[2], 2)
    pairs, w = np.zeros((T, T, 1)), None
    if op != "simple":
        w = arrays[4]
        if op == "full":
            pairs = w[:, :, None]
        else:
            tap = window_bias(T, w.shape[1], first)
            rows = w.T[:, None] if op == "conv" else w[:, :, None]
            pairs = np.zeros((T, T, d if op == "conv" else 1))
            t, s = np.nonzero(tap >= 0)
            pairs[t, s] = (np.repeat(w.T[tap[t, s]], d // heads, 1) if op == "conv"
                           else w[t, tap[t, s]][:, None])
    seen = oracle.visibility(B, T, T, causal, lengths)
    dq, both, dv, sizes = oracle.mean_gradients(dy, q, wide(k), v, pairs[None], seen, gate)

    def bias_sum(x):
        if op == "full":
            return x.sum((0, 3))
        total = np.zeros(w.shape)
        t, s = np.nonzero(tap >= 0)
        if op == "local":
            np.add.at(total, (t, tap[t, s]), x.sum((0, 3))[t, s])
        else:
            np.add.at(total.T, tap[t, s], x.sum(0)[t, s].reshape(len(t), heads, -1).sum(2))
        return total
    key_sum = lambda x: x.sum(1).reshape(B, T, k.shape[2], d // k.shape[2]).sum(3)
    grads, terms = [dq, key_sum(both), dv.sum(1)], [0, key_sum(sizes).max(initial=0), 0]
    if w is not None:
        grads.append(bias_sum(both))
        terms.append(bias_sum(sizes).max(initial=0))
    return grads, terms


def case(op, B, T, d, element, edit, causal=False, lengths=None, gate="sigmoid", window=4, heads=4,
         values=1, query=None):
    dy, q, v = rng.normal(size=(3, B, T, d))
    v *= values
    if query is not None:
        q[:] = query
    k = rng.normal(size=(B, T, heads if op == "conv" else d))
    first = window - 1 if causal or op == "local" else (window - 1) // 2
    taps = window if causal or op == "conv" else 2 * window - 1
    shape = {"full": (T, T), "local": (T, taps), "conv": (heads, taps)}.get(op)
    w = None if shape is None else rng.normal(size=shape)
    edit(k, w)
    arrays = [a for a in (dy, q, k, v, w) if a is not None]
    if element == "bf16":
        arrays = [oracle.bf16(a).astype(np.float32) for a in arrays]
    elif element == "f32":
        arrays = [a.astype(np.float32) for a in arrays]
    attrs = (f"window = {window} " if op == "local" else "") + ("causal " if causal else "") + \
        (f"gate = {gate}" if gate != "sigmoid" else "")
    inputs = arrays + ([] if lengths is None else [np.array(lengths, np.int32)])
    found = execute(program(op, attrs, arrays, lengths, element), inputs, len(arrays) - 1)
    arrays = [a.astype(np.float64) for a in arrays]
    grads, terms = expected(op, arrays, heads, first, causal, lengths, gate)
    size = max(np.abs(a[np.isfinite(a)]).max(initial=0) for a in arrays[2::2])
    limit = 50 * {"f32": 2e-6 + 3e-7 * size, "bf16": 1e-2, "f64": 1e-12 + 1e-15 * size}[element]
    texts, good = [], True
    for name, grad, want, term in zip(("dq", "dk", "dv", "dw"), found, grads, terms):
        allowed = limit * np.abs(want).max(initial=0) + 16 * EPSILON[element] * term
        error = np.abs(grad - want).max(initial=0)
        good &= bool(error <= allowed)
        texts.append(f"{name} {error:.1e} of {allowed:.1e}")
    print(f"{'ok  ' if good else 'FAIL'} {op} B{B} T{T} d{d} {element} {edit.__name__}"
          + (f" values {values}" if values != 1 else "") + (f" q {query}" if query is not None else "")
          + (" causal" if causal else "") + (f" window {window}" if "window" in attrs else "")
          + f" {gate}: {', '.join(texts)}")
    results.append(good)


EDITS = (moderate, rising, falling, steps, large, spikes, hidden, equal)
for op in ("local", "simple", "conv", "full"):
    for causal in (True, False):
        for edit in EDITS:
            case(op, 1, 5, 16, "f32", edit, causal)
# Whole vectors and single channels, blocks of windows in whole and in part.
for edit in EDITS:
    case("local", 2, 130, 20, "f32", edit, causal=True, window=20)
    case("local", 1, 40, 8, "f64", edit, causal=True, window=7)
    case("local", 2, 60, 16, "bf16", edit, causal=True, window=1)
    # Bands whose gradient is summed in parts: one for a batch entry, several, an odd number.
    case("local", 3, 130, 128, "f32", edit, causal=True, window=20, lengths=[130, 50, 0])
    case("local", 1, 100, 272, "f32", edit, causal=True, window=9)
    case("local", 2, 50, 1040, "f32", edit, causal=True, window=3)
    case("local", 2, 97, 144, "bf16", edit, causal=True, window=40)
    case("local", 1, 49, 64, "f64", edit, causal=True, window=7)
    case("simple", 2, 150, 20, "f32", edit, causal=True, lengths=[150, 3])
    case("conv", 2, 70, 24, "f32", edit, causal=True, window=5, lengths=[70, 0])
for size, bias in ((53, 30), (34, 20), (59, 45), (59, 20)):
    for values in (1, 1e18):
        case("local", 1, 48, 128, "f32", apart(size, bias), causal=True, window=24, values=values)
case("local", 1, 49, 128, "f32", alone, causal=True, window=40)
for d, element in ((8, "f32"), (128, "f32"), (5, "f64"), (16, "bf16")):
    case("local", 2, 200, d, element, oracle.one_far_key)
    case("conv", 2, 200, d, element, oracle.one_far_key, window=8, heads=d)
for d in (8, 64):
    case("local", 1, 300, d, "f32", hidden_top, causal=True, window=60)
    case("local", 1, 200, d, "f32", hidden_start, window=41)
for value in (21, -np.inf):
    case("local", 1, 900, 4, "f32", blocks_in_turns(value), causal=True, window=1)
    case("local", 1, 900, 128, "f32", blocks_in_turns(value), causal=True, window=3)
case("local", 0, 50, 128, "f32", moderate, causal=True)
for op in ("local", "simple", "conv", "full"):
    for causal in (True, False):
        for values in (1e33, 1e-13):
            for edit in (at_the_ends, turns):
                case(op, 2, 75, 20, "f32", edit, causal, values=values)
        # Gates that are all but open or shut have a slope, too.
        for gate in ("sigmoid", "tanh"):
            for query in (-40, -15, -8, 8, 15, 40):
                case(op, 2, 20, 12, "f32", moderate, causal, gate=gate, query=query)
for edit in (at_the_ends, turns):
    case("full", 2, 20, 9, "f64", edit, values=1e-280)
for values in (1e33, 1e-13):
    case("local", 2, 100, 128, "f32", at_the_ends, causal=True, window=20, values=values)
for query in (-40, 40):
    case("simple", 2, 20, 9, "f64", moderate, gate="tanh", query=query)
for gate in ("relu", "tanh", "none"):
    case("local", 2, 60, 20, "f32", steps, causal=True, gate=gate, lengths=[60, 31])
print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(0 if all(results) else 1)
