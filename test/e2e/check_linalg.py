"""Compiled linalg programs and model operations against NumPy in double precision.

usage: check_linalg.py AFT-RUN [--only=TEXT] [other options of aft-run]
"""
import concurrent.futures
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

from programs import Program

RUN = sys.argv[1]
ONLY = [a[7:] for a in sys.argv[2:] if a.startswith("--only=")]
EXTRA = [a for a in sys.argv[2:] if not a.startswith("--only=")]
rng = np.random.default_rng(5)
TOLERANCE = {"f32": 4e-6, "f64": 1e-13, "bf16": 6e-3, "i64": 0, "i32": 0}
cases = []


def round_to(a, element):
    """What a tensor of this element type holds, as double."""
    a = np.asarray(a)
    if element == "f32":
        return a.astype(np.float32).astype(np.float64)
    if element == "bf16":
        bits = a.astype(np.float32).view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
        return rounded.view(np.float32).astype(np.float64)
    return a


def normal(*shape, element="f32"):
    return round_to(rng.standard_normal(shape), element)


def erf(x):
    return np.vectorize(math.erf, otypes=[float])(x)


def gelu(x, tanh=False):
    if tanh:
        return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x ** 3)))
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def execute(text, arrays, outputs, extra=(), environment=None):
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        open(path("m.mlir"), "w").write(text)
        command = [RUN, path("m.mlir"), *EXTRA, *extra]
        for i, a in enumerate(arrays):
            np.save(path(f"in{i}.npy"), a)
            command.append("--input=" + path(f"in{i}.npy"))
        command += [f"--output={path(f'out{i}.npy')}" for i in range(outputs)]
        done = subprocess.run(command, capture_output=True, text=True,
                              env={**os.environ, "AFT_CACHE_DIR": "", **(environment or {})})
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[:500]}")
        return [np.load(path(f"out{i}.npy")) for i in range(outputs)], done.stderr


def compare(found, expected, element, factor=1):
    """Empty if equal to within the tolerance, relative to the largest expected number."""
    expected = np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    found = found.astype(np.float64)
    if not found.size:
        return ""
    special = ~np.isfinite(expected)
    if not (np.isfinite(found) == ~special).all() or \
            not np.array_equal(found[special], expected[special], equal_nan=True):
        return "not finite in other places"
    scale = np.abs(expected[~special]).max(initial=0) or 1
    error = np.abs(found - expected)[~special].max(initial=0) / scale
    limit = TOLERANCE[element] * factor
    return "" if error <= limit else f"error {error:.2e}, limit {limit:.2e}"


def case(name, program, expected, factor=1):
    """`expected`: one array per result of the program."""
    cases.append((name, program, expected, factor))


def check(name, program, expected, factor):
    try:
        found, _ = execute(program.text(), program.arrays, len(expected))
        wrong = []
        for i, ((value, _), f, e) in enumerate(zip(program.results, found, expected)):
            if problem := compare(f, e, value.element, factor):
                wrong.append(f"result {i}: {problem}")
    except RuntimeError as error:
        wrong = [str(error)]
    print(f"FAIL {name}: {'; '.join(wrong)}" if wrong else f"ok   {name}", flush=True)
    return not wrong


#
# Matrix products.
#

def product(kind, m, k, n, element, dynamic=False, batch=3, wide=None):
    a_shape = (k, m) if kind.endswith("_a") else (m, k)
    b_shape = (n, k) if kind.endswith("_b") else (k, n)
    if kind.startswith("batch"):
        a_shape, b_shape = (batch, *a_shape), (batch, *b_shape)
    a, b = normal(*a_shape, element=element), normal(*b_shape, element=element)
    swap = lambda x, yes: np.swapaxes(x, -1, -2) if yes else x
    y = swap(a, kind.endswith("_a")) @ swap(b, kind.endswith("_b"))
    p = Program()
    everything = tuple(range(a.ndim)) if dynamic else ()
    x = p.arg(a, element, everything)
    w = p.arg(b, element, everything)
    p.give(p.matmul(x, w, kind, wide))
    case(f"{kind} {m} x {k} x {n} {element}" + (f" to {wide}" if wide else "")
         + (" dynamic" if dynamic else ""), p, [y])


KINDS = [b + "matmul" + t for b in ("", "batch_") for t in ("", "_transpose_a", "_transpose_b")]
for kind in KINDS:
    for element in ("f32", "f64", "bf16"):
        product(kind, 17, 129, 37, element)
    product(kind, 1, 1, 1, "f32")
    product(kind, 1, 129, 64, "f32")
    product(kind, 3, 17, 1, "f32", dynamic=True)
    product(kind, 64, 1, 31, "f32", dynamic=True)
    product(kind, 129, 300, 513, "f32", dynamic=True)
    product(kind, 33, 65, 100, "bf16", wide="f32")
