"""Loads libaft_torch.so into Python and checks its operators: values and gradients against
plain double precision, shapes on meta tensors, and error messages.

usage: check_python.py LIBAFT_TORCH
"""
import sys

import torch

torch.ops.load_library(sys.argv[1])
aft = torch.ops.aft
torch.manual_seed(3)
failures = 0


def check(name, good, what=""):
    global failures
    failures += not good
    if not good:
        print(f"FAIL {name} {what}")


def visible(T, S, causal, lengths):
    seen = torch.ones(T, S, dtype=torch.bool)
    if causal:
        seen = seen.tril(S - T)
    seen = seen.unsqueeze(0)
    if lengths is not None:
        seen = seen & (torch.arange(S)[None, None, :] < lengths[:, None, None])
    return seen


def plain(q, k, v, w, causal, lengths, gate):
    """The definition, with the maximum of each sum subtracted; w [.., T, S] or [h, T, S]."""
    T, S = q.shape[1], k.shape[1]
    hidden = ~visible(T, S, causal, lengths)
    terms = k.unsqueeze(1) + w  # [B, T, S, d]
    terms = terms.masked_fill(hidden.unsqueeze(-1), -torch.inf)
    top = terms.amax(2, keepdim=True).detach()
    e = (terms - torch.where(top == -torch.inf, 0, top)).exp()
    z = e.sum(2)
    ratio = (e * v.unsqueeze(1)).sum(2) / torch.where(z == 0, 1, z)
    g = {"sigmoid": torch.sigmoid, "relu": torch.relu, "tanh": torch.tanh,
         "none": lambda x: x * 0 + 1}[gate](q)
    return g * ratio


def dense_band(band, window, causal):
    T = band.shape[0]
    offset = torch.arange(T)[None, :] - torch.arange(T)[:, None] + window - 1
    inside = (offset >= 0) & (offset < band.shape[1])
    return band.gather(1, offset.clamp(0, band.shape[1] - 1)) * inside


