"""JAX with XLA: the formulations that may be the fastest, compiled with jit."""
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import arrays

DTYPES = {"f32": jnp.float32, "bf16": jnp.bfloat16}


def load(folder, name, dtype):
    return jnp.asarray(np.load(Path(folder) / f"{name}.npy")).astype(dtype)


def plain(array):
    return np.asarray(array.astype(jnp.float32))


def exp_keys(k):
    return jnp.exp(k - jax.lax.stop_gradient(k.max(1, keepdims=True)))


def weighted(k, v):
    e = exp_keys(k)
    return jnp.concatenate([e * v, e], -1)


def divided(q, sums):
    numerator, denominator = jnp.split(sums, 2, -1)
    return jax.nn.sigmoid(q) * (numerator / denominator)


def full(spec, q, k, v, w):
    weights = jnp.exp(w - jax.lax.stop_gradient(w.max(-1, keepdims=True)))
    if spec.get("causal"):
        weights = jnp.tril(weights)
    return divided(q, jnp.einsum("ts,bsc->btc", weights, weighted(k, v)))


def full_two(spec, q, k, v, w):
    weights = jnp.exp(w - jax.lax.stop_gradient(w.max(-1, keepdims=True)))
    if spec.get("causal"):
        weights = jnp.tril(weights)
    e = exp_keys(k)
    product = partial(jnp.einsum, "ts,bsc->btc", weights)
    return jax.nn.sigmoid(q) * (product(e * v) / product(e))


def skew(x):
    rows, columns = x.shape[-2:]
    padded = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, rows)]).reshape(*x.shape[:-2], -1)
    return padded[..., : rows * (rows + columns - 1)].reshape(*x.shape[:-1], rows + columns - 1)