product("matmul", 513, 257, 129, "f32")
product("matmul_transpose_b", 257, 513, 513, "f32", dynamic=True)
product("matmul_transpose_b", 2, 512, 512, "f32")
product("matmul_transpose_b", 129, 513, 257, "bf16", dynamic=True)
product("matmul_transpose_a", 257, 513, 129, "f64")
# One around vectors, strips, panels and blocks; fewer and more rows than are packed.
for m, k, n in ((7, 33, 15), (8, 257, 17), (13, 31, 65), (25, 256, 257), (97, 511, 33)):
    product("matmul", m, k, n, "f32", dynamic=True)
    product("matmul_transpose_b", m, k, n, "bf16", dynamic=True)
    product("batch_matmul_transpose_a", m, k, n, "bf16", dynamic=True, wide="f32")
# As many rows as are multiplied with B where it is, and one more; more columns than at once.
for m, k, n in ((12, 300, 71), (16, 256, 128), (17, 67, 530), (32, 512, 64), (33, 257, 16),
                (64, 513, 49), (65, 40, 50)):
    product("matmul_transpose_b", m, k, n, "f32", dynamic=m % 2 == 1)
product("matmul_transpose_b", 20, 301, 75, "f64", dynamic=True)
product("matmul_transpose_b", 12, 301, 75, "bf16", dynamic=True)
product("matmul_transpose_b", 40, 300, 75, "bf16", wide="f32")
product("batch_matmul_transpose_b", 19, 33, 75, "f32", dynamic=True)
product("matmul_transpose_b", 20, 0, 20, "f32", dynamic=True)
product("matmul", 9, 0, 20, "f32", dynamic=True)
product("matmul_transpose_b", 2, 0, 20, "f32", dynamic=True)
product("matmul", 2, 67, 1025, "f64", dynamic=True)
product("matmul", 1, 67, 1025, "bf16", dynamic=True)
product("matmul_transpose_b", 5, 67, 1025, "bf16", dynamic=True)


def accumulates():
    a, b, c = normal(19, 23), normal(23, 41), normal(19, 41)
    p = Program()
    x, y, z = p.arg(a), p.arg(b), p.arg(c)
    p.give(p.matmul(x, y, init=z), z)
    case("matmul into an argument that is also returned", p, [c + a @ b, c])


accumulates()


#
# Epilogues.
#

def feed_forward(rows, d, hidden, element, tanh, dynamic):
    x, w1, b1 = (normal(rows, d, element=element), normal(hidden, d, element=element),
                 normal(hidden, element=element))
    w2, b2 = normal(d, hidden, element=element), normal(d, element=element)
    w1, w2 = (round_to(w / np.sqrt(w.shape[1]), element) for w in (w1, w2))
    p = Program()
    vx = p.arg(x, element, (0,) if dynamic else ())
    vw1, vb1, vw2, vb2 = (p.arg(a, element) for a in (w1, b1, w2, b2))
    h = p.gelu(p.linear(vx, vw1, vb1), tanh)
    p.give(p.op("arith.addf", vx, p.linear(h, vw2, vb2)))
    y = x + gelu(x @ w1.T + b1, tanh) @ w2.T + b2
    case(f"bias, GELU{' (tanh)' if tanh else ''}, residual: {rows} x {d} x {hidden} {element}"
         + (" dynamic" if dynamic else ""), p, [y], factor=4 if element == "bf16" else 2)


for element in ("f32", "f64", "bf16"):
    for tanh in (False, True):
        feed_forward(17, 24, 40, element, tanh, dynamic=True)
        feed_forward(1, 17, 5, element, tanh, dynamic=False)
feed_forward(131, 64, 257, "f32", False, True)
feed_forward(300, 128, 512, "f32", True, True)


def several_readers():
    """A product with two readers of different shapes must not be fused away."""
    x, w, b = normal(33, 20), normal(28, 20), normal(28)
    p = Program()
    vx, vw, vb = p.arg(x, dynamic=(0,)), p.arg(w), p.arg(b)
    y = p.linear(vx, vw, vb)
    sums = p.reduce("arith.addf", y, [0])
    t = p.transpose(y, [1, 0])
    p.give(p.op("math.tanh", y), sums, t)
    e = x @ w.T + b
    case("a product with three readers", p, [np.tanh(e), e.sum(0), e.T], factor=2)


