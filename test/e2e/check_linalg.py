"""Compiled linalg programs against NumPy in double precision.

usage: check_linalg.py AFT-RUN [--only=TEXT] [other options of aft-run]
"""
import math

import numpy as np

from cases import case, erf, execute, gelu, main, normal, round_to
from programs import Program

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


def unary_functions(element):
    x = normal(3, 101) * 3
    p = Program()
    v = p.arg(x, element)
    positive = p.op("math.absf", v)
    for name in ("exp", "tanh", "erf", "sqrt", "log", "rsqrt", "log1p", "sin", "cos"):
        p.give(p.op("math." + name, positive if name in ("sqrt", "log", "rsqrt", "log1p") else v))
    r = round_to(x, element)
    a = np.abs(r)
    case(f"functions {element}", p, [np.exp(r), np.tanh(r), erf(r), np.sqrt(a), np.log(a), 1 / np.sqrt(a),
                          np.log1p(a), np.sin(r), np.cos(r)])


for element in ("f32", "bf16"):
    unary_functions(element)


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


def check_every_bf16():
    """Functions of every bf16 of which a bf16 is wanted: to a unit in its last place, to
    6e-7 where erf is as good as -1, and numbers that are not normal may be 0."""
    x = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)
    x = x[np.isfinite(x)].astype(float)
    least = 2.0 ** -126

    def gelu_of(p, v):
        one = p.constant(1, v.dims, v.element)
        curve = p.op("math.erf", p.scaled(v, math.sqrt(0.5)))
        return p.op("arith.mulf", p.scaled(v, 0.5), p.op("arith.addf", curve, one))

    def logistic(p, v):
        one = p.constant(1, v.dims, v.element)
        weight = p.op("math.exp", p.op("arith.negf", v))
        return p.op("arith.divf", one, p.op("arith.addf", one, weight))

    good = True
    with np.errstate(over="ignore"):
        functions = (("gelu", gelu_of,
                      0.5 * x * np.vectorize(math.erfc)(-x / math.sqrt(2)), 6e-7),
                     ("logistic", logistic, 1 / (1 + np.exp(-x)), least))
    for name, body, expected, slack in functions:
        p = Program()
        v = p.op("arith.extf", p.arg(x, "bf16"), element="f32")
        p.give(p.op("arith.truncf", body(p, v), element="bf16"))
        (found,), _ = execute(p.text(), p.arrays, 1)
        unit = np.exp2(np.floor(np.log2(np.maximum(np.abs(expected), least))) - 7)
        excess = (np.abs(found - expected) - slack) / unit
        worst = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
        right = bool(excess[worst] <= 1)
        good &= right
        print(f"{'ok  ' if right else 'FAIL'} {name} of every bf16: {excess[worst]:.2f} units at {x[worst]}")
    return good


main(("every bf16", check_every_bf16))
