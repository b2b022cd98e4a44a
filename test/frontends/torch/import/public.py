"""The attention-free mixers as published models write them, in code of our own: layouts and idioms
differ, the mathematics does not. Each takes x [B, T, 16]; `raised` is the operation that it becomes,
"" where it stays as written.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

DIM, LONGEST = 16, 32


class Layer(nn.Module):
    """Projections around a mixer of q, k and v."""

    raised = "full"

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(DIM, DIM) for _ in range(4))

    def forward(self, x):
        return self.out(self.mix(self.q(x), self.k(x), self.v(x)))


class WithBias(Layer):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(LONGEST, LONGEST) * 0.3)


class Products(WithBias):
    """exp(w) times exp(k) v, with a batch dimension of the bias."""

    def mix(self, q, k, v):
        T = k.shape[1]
        w = torch.exp(self.bias[:T, :T].unsqueeze(0))
        return torch.sigmoid(q) * torch.div(w @ torch.mul(torch.exp(k), v), w @ torch.exp(k))


class Mean(Layer):
    """The simple form by a softmax over time."""

    raised = "simple"

    def mix(self, q, k, v):
        return torch.sigmoid(q) * torch.mul(torch.softmax(k, 1), v).sum(dim=1, keepdim=True)


class TimeFirst(WithBias):
    """[T, B, d], maxima subtracted, einsum, a causal mask [t, t', 1] and a local one kept as
    parameters that are not trained."""

    raised = "local"

    def __init__(self, window=4):
        super().__init__()
        ones = torch.ones(LONGEST, LONGEST)
        near = (ones.tril(window - 1) * ones.triu(1 - window)).bool()
        self.near = nn.Parameter(near, requires_grad=False)
        self.register_buffer("seen", ones.tril().bool())

    def mix(self, q, k, v):
        q, k, v = (t.transpose(0, 1) for t in (q, k, v))
        T = q.shape[0]
        w = (self.bias[:T, :T] * self.near[:T, :T]).unsqueeze(-1)
        w = w.masked_fill(~self.seen[:T, :T].unsqueeze(-1), float("-inf"))
        keys = torch.exp(k - k.max(dim=0, keepdim=True)[0])
        weights = torch.exp(w - w.max(dim=1, keepdim=True)[0])
        above = torch.einsum("ijb,jbd->ibd", weights, keys * v)
        below = torch.einsum("ijb,jbd->ibd", weights, keys)
        return (torch.sigmoid(q) * above / below).transpose(0, 1)


class Broadcast(WithBias):
    """All pairs at once, [T, B, T', d], summed over T'."""

    def mix(self, q, k, v):
        B, T, d = q.shape
        terms = torch.exp(k.view(1, B, T, d) + self.bias[:T, :T].reshape(T, 1, T, 1))
        above = torch.sum(terms * v.view(1, B, T, d), dim=2)
        return torch.sigmoid(q) * (above / terms.sum(dim=2)).permute(1, 0, 2)


class Softmaxed(WithBias):
    """softmax(k + w) over t', later keys hidden by an additive mask in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("later", torch.full((LONGEST, LONGEST), -math.inf).triu(1))

    def mix(self, q, k, v):
        T = q.size(1)
        w = self.bias[:T, :T] + self.later[:T, :T]
        a = F.softmax(w[None, :, :, None] + k[:, None], dim=2)
        return q.relu() * torch.einsum("bijd,bjd->bid", a, v)


class Factors(Layer):
    """A bias from factors within a window."""

    raised = "local"

    def __init__(self, window=3, rank=4):
        super().__init__()
        self.window = window
        self.u, self.r = (nn.Parameter(torch.randn(LONGEST, rank) * 0.3) for _ in range(2))

    def mix(self, q, k, v):
        T = q.size(1)
        at = torch.arange(T, device=q.device)
        near = (at[None] - at[:, None]).abs() < self.window
        w = torch.where(near, self.u[:T] @ self.r[:T].mT, 0.0)
        ew, ek = w.exp(), k.exp()
        return q.sigmoid() * torch.matmul(ew, ek * v) / torch.matmul(ew, ek)


class Running(Layer):
    """Running sums, the keys bounded."""

    raised = "simple"

    def mix(self, q, k, v):
        k = torch.exp(torch.clamp(k, -60, 30))
        return q.sigmoid() * torch.cumsum(k * v, dim=1) / torch.cumsum(k, dim=1)


class Heads(Layer):
    """A bias per head, values in heads, the gate over all channels: a mixer for each head."""

    raised = "full"

    def __init__(self, heads=4):
        super().__init__()
        self.heads = heads
        self.bias = nn.Parameter(torch.randn(heads, LONGEST, LONGEST) * 0.3)
        self.register_buffer("tril", torch.tril(torch.ones(LONGEST, LONGEST)))

    def mix(self, q, k, v):
        B, T, C = q.shape
        k, v = (t.view(B, T, self.heads, -1).transpose(1, 2) for t in (k, v))
        w = self.bias[:, :T, :T].masked_fill(self.tril[:T, :T] == 0, float("-inf")).exp()
        k = k.exp()
        y = torch.einsum("hts,bhsd->bhtd", w, k * v) / torch.einsum("hts,bhsd->bhtd", w, k)
        return q.sigmoid() * y.transpose(1, 2).reshape(B, T, C)


class RepeatedKeys(WithBias):
    """Keys per head, repeated after the exponential; the bias softmaxed, padding hidden by a factor."""

    def __init__(self, heads=4):
        super().__init__()
        self.each = DIM // heads
        self.k = nn.Linear(DIM, heads)

    def mix(self, q, k, v):
        T = k.shape[1]
        seen = q.abs().sum(-1, keepdim=True) > 0
        k = torch.repeat_interleave(k.exp() * seen, self.each, dim=-1)
        w = torch.softmax(self.bias[:T, :T], dim=-1)
        return q.sigmoid() * torch.matmul(w, k * v) / torch.matmul(w, k)


class Sliding(WithBias):
    """Keys outside of the last few are hidden."""

    def mix(self, q, k, v):
        T = q.size(1)
        at = torch.arange(T, device=q.device)
        d = at[:, None] - at
        w = self.bias[:T, :T].masked_fill((d < 0) | (d >= 4), -math.inf).exp()
        k = k.exp()
        return q.sigmoid() * (w @ (k * v)) / (w @ k)


class Distances(Layer):
    """One number for each distance below the window, looked up by a difference of places."""

    raised = "conv"

    def __init__(self, window=4):
        super().__init__()
        self.window = window
        self.table = nn.Parameter(torch.randn(2 * window - 1) * 0.5)

    def mix(self, q, k, v):
        T = q.size(1)
        at = torch.arange(T, device=q.device)
        d = at[None, :] - at[:, None]
        place = (d + self.window - 1).clamp(0, 2 * self.window - 2)
        w = torch.where(d.abs() < self.window, self.table[place], 0.0).exp()
        return q.sigmoid() * (w @ (k.exp() * v)) / (w @ k.exp())


class RelativeHeads(Layer):
    """A table of biases per head and distance, as an embedding of a buffer of places."""

    raised = "conv"

    def __init__(self, window=3, heads=4):
        super().__init__()
        self.window, self.heads = window, heads
        self.table = nn.Embedding(2 * window - 1, heads)
        at = torch.arange(LONGEST)
        self.register_buffer("distance", at[None, :] - at[:, None])

    def mix(self, q, k, v):
        B, T, C = q.shape
        d = self.distance[:T, :T]
        place = torch.clamp(d + (self.window - 1), min=0, max=2 * self.window - 2)
        w = self.table(place).permute(2, 0, 1)
        w = w.masked_fill(d.abs() >= self.window, 0).exp()
        k, v = (t.view(B, T, self.heads, -1).permute(0, 2, 1, 3) for t in (k, v))
        k = k.exp()
        y = torch.matmul(w, k * v) / torch.matmul(w, k)
        return q.sigmoid() * y.permute(0, 2, 1, 3).reshape(B, T, C)


class Convolved(Layer):
    """Equation 6 in time: exp(w) - 1 convolved over exp(k) v, plus the sum over all."""

    raised = "conv"

    def __init__(self, size=5):
        super().__init__()
        self.filter = nn.Parameter(torch.randn(DIM, 1, size) * 0.5)

    def mix(self, q, k, v):
        k = k.transpose(1, 2)
        k = torch.exp(k - k.amax(-1, keepdim=True))
        kv = k * v.transpose(1, 2)
        w = torch.exp(self.filter) - 1
        above = F.conv1d(kv, w, padding="same", groups=w.shape[0]) + kv.sum(-1, keepdim=True)
        below = F.conv1d(k, w, padding="same", groups=w.shape[0]) + k.sum(-1, keepdim=True)
        return q.sigmoid() * (above / below).transpose(1, 2)


class CausalConvolved(Layer):
    """The same to the left of each query, one filter and key per head, by expm1."""

    raised = "conv"

    def __init__(self, size=4, heads=4):
        super().__init__()
        self.size, self.heads = size, heads
        self.k = nn.Linear(DIM, heads)
        self.filter = nn.Parameter(torch.randn(heads, 1, size) * 0.5)

    def mix(self, q, k, v):
        B, T, C = v.shape
        each = C // self.heads
        k = k.transpose(1, 2).exp()
        kv = (k.unsqueeze(2) * v.transpose(1, 2).reshape(B, self.heads, each, T)).reshape(B, C, T)
        w = torch.expm1(self.filter)
        left = (self.size - 1, 0)
        above = F.conv1d(F.pad(kv, left), w.repeat_interleave(each, 0), groups=C) + kv.cumsum(-1)
        below = F.conv1d(F.pad(k, left), w, groups=self.heads) + k.cumsum(-1)
        y = above.view(B, self.heads, each, T) / below.unsqueeze(2)
        return q.sigmoid() * y.reshape(B, C, T).transpose(1, 2)


class OnlyConvolved(Convolved):
    """Without the sum keys outside of the filter are hidden: no aft.conv."""

    raised = ""

    def mix(self, q, k, v):
        k = k.transpose(1, 2).exp()
        w = torch.exp(self.filter)
        above = F.conv1d(k * v.transpose(1, 2), w, padding=2, groups=w.shape[0])
        return q.sigmoid() * (above / F.conv1d(k, w, padding=2, groups=w.shape[0])).transpose(1, 2)


class TimeWeighting(Layer):
    """RWKV's first form: weights per head by distance that the denominator lacks."""

    raised = ""

    def __init__(self, heads=4):
        super().__init__()
        self.heads = heads
        self.time_w = nn.Parameter(torch.ones(heads, LONGEST))
        self.alpha = nn.Parameter(torch.rand(heads, 1, LONGEST) + 0.5)
        self.beta = nn.Parameter(torch.rand(heads, LONGEST, 1) + 0.5)

    def mix(self, q, k, v):
        B, T, C = q.shape
        n = self.time_w.shape[1]
        w = F.pad(self.time_w, (0, n)).repeat(1, n)
        w = w[:, :-n].reshape(-1, n, 2 * n - 1)[:, :, n - 1:]
        w = w[:, :T, :T] * self.alpha[:, :, :T] * self.beta[:, :T, :]
        k = torch.exp(torch.clamp(k, max=30))
        total = torch.cumsum(k, dim=1)
        kv = (k * v).view(B, T, self.heads, -1)
        wkv = torch.einsum("htu,buhc->bthc", w, kv).contiguous().view(B, T, -1)
        return torch.sigmoid(q) * wkv / total


class Image(nn.Module):
    """Equation 6 on a grid: x [B, 16, 6, 6], two heads."""

    raised = "conv"

    def __init__(self, size=3, heads=2):
        super().__init__()
        self.heads = heads
        self.q, self.v, self.out = (nn.Conv2d(DIM, DIM, 1) for _ in range(3))
        self.k = nn.Conv2d(DIM, heads, 1)
        self.w = nn.Parameter(torch.randn(heads, 1, size, size) * 0.5)

    def forward(self, x):
        C = x.shape[1]
        k = self.k(x).repeat_interleave(C // self.heads, dim=1)
        k = torch.exp(k - k.amax(dim=(2, 3), keepdim=True))
        kv = k * self.v(x)
        w = torch.exp(self.w.repeat_interleave(C // self.heads, dim=0)) - 1
        pad = self.w.shape[-1] // 2
        above = F.conv2d(kv, w, padding=pad, groups=C) + kv.sum((2, 3), keepdim=True)
        below = F.conv2d(k, w, padding=pad, groups=C) + k.sum((2, 3), keepdim=True)
        return self.out(torch.sigmoid(self.q(x)) * (above / below))


# With a length that the program knows: what it takes to be a filter as long as that.

LENGTH = 12


class Decay(Layer):
    """RWKV-4's sum in matrix form: decay and bonus per channel by distance."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.decay, self.first = nn.Parameter(torch.randn(DIM)), nn.Parameter(torch.randn(DIM))

    def mix(self, q, k, v):
        at = torch.arange(LENGTH)
        d = at[:, None] - at[None, :]
        w = -(d - 1).unsqueeze(-1) * torch.exp(self.decay)
        w = torch.where((d == 0).unsqueeze(-1), self.first, w)
        w = w.masked_fill((d < 0).unsqueeze(-1), float("-inf"))
        a = torch.softmax(w + k.unsqueeze(1), dim=2)
        return torch.sigmoid(q) * (a * v.unsqueeze(1)).sum(2)


class CurveConvolved(Layer):
    """RWKV-2's: a causal convolution with exp(decay * curve), as long as the sequence."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.decay, self.first = nn.Parameter(torch.randn(DIM, 1)), nn.Parameter(torch.randn(DIM, 1))
        self.register_buffer("curve", torch.tensor([float(i + 2 - LENGTH) for i in range(LENGTH - 1)])[None])

    def mix(self, q, k, v):
        k = torch.exp(torch.clamp(k.transpose(-1, -2), -60, 30))
        kv = k * v.transpose(-1, -2)
        w = torch.cat([torch.exp(self.decay) * self.curve, self.first], dim=-1)
        w = torch.exp(w).unsqueeze(1)
        left = nn.ZeroPad2d((LENGTH - 1, 0, 0, 0))
        wkv = F.conv1d(left(kv), w, groups=w.shape[0])
        wk = F.conv1d(left(k), w, groups=w.shape[0])
        return torch.sigmoid(q) * (wkv / wk).transpose(-1, -2)


class Loop(Layer):
    """RWKV-4's as a loop over time with running maxima, unrolled by the export."""

    raised = "conv"

    def __init__(self, length=LENGTH):
        super().__init__()
        self.length = length
        self.decay, self.first = nn.Parameter(torch.randn(DIM)), nn.Parameter(torch.randn(DIM))

    def mix(self, q, k, v):
        aa = torch.zeros_like(k[:, 0])
        bb, pp, rows = torch.zeros_like(aa), torch.full_like(aa, -1e38), []
        w = -torch.exp(self.decay)
        for t in range(self.length):
            kk, vv = k[:, t], v[:, t]
            top = torch.maximum(pp, self.first + kk)
            e1, e2 = torch.exp(pp - top), torch.exp(self.first + kk - top)
            rows.append((e1 * aa + e2 * vv) / (e1 * bb + e2))
            top = torch.maximum(pp + w, kk)
            e1, e2 = torch.exp(pp + w - top), torch.exp(kk - top)
            aa, bb, pp = e1 * aa + e2 * vv, e1 * bb + e2, top
        return torch.sigmoid(q) * torch.stack(rows, dim=1)


class PlainLoop(Loop):
    """The same without maxima."""

    def mix(self, q, k, v):
        above, below, rows = torch.zeros_like(k[:, 0]), torch.zeros_like(k[:, 0]), []
        keys, fade, own = torch.exp(k), torch.exp(-torch.exp(self.decay)), torch.exp(self.first)
        for t in range(self.length):
            here = keys[:, t] * v[:, t]
            rows.append((above + own * here) / (below + own * keys[:, t]))
            above, below = fade * above + here, fade * below + keys[:, t]
        return torch.sigmoid(q) * torch.stack(rows, dim=1)


FREE = [Products, Mean, TimeFirst, Broadcast, Softmaxed, Factors, Running, Heads, RepeatedKeys,
        Sliding, Distances, RelativeHeads, Convolved, CausalConvolved, OnlyConvolved, TimeWeighting]
FIXED = [Decay, CurveConvolved, Loop, PlainLoop]


class All(nn.Module):
    """Each of them on the same input, by name."""

    def __init__(self, kinds):
        super().__init__()
        self.models = nn.ModuleDict({kind.__name__: kind() for kind in kinds})

    def forward(self, x):
        return [model(x) for model in self.models.values()]