several_readers()


#
# Model operations.
#

def norm(shape, element, dynamic):
    d = shape[-1]
    acc = "f64" if element == "f64" else "f32"
    x, g, b = (normal(*s, element=element) for s in (shape, (d,), (d,)))
    dy = normal(*shape, element=element)
    mean = x.mean(-1)
    rstd = 1 / np.sqrt(x.var(-1) + 1e-5)
    hat = (x - mean[..., None]) * rstd[..., None]
    y = hat * g + b
    dhat = dy * g
    dx = rstd[..., None] * (dhat - dhat.mean(-1, keepdims=True)
                            - hat * (dhat * hat).mean(-1, keepdims=True))
    leading = tuple(range(len(shape) - 1))
    p = Program()
    dims = leading if dynamic else ()
    vx, vg, vb = p.arg(x, element, dims), p.arg(g, element), p.arg(b, element)
    vdy = p.arg(dy, element, dims)
    vy, vmean, vrstd = p.aft("layer_norm", [vx, vg, vb], "", [
        (vx.dims, element), (vx.dims[:-1], acc), (vx.dims[:-1], acc)])
    grads = p.aft("layer_norm_grad", [vdy, vx, vg, vmean, vrstd], "", [
        (vx.dims, element), (vg.dims, element), (vg.dims, element)])
    p.give(vy, vmean, vrstd, *grads)
    case(f"layer_norm {shape} {element}" + (" dynamic" if dynamic else ""), p,
         [y, mean, rstd, dx, (dy * hat).sum(leading), dy.sum(leading)], factor=3)


for element in ("f32", "f64", "bf16"):
    norm((2, 5, 24), element, True)
    norm((7, 17), element, False)
norm((1, 1), "f32", False)
norm((130, 513), "f32", True)
norm((3, 2, 4, 16), "f32", True)


def loss(rows, classes, element, ids, dynamic, scale=1.0, ignored=0):
    acc = "f64" if element == "f64" else "f32"
    logits = round_to(normal(rows, classes) * scale, element)
    targets = rng.integers(0, classes, rows)
    top = logits.max(1, keepdims=True)
    lse = (np.log(np.exp(logits - top).sum(1, keepdims=True)) + top)[:, 0]
    y = (lse - logits[np.arange(rows), targets])[ignored:].mean()
    grad = np.exp(logits - lse[:, None])
    grad[np.arange(rows), targets] -= 1
    grad[:ignored] = 0
    targets[:ignored] = -100
    p = Program()
    vl = p.arg(logits, element, (0,) if dynamic else ())
    vt = p.arg(targets, ids, (0,) if dynamic else ())
    vy, vlse = p.aft("cross_entropy", [vl, vt], "", [([], acc), (vl.dims[:1], acc)])
    two = p.arg(np.array(2.0), acc)
    dl = p.aft("cross_entropy_grad", [two, vl, vt, vlse], "", [(vl.dims, element)])
    p.give(vy, vlse, dl)
    case(f"cross_entropy {rows} x {classes} {element} {ids} scale {scale:g}", p,
         [y, lse, 2 * grad / (rows - ignored)], factor=max(1, scale / 10))


for element in ("f32", "f64", "bf16"):
    loss(37, 19, element, "i32", True)
loss(1, 1, "f32", "i64", False)
loss(130, 257, "f32", "i64", True)
loss(40, 256, "f32", "i32", False, scale=100)
loss(40, 25, "f32", "i32", True, ignored=13)
loss(40, 25, "bf16", "i64", False, ignored=39)


def embed(shape, rows, d, element, ids, dynamic):
    table = normal(rows, d, element=element)
    i = rng.integers(0, rows, shape)
    dy = normal(*shape, d, element=element)
    grad = np.zeros((rows, d))
    np.add.at(grad, i.reshape(-1), dy.reshape(-1, d))
    p = Program()
    dims = tuple(range(len(shape))) if dynamic else ()
    vi, vt = p.arg(i, ids, dims), p.arg(table, element)
    vdy = p.arg(dy, element, dims)
    y = p.aft("embedding", [vi, vt], "", [(vi.dims + [d], element)])
    dt = p.aft("embedding_grad", [vi, vdy], "", [(vt.dims, element)])
    p.give(y, dt)
    case(f"embedding {shape} of {rows} x {d} {element} {ids}", p, [table[i], grad])


for element in ("f32", "f64", "bf16"):
    embed((3, 11), 29, 20, element, "i32", True)
