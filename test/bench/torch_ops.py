"""Single operations in PyTorch: for each the formulations that may be the fastest.

Each form takes (spec, inputs) and returns y, written as one would by hand: one maximum
per channel is subtracted from the keys, the weights are a matrix product, a banded
product in blocks of rows with a running sum of the keys before, or a prefix sum.
"""
import torch
import torch.nn.functional as F


def weighted(k, v):
    """[exp(k - max k) v | exp(k - max k)] side by side."""
    e = torch.exp(k - k.detach().amax(1, keepdim=True))
    return torch.cat([e * v, e], -1)


def divided(q, sums):
    numerator, denominator = sums.chunk(2, -1)
    return torch.sigmoid(q) * (numerator / denominator)


def bias_weights(w):
    return torch.exp(w - w.detach().amax(-1, keepdim=True))


# --- full ---------------------------------------------------------------------------------

def full_concat(spec, q, k, v, w):
    weights = bias_weights(w)
    if spec.get("causal"):
        weights = weights.tril()
    return divided(q, torch.matmul(weights, weighted(k, v)))


def full_two(spec, q, k, v, w):
    weights = bias_weights(w)
    if spec.get("causal"):
        weights = weights.tril()
    e = torch.exp(k - k.detach().amax(1, keepdim=True))
    return torch.sigmoid(q) * (torch.matmul(weights, e * v) / torch.matmul(weights, e))


