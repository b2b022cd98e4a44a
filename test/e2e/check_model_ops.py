"""Compiled model operations, and a transformer block, against NumPy in double precision.

usage: check_model_ops.py AFT-RUN [--only=TEXT] [other options of aft-run]
"""
import tempfile

import numpy as np

from cases import case, compare, execute, gelu, main, normal, rng, round_to
from programs import Program

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


def embed(shape, rows, d, element, ids, dynamic, channels=False):
    table = normal(rows, d, element=element)
    i = rng.integers(0, rows, shape)
    dy = normal(*shape, d, element=element)
    grad = np.zeros((rows, d))
    np.add.at(grad, i.reshape(-1), dy.reshape(-1, d))
    p = Program()
    dims = tuple(range(len(shape))) if dynamic else ()
    vi, vt = p.arg(i, ids, dims), p.arg(table, element, (1,) if channels else ())
    vdy = p.arg(dy, element, dims + (len(shape),) if channels else dims)
    y = p.aft("embedding", [vi, vt], "", [(vi.dims + vt.dims[1:], element)])
    dt = p.aft("embedding_grad", [vi, vdy], "", [(vt.dims[:1] + vdy.dims[-1:], element)])
    p.give(y, dt)
    case(f"embedding {shape} of {rows} x {d} {element} {ids}", p, [table[i], grad])


for element in ("f32", "f64", "bf16"):
    embed((3, 11), 29, 20, element, "i32", True)
embed((200,), 7, 33, "f32", "i64", False)
embed((1, 1), 1, 1, "f32", "i64", True)
embed((9, 5), 6, 17, "f32", "i32", True, channels=True)


def band(t, r, window, causal, element, dynamic):
    u, v = normal(t, r, element=element), normal(t, r, element=element)
    taps = window if causal else 2 * window - 1
    db = normal(t, taps, element=element)
    y, du, dv = np.zeros((t, taps)), np.zeros((t, r)), np.zeros((t, r))
    for row in range(t):
        for tap in range(taps):
            key = row + tap - (window - 1)
            if 0 <= key < t:
                y[row, tap] = u[row] @ v[key]
                du[row] += db[row, tap] * v[key]
                dv[key] += db[row, tap] * u[row]
    p = Program()
    vu, vv, vdb = (p.arg(a, element, dynamic) for a in (u, v, db))
    clause = f"window = {window} {'causal' if causal else ''}"
    p.give(p.aft("band", [vu, vv], clause, [([vu.dims[0], taps], element)]))
    p.give(*p.aft("band_grad", [vdb, vu, vv], clause, [(vu.dims, element), (vv.dims, element)]))
    case(f"band {t} x {r} window {window} {causal} {element} {dynamic}", p, [y, du, dv], 2)


band(23, 19, 4, True, "f32", ())
band(23, 19, 4, False, "f64", (0,))
band(9, 21, 12, False, "f32", (0, 1))
band(40, 3, 1, True, "bf16", (1,))


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


main(("block", check_block))