embed((200,), 7, 33, "f32", "i64", False)
embed((1, 1), 1, 1, "f32", "i64", True)


def keeps(shape, seed, stream, p):
    """The pinned hash of aft.dropout."""
    mask = (1 << 64) - 1
    start = (seed + stream * 0x9E3779B97F4A7C15) & mask
    index = np.arange(np.prod(shape), dtype=np.uint64)
    with np.errstate(over="ignore"):
        x = np.uint64(start) + index * np.uint64(0xD1B54A32D192ED03)
        x ^= x >> np.uint64(30)
        x *= np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(27)
        x *= np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return ((x >> np.uint64(40)).astype(np.float64) * 2.0 ** -24 >= p).reshape(shape)


def drop(shape, element, seed, stream, rate, dynamic):
    x = normal(*shape, element=element)
    p = Program()
    vx = p.arg(x, element, tuple(range(len(shape))) if dynamic else ())
    vs = p.arg(np.array(seed), "i64")
    p.give(p.aft("dropout", [vx, vs], f"p = {rate:e} stream = {stream}", [(vx.dims, element)]))
    y = np.where(keeps(shape, seed, stream, rate), x / (1 - rate), 0)
    case(f"dropout {shape} {element} seed {seed} stream {stream} p {rate}", p, [y])


drop((5, 7, 19), "f32", 42, 3, 0.1, True)
drop((5, 7, 19), "bf16", -9, 0, 0.5, True)
drop((64, 33), "f64", 1 << 40, 12, 0.25, False)
drop((1,), "f32", 0, 0, 0.0, False)


def optimise(shape, element, step, scale):
    state = "f64" if element == "f64" else "f32"
    w, g = normal(*shape, element=element), normal(*shape, element=element)
    m, v = normal(*shape, element=state), round_to(rng.random(shape), state)
    lr, wd, b1, b2, eps = 0.01, 0.1, 0.9, 0.999, 1e-8
    p = Program()
    vs = [p.arg(a, e) for a, e in ((w, element), (g, element), (m, state), (v, state))]
    scalars = [p.arg(np.array(lr), state), p.arg(np.array(step), "i64"),
               p.arg(np.array(scale), state)]
    names = [s.name for s in scalars]
    results = p.aft("adamw", [*vs, scalars], f"lr({names[0]}) step({names[1]}) scale({names[2]}) "
                    f"{{weight_decay = {wd:e}}}",
                    [(vs[i].dims, vs[i].element) for i in (0, 2, 3)])
    for i, result in zip((0, 2, 3), results):
        p.give(result, attrs=f"aft.alias = {i} : i64")
    gs = g * scale
    em, ev = b1 * m + (1 - b1) * gs, b2 * v + (1 - b2) * gs * gs
    mh, vh = em / (1 - b1 ** step), ev / (1 - b2 ** step)
    case(f"adamw {shape} {element} step {step} scale {scale}", p,
         [w - lr * (wd * w + mh / (np.sqrt(vh) + eps)), em, ev], factor=2)


optimise((5, 33), "f32", 1, 1.0)
optimise((1000,), "f32", 100, 0.25)
optimise((7, 3), "f64", 3, 0.5)
optimise((4, 17), "bf16", 2, 1.0)


#
# Reductions, broadcasts and shapes.
#

def reductions(shape, element, dynamic):
    x = normal(*shape, element=element)
    dims = tuple(range(len(shape))) if dynamic else ()
    p = Program()
    v = p.arg(x, element, dims)
    expected = []
    for over in ((0,), (len(shape) - 1,), (1,), tuple(range(len(shape))), (0, len(shape) - 1)):
        over = tuple(sorted(set(over)))
        p.give(p.reduce("arith.addf", v, over))
        expected.append(x.sum(over))
        p.give(p.reduce("arith.maximumf", v, over, neutral=-1e30))
        expected.append(x.max(over))
    case(f"reductions {shape} {element}" + (" dynamic" if dynamic else ""), p, expected, factor=3)


for element in ("f32", "f64"):
    reductions((5, 7, 19), element, True)
    reductions((5, 7, 19), element, False)
reductions((129, 65), "f32", True)
reductions((1, 1), "f32", True)
reductions((2, 3, 4, 5), "f32", True)
reductions((3, 2000), "f32", True)
reductions((2000, 3), "f32", True)