def full_blocks(spec, q, k, v, w, blocks=8):
    """Causal: a block of rows is multiplied with the keys up to its end only."""
    terms, rows = weighted(k, v), -(-w.shape[0] // blocks)
    parts = []
    for start in range(0, w.shape[0], rows):
        end = min(start + rows, w.shape[0])
        weights = bias_weights(w[start:end, :end]).tril(start)
        parts.append(torch.matmul(weights, terms[:, :end]))
    return divided(q, torch.cat(parts, 1))


# --- local --------------------------------------------------------------------------------

def skew(x):
    """Shifts row i of the last two dimensions to the right by i."""
    rows, columns = x.shape[-2:]
    padded = F.pad(x, (0, rows)).flatten(-2)
    shape = (*x.shape[:-1], rows + columns - 1)
    return padded[..., : rows * (rows + columns - 1)].reshape(shape)


def local_band(spec, q, k, v, w, block=64):
    """Causal: blocks of rows see their own keys and a window before; older keys come as a
    prefix sum."""
    window, terms, weights = spec["window"], weighted(k, v), torch.exp(w)
    length = terms.shape[1]
    blocks = -(-length // block)
    padding = blocks * block - length
    rows = F.pad(weights, (0, 0, 0, padding)).reshape(blocks, block, window)
    keys = F.pad(terms, (0, 0, window - 1, padding))
    keys = keys.unfold(1, block + window - 1, block).transpose(-1, -2)
    inside = torch.matmul(skew(rows), keys).reshape(terms.shape[0], blocks * block, -1)[:, :length]
    if window < length:
        inside = inside + F.pad(terms[:, : length - window].cumsum(1), (0, 0, window, 0))
    return divided(q, inside)


def local_band_wide(spec, q, k, v, w):
    return local_band(spec, q, k, v, w, block=256)


def local_dense(spec, q, k, v, w):
    """The band as a dense matrix of biases."""
    window, length = spec["window"], q.shape[1]
    position = torch.arange(length)
    offset = position[None, :] - position[:, None] + window - 1
    taps = w.shape[1]
    inside = (offset >= 0) & (offset < taps)
    dense = w.gather(1, offset.clamp(0, taps - 1)) * inside
    return full_concat(spec, q, k, v, dense)


def local_taps(spec, q, k, v, w):
    """One shifted product per tap."""
    window, terms, weights = spec["window"], weighted(k, v), torch.exp(w)
    length = terms.shape[1]
    padded = F.pad(terms, (0, 0, window - 1, 0))
    sums = F.pad(terms[:, : max(length - window, 0)].cumsum(1), (0, 0, min(window, length), 0))
    for tap in range(window):
        sums = sums + weights[:, tap, None] * padded[:, tap : tap + length]
    return divided(q, sums)


# --- simple -------------------------------------------------------------------------------

def simple_cumsum(spec, q, k, v):
    terms = weighted(k, v)
    return divided(q, terms.cumsum(1) if spec.get("causal") else terms.sum(1, keepdim=True))


def simple_blocks(spec, q, k, v, block=64):
    """The prefix sum as products with a triangle of ones."""
    terms = weighted(k, v)
    batch, length, width = terms.shape
    blocks = -(-length // block)
    tiles = F.pad(terms, (0, 0, 0, blocks * block - length)).reshape(batch, blocks, block, width)
    inside = torch.matmul(torch.ones(block, block, dtype=q.dtype).tril(), tiles)
    before = F.pad(inside[:, :-1, -1].cumsum(1), (0, 0, 1, 0)).unsqueeze(2)
    return divided(q, (inside + before).reshape(batch, -1, width)[:, :length])


# --- conv ---------------------------------------------------------------------------------

def conv_terms(q, k, v):
    e = torch.exp(k - k.detach().amax(1, keepdim=True))
    wide = e.repeat_interleave(q.shape[2] // k.shape[2], 2)
    return torch.cat([wide * v, e], -1)


def conv_gated(q, sums, heads):
    dim = q.shape[2]
    denominator = sums[..., dim:].repeat_interleave(dim // heads, 2)
    return torch.sigmoid(q) * (sums[..., :dim] / denominator)


def conv_grid(spec):
    return tuple(map(int, spec["grid"].split("x")))


def conv_depthwise(spec, q, k, v, w, layout=torch.contiguous_format):
    """Eq 6: a depth-wise convolution with exp(w) - 1 plus the sum over all keys."""
    (rows, columns), (heads, sy, sx) = conv_grid(spec), w.shape
    terms, dim = conv_terms(q, k, v), q.shape[2]
    taps = torch.expm1(w)
    taps = torch.cat([taps.repeat_interleave(dim // heads, 0), taps]).unsqueeze(1)
    image = terms.transpose(1, 2).reshape(-1, dim + heads, rows, columns)
    image = F.pad(image, ((sx - 1) // 2, sx // 2, (sy - 1) // 2, sy // 2))
    image = image.contiguous(memory_format=layout)
    inside = F.conv2d(image, taps, groups=dim + heads)
    sums = inside.reshape(-1, dim + heads, rows * columns).transpose(1, 2)
    return conv_gated(q, sums + terms.sum(1, keepdim=True), heads)


def conv_channels_last(spec, q, k, v, w):
    return conv_depthwise(spec, q, k, v, w, torch.channels_last)


def conv_toeplitz(spec, q, k, v, w):
    """A product with the T x T matrix of each head's weights, made from the filter."""
    (rows, columns), (heads, sy, sx) = conv_grid(spec), w.shape
    y, x = torch.arange(rows), torch.arange(columns)
    dy = y[None, :] - y[:, None] + (sy - 1) // 2
    dx = x[None, :] - x[:, None] + (sx - 1) // 2
    inside = (((dy >= 0) & (dy < sy))[:, None, :, None] & ((dx >= 0) & (dx < sx))[None, :, None, :])
    taps = dy.clamp(0, sy - 1)[:, None, :, None] * sx + dx.clamp(0, sx - 1)[None, :, None, :]
    length = rows * columns
    matrix = torch.exp(w.flatten(1)[:, taps.reshape(-1)].reshape(heads, length, length)
                       * inside.reshape(length, length))
    batch, dim = q.shape[0], q.shape[2]
    e = torch.exp(k - k.detach().amax(1, keepdim=True))
    values = v.reshape(batch, length, heads, dim // heads) * e.unsqueeze(-1)
    terms = torch.cat([values, e.unsqueeze(-1)], -1)             # [B,T,h,d/h+1]
    width = terms.shape[-1]
    terms = terms.permute(2, 1, 0, 3).reshape(heads, length, batch * width)
    sums = torch.bmm(matrix, terms).reshape(heads, length, batch, width).permute(2, 1, 0, 3)
    ratio = (sums[..., :-1] / sums[..., -1:]).reshape(batch, length, dim)
    return torch.sigmoid(q) * ratio


# --- products -----------------------------------------------------------------------------

def matmul(spec, a, b):
    return torch.mm(a, b)


def mlp(spec, a, w, bias):
    return F.gelu(torch.addmm(bias, a, w))


def in_f32(form):
    def wide(spec, *inputs):
        return form(spec, *(x.float() for x in inputs)).to(inputs[0].dtype)
    wide.__name__ = form.__name__ + "_f32"
    return wide


def has_bf16_products():
    """Whether LibTorch has kernels for products of bf16 on this CPU. Without them (before AVX-512) it
    multiplies number by number: 1024 x 1024 in 8 s, 2048 x 2048 in more than 5 minutes."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def candidates(spec, compiled=False):
    """The forms of an operation that are worth trying, eagerly or compiled."""
    op, causal = spec["op"], spec.get("causal")
    if op == "matmul":
        forms = [matmul]
    elif op == "mlp":
        forms = [mlp]
    elif op == "full":
        forms = [full_concat, full_two] + ([full_blocks] if causal else [])
    elif op == "local":
        small = spec["length"] <= 4096
        forms = ([local_band] if causal else []) + ([local_dense] if small else [])
        if spec["window"] > 64 and causal:
            forms.append(local_band_wide)
        if compiled and spec["window"] <= 64 and causal and small:
            forms.append(local_taps)
    elif op == "simple":
        forms = [simple_cumsum] + ([simple_blocks] if causal else [])
    else:
        forms = [conv_depthwise, conv_channels_last, conv_toeplitz]
    if spec["dtype"] != "bf16":
        return forms
    return (forms if has_bf16_products() else []) + [in_f32(form) for form in forms]