def local_band(spec, q, k, v, w, block=64):
    """As torch_ops.local_band."""
    window, terms = spec["window"], weighted(k, v)
    batch, length, width = terms.shape
    block = max(block, min(window, 256))
    blocks = -(-length // block)
    padding = blocks * block - length
    rows = jnp.pad(jnp.exp(w), ((0, padding), (0, 0))).reshape(blocks, block, window)
    own = jnp.pad(terms, ((0, 0), (0, padding), (0, 0))).reshape(batch, blocks, block, width)
    before = jnp.pad(own[:, :-1, block - window + 1:], ((0, 0), (1, 0), (0, 0), (0, 0)))
    keys = jnp.concatenate([before, own], 2)
    inside = jnp.einsum("nij,bnjc->bnic", skew(rows), keys).reshape(batch, -1, width)[:, :length]
    if window < length:
        older = jnp.cumsum(terms[:, : length - window], 1)
        inside = inside + jnp.pad(older, ((0, 0), (window, 0), (0, 0)))
    return divided(q, inside)


def local_taps(spec, q, k, v, w):
    """One shifted product per tap, which XLA fuses into a loop."""
    window, terms, weights = spec["window"], weighted(k, v), jnp.exp(w)
    length = terms.shape[1]
    padded = jnp.pad(terms, ((0, 0), (window - 1, 0), (0, 0)))
    sums = jnp.pad(jnp.cumsum(terms[:, : length - window], 1), ((0, 0), (window, 0), (0, 0)))
    for tap in range(window):
        sums = sums + weights[:, tap, None] * padded[:, tap: tap + length]
    return divided(q, sums)


def local_dense(spec, q, k, v, w):
    window, length = spec["window"], q.shape[1]
    position = np.arange(length)
    offset = position[None, :] - position[:, None] + window - 1
    inside = (offset >= 0) & (offset < w.shape[1])
    dense = jnp.where(inside, jnp.take_along_axis(w, np.clip(offset, 0, w.shape[1] - 1), 1), 0)
    return full(spec, q, k, v, dense)


def simple_cumsum(spec, q, k, v):
    terms = weighted(k, v)
    return divided(q, jnp.cumsum(terms, 1) if spec.get("causal") else terms.sum(1, keepdims=True))


def simple_blocks(spec, q, k, v, block=64):
    terms = weighted(k, v)
    batch, length, width = terms.shape
    tiles = jnp.pad(terms, ((0, 0), (0, -length % block), (0, 0))).reshape(batch, -1, block, width)
    inside = jnp.einsum("ij,bnjc->bnic", jnp.tril(jnp.ones((block, block), q.dtype)), tiles)
    before = jnp.pad(jnp.cumsum(inside[:, :-1, -1], 1), ((0, 0), (1, 0), (0, 0)))[:, :, None]
    return divided(q, (inside + before).reshape(batch, -1, width)[:, :length])


def simple_scan(spec, q, k, v, block=64):
    """A loop over blocks that carries the sums."""
    terms = weighted(k, v)
    batch, length, width = terms.shape
    tiles = jnp.pad(terms, ((0, 0), (0, -length % block), (0, 0))).reshape(batch, -1, block, width)

    def step(carry, tile):
        sums = carry[:, None] + jnp.cumsum(tile, 1)
        return sums[:, -1], sums
    _, sums = jax.lax.scan(step, jnp.zeros((batch, width), q.dtype), tiles.swapaxes(0, 1))
    return divided(q, sums.swapaxes(0, 1).reshape(batch, -1, width)[:, :length])


def conv_terms(spec, q, k, v):
    e = exp_keys(k)
    return jnp.concatenate([jnp.repeat(e, q.shape[2] // k.shape[2], 2) * v, e], -1)


def conv_depthwise(spec, q, k, v, w):
    rows, columns = map(int, spec["grid"].split("x"))
    heads, sy, sx = w.shape
    terms, dim = conv_terms(spec, q, k, v), q.shape[2]
    taps = jnp.expm1(w)
    taps = jnp.concatenate([jnp.repeat(taps, dim // heads, 0), taps])
    inside = jax.lax.conv_general_dilated(
        terms.reshape(-1, rows, columns, dim + heads), taps.transpose(1, 2, 0)[:, :, None], (1, 1),
        (((sy - 1) // 2, sy // 2), ((sx - 1) // 2, sx // 2)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=dim + heads)
    sums = inside.reshape(terms.shape) + terms.sum(1, keepdims=True)
    return jax.nn.sigmoid(q) * (sums[..., :dim] / jnp.repeat(sums[..., dim:], dim // heads, 2))


def conv_toeplitz(spec, q, k, v, w):
    rows, columns = map(int, spec["grid"].split("x"))
    heads, sy, sx = w.shape
    dy = np.arange(rows)[None, :] - np.arange(rows)[:, None] + (sy - 1) // 2
    dx = np.arange(columns)[None, :] - np.arange(columns)[:, None] + (sx - 1) // 2
    seen = (((dy >= 0) & (dy < sy))[:, None, :, None] & ((dx >= 0) & (dx < sx))[None, :, None, :])
    taps = np.clip(dy, 0, sy - 1)[:, None, :, None] * sx + np.clip(dx, 0, sx - 1)[None, :, None, :]
    length = rows * columns
    bias = w.reshape(heads, -1)[:, taps.reshape(-1)].reshape(heads, length, length)
    matrix = jnp.exp(jnp.where(seen.reshape(length, length), bias, 0))
    batch, dim = q.shape[0], q.shape[2]
    e = exp_keys(k)
    values = v.reshape(batch, length, heads, -1) * e[..., None]
    terms = jnp.concatenate([values, e[..., None]], -1)
    sums = jnp.einsum("hts,bshc->bthc", matrix, terms)
    return jax.nn.sigmoid(q) * (sums[..., :-1] / sums[..., -1:]).reshape(batch, length, dim)


def matmul(spec, a, b):
    return a @ b


def mlp(spec, a, w, bias):
    return jax.nn.gelu(a @ w + bias, approximate=False)


def in_f32(form):
    def wide(spec, *inputs):
        return form(spec, *(x.astype(jnp.float32) for x in inputs)).astype(inputs[0].dtype)
    wide.__name__ = form.__name__ + "_f32"
    return wide


def candidates(spec):
    op, causal, small = spec["op"], spec.get("causal"), spec["length"] <= 4096
    if op == "local":
        found = ([local_band] if causal else []) + ([local_dense] if small else [])
        if causal and spec["window"] <= 64 and small:
            found.append(local_taps)
    elif op == "simple":
        found = [simple_cumsum] + ([simple_blocks, simple_scan] if causal else [])
    else:
        found = {"matmul": [matmul], "mlp": [mlp], "full": [full, full_two],
                 "conv": [conv_depthwise, conv_toeplitz]}[op]
    return found + [in_f32(form) for form in found if spec["dtype"] == "bf16"]


def operation(spec, folder, form):
    """(work, results) of one form of an operation."""
    dtype = DTYPES[spec["dtype"]]
    inputs = [load(folder, name, dtype) for name in arrays.operands(spec)]
    if spec.get("pass") == "fwdbwd":
        def function(*x):
            y, back = jax.vjp(partial(form, spec), *x[:-1])
            return (y, *back(x[-1]))
    else:
        def function(*x):
            return (form(spec, *x),)
    jitted = jax.jit(function)

    def work():
        return jax.block_until_ready(jitted(*inputs))
    return work, lambda: {n: plain(y) for n, y in zip(arrays.results(spec), work())}


def forms(spec, folder):
    """[(name, make)]; make() gives (work, results)."""
    if spec["op"] in ("train", "decode", "model", "image"):
        import jax_models
        return jax_models.forms(spec, folder)
    return [(form.__name__, lambda form=form: operation(spec, folder, form))
            for form in candidates(spec)]