def softmax(shape, element, dynamic, factor=2):
    """Over the last dimension, written as anybody would."""
    x = normal(*shape, element=element)
    p = Program()
    v = p.arg(x, element, tuple(range(len(shape))) if dynamic else ())
    last, rest = v.rank - 1, list(range(v.rank - 1))
    top = p.reduce("arith.maximumf", v, [last], neutral=-1e30)
    e = p.op("math.exp", p.broadcast("arith.subf", v, top, rest))
    p.give(p.broadcast("arith.divf", e, p.reduce("arith.addf", e, [last]), rest))
    y = np.exp(x - x.max(-1, keepdims=True))
    case(f"softmax {shape} {element}" + (" dynamic" if dynamic else ""), p,
         [y / y.sum(-1, keepdims=True)], factor)


softmax((3, 5, 37), "f32", False)
softmax((3, 5, 37), "f64", False)
softmax((3, 5, 37), "f32", True)
softmax((70, 1000), "f32", True)


def standardise(dynamic):
    """Down the columns: the reduction is used by the whole tensor."""
    x = normal(50, 37)
    p = Program()
    v = p.arg(x, dynamic=(0, 1) if dynamic else ())
    mean = p.scaled(p.reduce("arith.addf", v, [0]), 1 / 50)
    centred = p.broadcast("arith.subf", v, mean, [1])
    square = p.op("arith.mulf", centred, centred)
    p.give(p.broadcast("arith.divf", centred, p.op("math.sqrt", p.scaled(
        p.reduce("arith.addf", square, [0]), 1 / 50)), [1]))
    case("standardised columns" + (" dynamic" if dynamic else ""), p,
         [(x - x.mean(0)) / x.std(0)], factor=2)


standardise(True)
standardise(False)


def broadcasts():
    x, row, column, one = normal(4, 9, 17), normal(17), normal(4, 9), normal(1)
    middle = normal(9)
    p = Program()
    v = p.arg(x, dynamic=(0, 1, 2))
    row_, column_ = p.arg(row, dynamic=(0,)), p.arg(column, dynamic=(0, 1))
    middle_ = p.arg(middle, dynamic=(0,))
    y = p.broadcast("arith.mulf", p.broadcast("arith.addf", v, row_, [2]), column_, [0, 1])
    p.give(p.broadcast("arith.subf", y, middle_, [1]))
    outer = p.generic([(row_, [0]), (middle_, [1])], row_.dims + middle_.dims, "f32",
                      ["parallel"] * 2,
                      lambda a, b, o: ([f"%outer = arith.mulf {a}, {b} : f32"], "%outer"), [0, 1])
    p.give(outer)
    case("broadcasts", p, [(x + row) * column[..., None] - middle[:, None],
                           row[:, None] * middle], factor=2)


broadcasts()


def transposes(element):
    x = normal(3, 33, 50, element=element)
    p = Program()
    v = p.arg(x, element, (0, 1, 2))
    expected = []
    for order in ([0, 2, 1], [2, 1, 0], [1, 0, 2], [2, 0, 1]):
        t = p.transpose(v, order)
        p.give(t, p.op("arith.addf", t, t))
        expected += [x.transpose(order), 2 * x.transpose(order)]
    case(f"transposes {element}", p, expected)


for element in ("f32", "f64", "bf16"):
    transposes(element)


def transposed_matmul():
    x, w = normal(31, 45), normal(45, 31)
    p = Program()
    vx, vw = p.arg(x, dynamic=(0, 1)), p.arg(w, dynamic=(0, 1))
    p.give(p.matmul(p.transpose(vx, [1, 0]), p.transpose(vw, [1, 0])))
    case("a product of transposed matrices", p, [x.T @ w.T])


transposed_matmul()


def slices():
    x = normal(6, 20, 12)
    p = Program()
    v = p.arg(x, dynamic=(0, 1))
    b, t = v.dims[:2]
    p.give(p.slice(v, [0, 0, 0], [b, t, 4]), p.slice(v, [0, 0, 4], [b, t, 8]))
    p.give(p.slice(v, [2, 0, 0], [3, t, 12]), p.slice(v, [0, 1, 1], [b, 5, 4], [1, 3, 2]))
    head = p.slice(v, [0, 0, 0], [2, t, 12])
    p.give(p.op("arith.addf", head, head))
    left, right = p.slice(v, [0, 0, 0], [b, t, 6]), p.slice(v, [0, 0, 6], [b, t, 6])
    p.give(p.op("arith.mulf", left, right))
    flat = p.collapse(right, [[0, 1], [2]])
    w = normal(6, 5)
    p.give(p.matmul(flat, p.arg(w)))
    case("slices", p, [x[..., :4], x[..., 4:], x[2:5], x[:, 1:16:3, 1:9:2], 2 * x[:2],
                       x[..., :6] * x[..., 6:], x[..., 6:].reshape(-1, 6) @ w], factor=2)