def dense_filter(f, grid, causal):
    """[T, T, h] and whether the key is inside the filter; outside it the bias is 0."""
    positions = torch.cartesian_prod(*[torch.arange(n) for n in grid]).reshape(-1, len(grid))
    T = positions.shape[0]
    index, inside = [], torch.ones(T, T, dtype=torch.bool)
    for axis in range(len(grid)):
        s = f.shape[1 + axis]
        tap = (positions[None, :, axis] - positions[:, None, axis] +
               (s - 1 if causal else (s - 1) // 2))
        inside = inside & (tap >= 0) & (tap < s)
        index.append(tap.clamp(0, s - 1))
    return (f[(slice(None), *index)] * inside).permute(1, 2, 0)


def reference(op, q, k, v, w, causal, lengths, gate, window, grid):
    if op == "simple":
        bias = torch.zeros(())
    elif op == "full":
        bias = w.unsqueeze(-1)
    elif op == "local":
        bias = dense_band(w, window, causal).unsqueeze(-1)
    else:
        repeat = q.shape[2] // k.shape[2]
        k = k.repeat_interleave(repeat, 2)
        bias = dense_filter(w, grid or [q.shape[1]], causal).repeat_interleave(repeat, 2)
    return plain(q, k, v, bias, causal, lengths, gate)


def call(op, q, k, v, w, causal, lengths, gate, window, grid):
    options = dict(causal=causal, lengths=lengths, gate=gate)
    if op == "simple":
        return aft.simple(q, k, v, **options)
    if op == "full":
        return aft.full(q, k, v, w, **options)
    if op == "local":
        return aft.local(q, k, v, w, window, **options)
    return aft.conv(q, k, v, w, grid, **options)


TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 1e-2}


def compare(op, dtype, causal, **options):
    try:
        compare_one(op, dtype, causal, **options)
    except RuntimeError as error:
        missing(f"{op} {options}", error)


def missing(name, error):
    """What the compiler says it cannot do yet is listed, not failed."""
    if "not supported yet" in str(error):
        print("SKIP", name)
    else:
        check(name, False, f"{type(error).__name__}: {str(error)[:600]}")


def compare_one(op, dtype, causal, lengths=None, gate="sigmoid", window=3, grid=(), B=2, T=7, S=None,
            d=8, heads=4, taps=3, per_batch=False):
    name = f"{op} {dtype} causal={causal} lengths={lengths} {gate} T={T} grid={grid}"
    S = S or T
    shapes = [(B, T, d), (B, S, heads if op == "conv" else d), (B, S, d)]
    if op == "full":
        shapes.append((B, T, S) if per_batch else (T, S))
    elif op == "local":
        shapes.append((T, window if causal else 2 * window - 1))
    elif op == "conv":
        shapes.append((heads,) + (taps,) * max(1, len(grid)))
    inputs = [torch.randn(s).to(dtype).requires_grad_() for s in shapes]
    wide = [x.detach().double().requires_grad_() for x in inputs]
    pad = [None] * (4 - len(inputs))
    rest = (causal, lengths, gate, window, list(grid))
    y = call(op, *inputs, *pad, *rest)
    expected = reference(op, *wide, *pad, *rest)
    check(name, y.dtype == dtype and y.shape == expected.shape, "type or shape")
    dy = torch.randn_like(y)
    got = torch.autograd.grad(y, inputs, dy)
    want = torch.autograd.grad(expected, wide, dy.double())
    scale = wide[2].abs().max()
    error = ((y - expected).abs().max() / scale).item()
    check(name, error <= TOLERANCE[dtype], f"y: error {error:.2e}")
    for which, g, e in zip("qkvw", got, want):
        error = ((g - e).abs().max() / max(e.abs().max(), 1e-3)).item()
        check(name, g.dtype == dtype and error <= 50 * TOLERANCE[dtype],
              f"d{which}: error {error:.2e}")
    with torch.no_grad():
        check(name, torch.equal(call(op, *inputs, *pad, *rest), y), "differs without autograd")
    meta = call(op, *[x.to("meta") for x in inputs], *pad, causal,
                None if lengths is None else lengths.to("meta"), *rest[2:])
    check(name, meta.shape == y.shape and meta.dtype == dtype and meta.is_meta, "meta")


def check_mixers():
    for dtype in TOLERANCE:
        for causal in (False, True):
            for op in ("simple", "local", "conv", "full"):
                compare(op, dtype, causal)
                compare(op, dtype, causal, T=21, B=3)
    for op in ("simple", "local", "conv", "full"):
        for gate in ("tanh", "relu", "none"):
            compare(op, torch.float64, op != "full", gate=gate)
        for lengths in (torch.tensor([3, 7]), torch.tensor([0, 100], dtype=torch.int32)):
            compare(op, torch.float64, op == "local", lengths=lengths)
        compare(op, torch.float32, True, T=1)
    compare("full", torch.float64, False, S=11)
    compare("full", torch.float64, True, S=11)
    compare("full", torch.float64, True, per_batch=True)
    compare("conv", torch.float64, False, T=12, grid=(3, 4))
    compare("conv", torch.float32, False, T=12, grid=(2, 2, 3), taps=2)
    # bf16 with the bias in f32.
    q, k, v = (torch.randn(2, 5, 8).bfloat16() for _ in range(3))
    w = torch.randn(5, 5, requires_grad=True)
    aft.full(q, k, v, w).float().sum().backward()
    check("f32 bias", w.grad.dtype == torch.float32)


def check_band():
    for dtype in TOLERANCE:
        for causal in (False, True):
            u, v = (torch.randn(9, 5).to(dtype).requires_grad_() for _ in range(2))
            U, V = (x.detach().double().requires_grad_() for x in (u, v))
            band = aft.band(u, v, 3, causal=causal)
            taps = torch.arange(9)[:, None] + torch.arange(band.shape[1])[None, :] - 2
            inside = (taps >= 0) & (taps < 9)
            expected = (U[:, None] * V[taps.clamp(0, 8)]).sum(-1) * inside
            dband = torch.randn_like(band) * inside
            got = torch.autograd.grad(band, (u, v), dband)
            want = torch.autograd.grad(expected, (U, V), dband.double())
            for g, e in zip((band * inside, *got), (expected, *want)):
                error = ((g - e).abs().max() / e.abs().max()).item()
                check(f"band {dtype} {causal}", error <= 3 * TOLERANCE[dtype], f"{error:.2e}")


def check_gradients():
    new = lambda *s: torch.randn(*s, dtype=torch.double, requires_grad=True)
    q, k, v, keys = new(2, 5, 4), new(2, 5, 4), new(2, 5, 4), new(2, 5, 2)
    cases = {
        "full": (lambda *a: aft.full(*a, causal=True), (q, k, v, new(5, 5))),
        "full per batch": (lambda *a: aft.full(*a), (q, k, v, new(2, 5, 5))),
        "local": (lambda *a: aft.local(*a, 2), (q, k, v, new(5, 3))),
        "simple": (lambda *a: aft.simple(*a, causal=True), (q, k, v)),
        "conv": (lambda *a: aft.conv(*a, []), (q, keys, v, new(2, 3))),
        "conv 2-D": (lambda *a: aft.conv(*a, [5, 1]), (q, keys, v, new(2, 3, 3))),
        "band": (lambda *a: aft.band(*a, 2), (new(5, 3), new(5, 3))),
    }
    for name, (function, inputs) in cases.items():
        try:
            good = torch.autograd.gradcheck(function, inputs)
            check("gradcheck " + name, good)
        except RuntimeError as error:
            missing("gradcheck " + name, error)
    y = aft.simple(q, k, v)
    first, = torch.autograd.grad(y.sum(), q, create_graph=True)
    refuses("second derivative", "only once", lambda: first.sum().backward())


def refuses(name, text, function):
    try:
        function()
        check(name, False, "was accepted")
    except Exception as error:
        check(name, text in str(error), str(error)[:300])


def check_errors():
    q, w = torch.randn(2, 5, 8), torch.randn(5, 5)
    refuses("shape", "'k' must have shape [2, 5, 8], found [2, 4, 8]",
            lambda: aft.simple(q, q[:, :4], q))
    refuses("bias", "'w' must have shape [5, 5], found [5, 4]",
            lambda: aft.full(q, q, q, w[:, :4]))
    refuses("band", "'band' must have shape [5, 3], found [5, 5]",
            lambda: aft.local(q, q, q, w, 2))
    refuses("window", "window must be at least 1, found 0", lambda: aft.local(q, q, q, w, 0))
    refuses("gate", "gate must be sigmoid, relu, tanh or none, found 'gelu'",
            lambda: aft.simple(q, q, q, gate="gelu"))
    refuses("type", "'v' must have q's element type Float, found Double",
            lambda: aft.simple(q, q, q.double()))
    refuses("half", "'q' must be float, double or bfloat16, found Half",
            lambda: aft.simple(q.half(), q.half(), q.half()))
    refuses("heads", "the channels (8) must be a multiple of the heads (3)",
            lambda: aft.conv(q, q[:, :, :3], q, w[:3, :3], []))
    refuses("grid", "'q' must have shape [B, 6, d], found [2, 5, 8]",
            lambda: aft.conv(q, q, q, torch.randn(8, 3, 3), [2, 3]))
    refuses("lengths", "'lengths' must be int32 or int64, found Float",
            lambda: aft.simple(q, q, q, lengths=torch.ones(2)))
    refuses("causal", "causal needs at least as many keys as queries, found 5 queries and 4 keys",
            lambda: aft.full(q, q[:, :4], q[:, :4], w[:, :4], causal=True))
    refuses("meta", "'k' must have shape [2, 5, 8], found [2, 4, 8]",
            lambda: aft.simple(q.to("meta"), q[:, :4].to("meta"), q.to("meta")))


def check_empty():
    q = torch.randn(2, 0, 8, requires_grad=True)
    check("no position", aft.simple(q, q, q).shape == (2, 0, 8))
    q, k = torch.randn(2, 3, 8, requires_grad=True), torch.randn(2, 0, 8)
    y = aft.full(q, k, k, torch.randn(3, 0))
    y.sum().backward()
    check("no key", bool((y == 0).all() and (q.grad == 0).all()))
    none = torch.zeros(2, dtype=torch.int64)
    k = torch.randn(2, 3, 8, requires_grad=True)
    y = aft.simple(k, k, k, lengths=none)
    y.sum().backward()
    check("no visible key", bool((y == 0).all() and (k.grad == 0).all()))


def check_online():
    q, k, v = (torch.randn(2, 10, 8) for _ in range(3))
    m, n, z = torch.full((2, 8), -torch.inf), torch.zeros(2, 8), torch.zeros(2, 8)
    whole, parts, at = aft.simple(q, k, v, causal=True), [], 0
    for length in (1, 4, 0, 5):
        chunk = slice(at, at + length)
        y, m, n, z = aft.simple_online(q[:, chunk], k[:, chunk], v[:, chunk], m, n, z)
        parts.append(y)
        at += length
    check("simple_online", torch.allclose(torch.cat(parts, 1), whole, atol=1e-6))
    state = [torch.full((2, 8), -torch.inf), torch.zeros(2, 8), torch.zeros(2, 8),
             torch.full((2, 2, 8), -torch.inf), torch.zeros(2, 2, 8)]
    band = torch.randn(10, 3)
    whole, parts, at = aft.local(q, k, v, band, 3, causal=True), [], 0
    for length in (1, 2, 3, 4):
        chunk = slice(at, at + length)
        y, *state = aft.local_online(q[:, chunk], k[:, chunk], v[:, chunk], band[chunk], *state, 3)
        parts.append(y)
        at += length
    check("local_online", torch.allclose(torch.cat(parts, 1), whole, atol=1e-6))


def main():
    tests = [check_mixers, check_band, check_gradients, check_errors, check_empty, check_online]
    for test in tests:
        try:
            test()
        except RuntimeError as error:
            missing(test.__name__, error)
    print("failed: " + str(failures) if failures else "all passed")
    sys.exit(1 if failures else 0)


main()
