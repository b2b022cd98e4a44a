"""The mixers in double precision, straight from their definition (numpy).

Independent of the compiler and of its reference interpreter: weights of every
visible pair are formed explicitly, one maximum per (batch, query, channel).
"""
import numpy as np


def bf16(x):
    """x rounded to bf16, to even."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, rounded.view(np.float32)).astype(np.float64)


def one_far_key(k, w, key=150):
    """Sets keys and biases so that all but the queries that the bias hides it from see little but
    one key. w: a band that is not causal [T, 2s-1], or filters [heads, taps] for keys [B, T, heads]."""
    k[:], w[:] = 0, 0
    k[:, key] = 900
    if len(w) != k.shape[1]:
        w[:, -1] = -1000
        return
    for t in range(len(w)):
        tap = key - t + w.shape[1] // 2
        if 0 <= tap < w.shape[1]:
            w[t, tap] = -1000


def gate_of(name, q):
    if name == "sigmoid":
        return 1 / (1 + np.exp(-q))
    return {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh, "none": np.ones_like}[name](q)


def weighted_mean(q, k, v, w, visible, gate):
    """q [B,T,d]; k, v [B,S,d]; w and visible broadcast to [B,T,S] or [B,T,S,d]."""
    B, T, d = q.shape
    y = np.zeros((B, T, d))
    with np.errstate(all="ignore"):
        g = gate_of(gate, q)
        for b in range(B):
            for t in range(T):
                x = k[b] + (w[b, t] if w.ndim == 4 else w[b, t][:, None])
                seen = np.broadcast_to(visible[b, t][:, None], x.shape) & (x != -np.inf)
                top = np.max(np.where(seen, x, -np.inf), axis=0, initial=-np.inf)
                e = np.where(seen, np.exp(x - np.where(top == -np.inf, 0, top)), 0)
                n = np.where(seen, e * v[b], 0).sum(0)
                z = e.sum(0)
                y[b, t] = np.where(z == 0, 0, g[b, t] * (n / z))
    return y


def visibility(B, T, S, causal, lengths):
    seen = np.ones((B, T, S), bool)
    if causal:
        seen &= (np.arange(S)[None, :] <= np.arange(T)[:, None] + S - T)[None]
    if lengths is not None:
        seen &= (np.arange(S)[None, :] < np.asarray(lengths)[:, None])[:, None, :]
    return seen


def full(q, k, v, w, causal=False, lengths=None, gate="sigmoid"):
    B, T, S = q.shape[0], q.shape[1], k.shape[1]
    w = np.broadcast_to(w, (B, T, S))
    return weighted_mean(q, k, v, w, visibility(B, T, S, causal, lengths), gate)


def running_mean(q, k, v, gate):
    """weighted_mean without biases that sees what came before, row by row: linear in T."""
    top = np.full(k[:, 0].shape, -np.inf)
    n, z, y = np.zeros(top.shape), np.zeros(top.shape), np.zeros(q.shape)
    for t in range(q.shape[1]):
        higher = np.maximum(top, k[:, t])
        old, new = np.exp(top - higher), np.exp(k[:, t] - higher)
        n, z, top = n * old + new * v[:, t], z * old + new, higher
        y[:, t] = n / z
    return gate_of(gate, q) * y


def simple(q, k, v, causal=False, lengths=None, gate="sigmoid"):
    if causal and lengths is None and q.shape[1] > 1000 and np.isfinite(k).all():
        return running_mean(q, k, v, gate)
    return full(q, k, v, np.zeros((q.shape[1], q.shape[1])), causal, lengths, gate)


def dense_band(band, window, T):
    w = np.zeros((T, T))
    for t in range(T):
        for j in range(band.shape[1]):
            s = t + j - (window - 1)
            if 0 <= s < T:
                w[t, s] = band[t, j]
    return w


def local(q, k, v, band, window, causal=False, lengths=None, gate="sigmoid"):
    return full(q, k, v, dense_band(band, window, q.shape[1]), causal, lengths, gate)


def conv(q, k, v, filter, grid=(), causal=False, lengths=None, gate="sigmoid"):
    B, T, d = q.shape
    heads = k.shape[2]
    grid = tuple(grid) or (T,)
    places = np.stack(np.unravel_index(np.arange(T), grid), -1)
    bias = np.zeros((T, T, heads))
    taps = np.array(filter.shape[1:])
    first = taps - 1 if causal else (taps - 1) // 2
    offset = places[None, :, :] - places[:, None, :] + first
    inside = np.all((offset >= 0) & (offset < taps), -1)
    for t, s in zip(*np.nonzero(inside)):
        bias[t, s] = filter[(slice(None),) + tuple(offset[t, s])]
    wide = np.repeat(bias, d // heads, 2)[None].repeat(B, 0)
    return weighted_mean(q, np.repeat(k, d // heads, 2), v, wide,
                         visibility(B, T, T, causal, lengths), gate)


def mean_gradients(dy, q, k, v, w, visible, gate):
    """dq, and per pair [B,T,S,d] what dk and dw, and what dv sum; then the sizes of the former's
    terms before they cancel. Arguments as for weighted_mean, all numbers finite but for -inf in w
    and k."""
    slope = {"sigmoid": lambda x: 1 / (2 + np.exp(x) + np.exp(-x)), "relu": lambda x: x > 0.0,
             "tanh": lambda x: 1 / np.cosh(x) ** 2, "none": np.zeros_like}[gate](q)
    with np.errstate(all="ignore"):
        x = k[:, None] + (w if w.ndim == 4 else w[..., None])
        seen = np.broadcast_to(visible[..., None], x.shape) & (x != -np.inf)
        top = np.max(np.where(seen, x, -np.inf), axis=2, keepdims=True, initial=-np.inf)
        e = np.where(seen, np.exp(x - np.where(top == -np.inf, 0, top)), 0)
        z = e.sum(2, keepdims=True)
        p = np.where(z == 0, 0, e / z)
    ratio = (p * v[:, None]).sum(2, keepdims=True)
    weighted = p * (dy * gate_of(gate, q))[:, :, None]
    return (dy * slope * ratio[:, :, 0], weighted * (v[:, None] - ratio), weighted,
            np.abs(weighted) * (np.abs(v[:, None]) + np.abs(ratio)))