slices()


def inserted():
    x, y = normal(6, 20), normal(3, 7)
    p = Program()
    v, w = p.arg(x, dynamic=(0, 1)), p.arg(y, dynamic=(0, 1))
    p.give(p.insert(w, v, [2, 11]))
    strided = p.insert(w, v, [1, 0], [2, 3])
    p.give(p.op("arith.addf", strided, strided))
    first, second = x.copy(), x.copy()
    first[2:5, 11:18] = y
    second[1:6:2, 0:21:3] = y
    padded = p.let(f"tensor.pad {w.name} low[1, 0] high[0, 4] {{\n  ^bb0(%pi: index, %pj: index):\n"
                   f"    tensor.yield {p.number(-2, 'f32')} : f32\n  }} : {w.type} to tensor<?x?xf32>",
                   ["?", "?"], "f32")
    p.give(padded)
    joined = p.let(f"tensor.concat dim(1) {w.name}, {w.name} : ({w.type}, {w.type}) -> "
                   "tensor<?x?xf32>", ["?", "?"], "f32")
    p.give(joined)
    case("insert_slice, pad and concat", p, [first, 2 * second,
         np.pad(y, ((1, 0), (0, 4)), constant_values=-2), np.concatenate([y, y], 1)])


inserted()


def reshapes():
    x = normal(4, 6, 10)
    p = Program()
    v = p.arg(x, dynamic=(0, 1))
    b, t = v.dims[:2]
    flat = p.collapse(v, [[0, 1], [2]])
    p.give(flat)
    heads = p.expand(v, [[0], [1], [2, 3]], [b, t, 2, 5])
    swapped = p.transpose(heads, [0, 2, 1, 3])
    p.give(swapped, p.op("math.exp", heads))
    joined = p.collapse(p.transpose(swapped, [0, 2, 1, 3]), [[0], [1], [2, 3]])
    p.give(p.op("arith.addf", joined, v))
    p.give(p.expand(p.collapse(v, [[0, 1, 2]]), [[0, 1, 2]], [b, t, 10]))
    h = x.reshape(4, 6, 2, 5)
    case("collapse and expand", p, [x.reshape(24, 10), h.transpose(0, 2, 1, 3), np.exp(h), 2 * x, x])


reshapes()


def nothing():
    """Empty batches are no error."""
    x, w = np.zeros((0, 8)), normal(5, 8)
    p = Program()
    v, vw = p.arg(x, dynamic=(0,)), p.arg(w)
    y = p.linear(v, vw)
    p.give(p.op("math.exp", y), p.reduce("arith.addf", y, [0]), p.reduce("arith.addf", y, [1]))
    case("no rows", p, [np.zeros((0, 5)), np.zeros(5), np.zeros(0)])


nothing()


def unary_functions():
    x = normal(3, 101) * 3
    p = Program()
    v = p.arg(x)
    positive = p.op("math.absf", v)
    for name in ("exp", "tanh", "erf", "sqrt", "log", "rsqrt", "log1p", "sin", "cos"):
        p.give(p.op("math." + name, positive if name in ("sqrt", "log", "rsqrt", "log1p") else v))
    a = np.abs(round_to(x, "f32"))
    r = round_to(x, "f32")
    case("functions", p, [np.exp(r), np.tanh(r), erf(r), np.sqrt(a), np.log(a), 1 / np.sqrt(a),
                          np.log1p(a), np.sin(r), np.cos(r)])


unary_functions()


def exponential(name, x):
    """Errors are relative to the largest result: `x` should span little."""
    p = Program()
    p.give(p.op("math.exp", p.arg(x)))
    x = round_to(x, "f32")
    with np.errstate(over="ignore"):
        y = np.exp(x)
    # In f32: 0 below the smallest normal number, infinity above the largest.
    y = np.where(x < -87.3365, 0, np.where(x > 88.7228, np.inf, y))
    case(f"exponential {name}", p, [y])


def logarithms(name, x):
    p = Program()
    v = p.arg(x)
    p.give(p.op("math.log", v), p.op("math.log2", v))
    x = round_to(x, "f32")
    with np.errstate(divide="ignore", invalid="ignore"):
        case(f"logarithms {name}", p, [np.log(x), np.log2(x)])


logarithms("around 1", np.linspace(0.6, 1.6, 2003))
logarithms("close to 1", 1 + np.linspace(-1e-3, 1e-3, 203))
logarithms("everywhere", np.geomspace(1.2e-38, 3.4e38, 2003))
logarithms("below the smallest normal number", np.geomspace(1.5e-45, 1.1754943e-38, 203))
logarithms("beyond", np.array([0, -0.0, -1e-45, -1, -np.inf, np.inf, np.nan, 1, 3.4e38, 2**-126]))


def error_function(name, x):
    p = Program()
    p.give(p.op("math.erf", p.arg(x)))
    case(f"erf {name}", p, [erf(round_to(x, "f32"))])


# From end to end, where the polynomial ends, and small ones relative to the largest.
error_function("everywhere", np.linspace(-5, 5, 20011))
error_function("at the end", np.linspace(3.9199, 3.9201, 203))
error_function("of small numbers", np.linspace(-1e-3, 1e-3, 203))
error_function("of large numbers", np.array([1e3, -1e20, 3e38, -np.inf, np.inf] * 7))

exponential("of the smallest", np.linspace(-87.336, -86, 203))
exponential("of the largest", np.linspace(88, 88.722, 203))
exponential("beyond", np.array([-np.inf, -1e30, -500, -88, -87.34, 88.73, 500, 1e30, np.inf,
                                np.nan, 0, -0.0, 1e-30, -1e-30, 1, -1, 0.3466, -0.3466]))


def error_function(name, x):
    p = Program()
    p.give(p.op("math.erf", p.arg(x)))
    case(f"error function {name}", p, [erf(round_to(x, "f32"))])


error_function("near zero", np.linspace(-1e-3, 1e-3, 203))
error_function("from end to end", np.linspace(-4, 4, 20011))
error_function("beyond", np.array([-np.inf, -1e30, -3.92, 3.92, 1e30, np.inf, np.nan, 0, -0.0, 1e-30]))


def gelu_far_out():
    """(1 + erf(x)) x is exactly 0, however large x: erf is exactly -1."""
    x = -np.geomspace(6, 1e30, 203)
    p = Program()
    v, one = p.arg(x), p.arg(np.ones(x.shape))
    p.give(p.op("arith.mulf", p.op("arith.addf", p.op("math.erf", v), one), v))
    case("far out", p, [np.zeros(x.shape)])


gelu_far_out()


#
# Running sums, which are written as sums over all pairs of places.
#

def paired(p, value, axis, condition, element):
    """At each place p along an axis the sum over the s where condition(s, p) holds."""
    tag, rank = p.fresh()[1:], value.rank
    add = "arith.addi" if element.startswith("i") else "arith.addf"
    read = [rank if i == axis else i for i in range(rank)]
    zero = f"%z{tag} = arith.constant {0 if element.startswith('i') else '0.0'} : {element}"
    init = p.constant(0, value.dims, element) if not element.startswith("i") else None
    if init is None:
        p.emit(f"%n{tag} = arith.constant 0 : {element}")
        init = p.fill(f"%n{tag}", value.dims, element)

    def body(a, o):
        lines = [zero, f"%s{tag} = linalg.index {rank} : index", f"%p{tag} = linalg.index {axis} : index"]
        wide = a
        if value.element != element:
            lines.append(f"%w{tag} = arith.extf {a} : {value.element} to {element}")
            wide = f"%w{tag}"
        lines += condition(f"%s{tag}", f"%p{tag}", f"%c{tag}")
        lines += [f"%x{tag} = arith.select %c{tag}, {wide}, %z{tag} : {element}",
                  f"%r{tag} = {add} {o}, %x{tag} : {element}"]
        return lines, f"%r{tag}"

    return p.generic([(value, read)], value.dims, element, ["parallel"] * rank + ["reduction"], body,
                     list(range(rank)), init=init)


def running_sum(shape, axis, order="ule", element="f32", dynamic=()):
    x = normal(*shape, element=element) if element[0] != "i" else rng.integers(-9, 9, shape)
    wide = "f32" if element == "bf16" else element
    y = np.flip(np.cumsum(np.flip(x, axis), axis), axis) if "g" in order else np.cumsum(x, axis)
    if order[-1] == "t":
        y = y - x
    p = Program()
    p.give(paired(p, p.arg(x, element, dynamic), axis, lambda s, t, c: [f"{c} = arith.cmpi {order}, {s}, {t} : index"], wide))
    case(f"running sum {shape} {axis} {order} {element}" + (" dynamic" if dynamic else ""), p, [y])


for order in ("ule", "ult", "uge", "ugt"):
    running_sum((2, 37, 20), 1, order)
    running_sum((5, 33), 1, order, dynamic=(0, 1))
running_sum((2, 4096, 24), 1, dynamic=(0, 1))
running_sum((2, 4096, 24), 1, "uge", dynamic=(0, 1))
running_sum((3, 4096), 1)
running_sum((4096, 1), 0)
running_sum((1, 65536, 16), 1)
running_sum((2, 129, 70), 1, element="bf16")
running_sum((2, 129, 70), 1, element="f64")
running_sum((2, 129, 70), 1, element="i64")
running_sum((1, 7, 3), 1, dynamic=(0, 1, 2))


def flipped(shape, axis, element="f32", dynamic=False):
    x = normal(*shape, element=element)
    p = Program()
    v = p.arg(x, element, tuple(range(len(shape))) if dynamic else ())
    last = p.sum(v.dims[axis], -1)
    if isinstance(last, int):
        last = p.index(last)
    p.give(paired(p, v, axis, lambda s, t, c: [f"{c}b = arith.addi {s}, {t} : index", f"{c} = arith.cmpi eq, {c}b, {last} : index"], element))
    case(f"flipped {shape} {axis}" + (" dynamic" if dynamic else ""), p, [np.flip(x, axis)])


flipped((2, 9, 5), 1)
flipped((2, 9, 5), 2, dynamic=True)
flipped((4096, 3), 0, dynamic=True)


#
# A transformer block: one compilation, two sizes.
#

def block_program(x, weights, d):
    p = Program()
    v = p.arg(x, dynamic=(0, 1))
    w = {k: p.arg(a) for k, a in weights.items()}
    n = p.aft("layer_norm", [v, w["g1"], w["b1"]], "", [(v.dims, "f32")])
    q, k, u = (p.linear(n, w["w" + i], w["c" + i]) for i in "qkv")
    m = p.aft("simple", [q, k, u], "causal", [(v.dims, "f32")])
    v = p.op("arith.addf", v, p.linear(m, w["wo"], w["co"]))
    n = p.aft("layer_norm", [v, w["g2"], w["b2"]], "", [(v.dims, "f32")])
    h = p.gelu(p.linear(n, w["w1"], w["c1"]))
    p.give(p.op("arith.addf", v, p.linear(h, w["w2"], w["c2"])))
    return p


def block_weights(d):
    shapes = {"g1": (d,), "b1": (d,), "wq": (d, d), "cq": (d,), "wk": (d, d), "ck": (d,),
              "wv": (d, d), "cv": (d,), "wo": (d, d), "co": (d,), "g2": (d,), "b2": (d,),
              "w1": (4 * d, d), "c1": (4 * d,), "w2": (d, 4 * d), "c2": (d,)}
    return {k: round_to(normal(*s) / np.sqrt(s[-1] if len(s) > 1 else 1), "f32")
            for k, s in shapes.items()}


def block_oracle(x, w):
    def norm(x, g, b):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * g + b

    n = norm(x, w["g1"], w["b1"])
    q, k, v = (n @ w["w" + i].T + w["c" + i] for i in "qkv")
    weight = np.exp(k)
    mean = np.cumsum(weight * v, 1) / np.cumsum(weight, 1)
    x = x + (mean / (1 + np.exp(-q))) @ w["wo"].T + w["co"]
    n = norm(x, w["g2"], w["b2"])
    return x + gelu(n @ w["w1"].T + w["c1"]) @ w["w2"].T + w["c2"]


def check_block():
    """Every size but the first must come from the cache of the first."""
    weights, good = block_weights(24), True
    with tempfile.TemporaryDirectory() as cache:
        sizes = ((2, 7), (3, 65), (1, 1), (1, 300), (4, 2), (2, 16), (5, 3), (1, 64))
        for number, (batch, length) in enumerate(sizes):
            x = normal(batch, length, 24)
            p = block_program(x, weights, 24)
            try:
                (y,), log = execute(p.text(), p.arrays, 1,
                                    environment={"AFT_CACHE_DIR": cache, "AFT_LOG": "cache,compile"})
                problem = compare(y, block_oracle(x, weights), "f32", 3)
                if not problem and number and "from the cache" not in log:
                    problem = f"compiled again: {log.strip()[:300]}"
            except RuntimeError as error:
                problem = str(error)
            good &= not problem
            print(f"{'FAIL' if problem else 'ok  '} block B {batch} T {length}: {problem}")
    return good


if __name__ == "__main__":
    chosen = [c for c in cases if all(o in c[0] for o in ONLY)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda c: check(*c), chosen))
    if not ONLY or "block" in ONLY:
        results.append(check_block())
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if results and all(results) else 1)
