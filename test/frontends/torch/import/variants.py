"""More spellings, and neighbours that are no mixers and must come out as they are. As in public.py."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from public import DIM, LENGTH, LONGEST, Layer, WithBias

HEADS = 4


class LowRank(Layer):
    """A bias of two factors, scaled, and the fraction by reciprocal."""

    def __init__(self, rank=6):
        super().__init__()
        self.wbias1, self.wbias2 = (nn.Parameter(torch.empty(LONGEST, rank)) for _ in range(2))
        nn.init.xavier_uniform_(self.wbias1)
        nn.init.xavier_uniform_(self.wbias2)

    def mix(self, q, k, v):
        B, T, _ = q.shape
        w = (self.wbias1 @ self.wbias2.t()).mul(self.wbias1.shape[1] ** -0.5)[:T, :T].unsqueeze(0)
        w = torch.exp(w.expand(B, T, T))
        top = k.max(dim=1, keepdim=True).values
        k = (k - top).exp()
        return torch.mul(q.sigmoid(), torch.bmm(w, k * v)) * torch.bmm(w, k).reciprocal()


class Buckets(Layer):
    """T5's buckets of distances, a bias per head by an embedding."""

    def __init__(self, buckets=8, far=16):
        super().__init__()
        self.table = nn.Embedding(buckets, HEADS)
        at = torch.arange(LONGEST)
        d = (at[:, None] - at[None, :]).clamp(min=0)
        exact = buckets // 2
        large = exact + (torch.log(d.clamp(min=1).float() / exact) / math.log(far / exact) * (buckets - exact)).long()
        self.register_buffer("bucket", torch.where(d < exact, d, large.clamp(max=buckets - 1)))

    def mix(self, q, k, v):
        B, T, C = q.shape
        w = self.table(self.bucket[:T, :T]).permute(2, 0, 1).unsqueeze(0)
        later = torch.ones(T, T, dtype=torch.bool).triu(1)
        w = w.masked_fill(later, -math.inf).exp()
        k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in (k, v))
        k = k.exp()
        return q.sigmoid() * ((w @ (k * v)) / (w @ k)).transpose(1, 2).flatten(2)


class LogSpace(WithBias):
    """Positive values, all in logarithms: exp(logsumexp(w + k + log v) - logsumexp(w + k))."""

    raised = ""

    def mix(self, q, k, v):
        T = q.size(1)
        logits = self.bias[:T, :T, None] + k[:, None]
        above = torch.logsumexp(logits + torch.log(F.softplus(v))[:, None], dim=2)
        return q.sigmoid() * torch.exp(above - torch.logsumexp(logits, dim=2))


class LinearAttention(Layer):
    """elu(x) + 1 as features of queries and keys, causal by running sums."""

    raised = ""

    def mix(self, q, k, v):
        q, k, v = (t.unflatten(-1, (HEADS, -1)) for t in (q, k, v))
        q, k = F.elu(q) + 1, F.elu(k) + 1
        state = torch.cumsum(torch.einsum("bthd,bthe->bthde", k, v), dim=1)
        below = torch.einsum("bthd,bthd->bth", q, k.cumsum(1)) + 1e-6
        return (torch.einsum("bthd,bthde->bthe", q, state) / below.unsqueeze(-1)).flatten(2)


class Gated(Layer):
    """AFT-simple of each channel's own gate, centred by what all channels have in common."""

    raised = "simple"

    def mix(self, q, k, v):
        k = k - k.mean(-1, keepdim=True)
        weights = F.softmax(k.float(), dim=1).type_as(v)
        return torch.tanh(q) * torch.einsum("btd,btd->bd", weights, v)[:, None]


class PaddingHidden(Layer):
    """Keys of rows that are all zeros are hidden before a causal running softmax."""

    raised = "simple"

    def forward(self, x):
        hidden = (x == 0).all(-1, keepdim=True)
        k = self.k(x).masked_fill(hidden, -math.inf)
        k = k - k.detach().masked_fill(hidden, -1e4).amax(1, keepdim=True)
        weights = torch.exp(k)
        return self.out(self.q(x).sigmoid() * torch.cumsum(weights * self.v(x), -2) / torch.cumsum(weights, -2))


class Shifted(Layer):
    """RWKV-4's time shift by padding, its matrix of decays built by cat and roll-free slices."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.shift = nn.ZeroPad2d((0, 0, 1, -1))
        self.mixed = nn.Parameter(torch.rand(3, 1, 1, DIM))
        self.time_decay = nn.Parameter(-torch.rand(DIM) * 3)
        self.time_first = nn.Parameter(torch.randn(DIM) * 0.3)

    def forward(self, x):
        xx = self.shift(x)
        xk, xv, xr = (x * m + xx * (1 - m) for m in self.mixed)
        k, v, r = self.k(xk), self.v(xv), torch.sigmoid(self.q(xr))
        at = torch.arange(LENGTH)
        d = (at.view(-1, 1) - at.view(1, -1)).unsqueeze(-1)
        decay = (d - 1) * -torch.exp(self.time_decay)
        w = torch.where(d > 0, decay, torch.where(d == 0, self.time_first.expand_as(decay), -math.inf))
        ew, ek = torch.exp(w), torch.exp(k)
        above = torch.einsum("tsc,bsc->btc", ew, ek * v)
        return self.out(r * above / torch.einsum("tsc,bsc->btc", ew, ek))


class LongFilter(Layer):
    """Hyena's: a filter made of places by a small network, fading, convolved causally; no denominator."""

    raised = ""

    def __init__(self):
        super().__init__()
        self.places = nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Linear(8, DIM))
        t = torch.linspace(0, 1, LENGTH)[:, None]
        self.register_buffer("features", torch.cat([t, torch.sin(2 * math.pi * t), torch.cos(2 * math.pi * t)], -1))
        self.register_buffer("fade", torch.exp(-t * torch.linspace(1, 8, DIM)))

    def mix(self, q, k, v):
        h = (self.places(self.features) * self.fade).t().flip(-1)
        u = F.pad((k * v).transpose(1, 2), (LENGTH - 1, 0))
        return q * F.conv1d(u, h[:, None], groups=DIM).transpose(1, 2)


class Retained(Layer):
    """Retention: products of queries and keys times a decay by distance, normalised per head."""

    raised = ""

    def __init__(self):
        super().__init__()
        self.norm = nn.GroupNorm(HEADS, DIM)
        gamma = 1 - 2.0 ** (-5 - torch.arange(float(HEADS)))
        d = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
        self.register_buffer("decay", (gamma[:, None, None] ** d).tril())

    def mix(self, q, k, v):
        B, T, C = q.shape
        q, k, v = (t.view(B, T, HEADS, -1).transpose(1, 2) for t in (q, k, v))
        scores = (q @ k.mT) * self.decay
        y = (scores @ v).transpose(1, 2).reshape(B * T, C)
        return F.silu(q.transpose(1, 2).reshape(B, T, C)) * self.norm(y).view(B, T, C)


class Zeros(Layer):
    """A bias of zeros that is neither parameter nor buffer, keys and values viewed as those of all queries."""

    raised = "simple"

    def __init__(self):
        super().__init__()
        self.position_biases = torch.zeros(LENGTH, LENGTH)

    def mix(self, q, k, v):
        b, n, d = q.shape
        k, v = k.view(1, b, n, d), v.view(1, b, n, d)
        weights = torch.exp(k + self.position_biases.view(n, 1, -1, 1))
        out = torch.sum(weights * v, dim=2) / torch.sum(weights, dim=2)
        return torch.sigmoid(q) * out.permute(1, 0, 2)


class Repeated(Layer):
    """Keys repeated for each query, a softmax over them, the gate as a factor of each pair's weight."""

    raised = "local"

    def __init__(self, window=4, rank=6):
        super().__init__()
        self.u, self.w = (nn.Parameter(torch.randn(LENGTH, rank) * 0.5) for _ in range(2))
        self.far = torch.ones(LENGTH, LENGTH).triu(window).bool() | torch.ones(LENGTH, LENGTH).tril(-window).bool()

    def mix(self, q, k, v):
        n = q.shape[1]
        bias = torch.einsum("nr,mr->nm", self.u, self.w).masked_fill(self.far, 0)
        weights = (k.unsqueeze(1).repeat(1, n, 1, 1) + bias[None, :, :, None]).softmax(dim=-2)
        weights = torch.einsum("bnd,bnmd->bnmd", torch.sigmoid(q), weights)
        return torch.einsum("bnmd,bmd->bnd", weights, v)


class Places(Layer):
    """The simple form of an image [B, C, H, W]."""

    raised = "simple"

    def mix(self, q, k, v):
        q, k, v = (t.transpose(1, 2).unflatten(2, (3, 4)) for t in (q, k, v))
        k = torch.exp(k - k.amax((2, 3), keepdim=True))
        pooled = (k * v).sum((2, 3), keepdim=True) / k.sum((2, 3), keepdim=True)
        return (q.sigmoid() * pooled).flatten(2).transpose(1, 2)


class HeadByHead(Layer):
    """Equation 6 on a grid, a convolution for each head, the sums over all places computed at once."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.k = nn.Linear(DIM, HEADS)
        self.filter = nn.Parameter(torch.randn(HEADS, 1, 3, 3) * 0.5)

    def around(self, x, head):
        w = self.filter[head].exp() - 1
        return F.conv2d(x, w.unsqueeze(0).expand(x.shape[1], -1, -1, -1), padding=1, groups=x.shape[1])

    def mix(self, q, k, v):
        B = q.shape[0]
        v = v.view(B, 3, 4, HEADS, -1).permute(0, 3, 4, 1, 2)
        k = k.view(B, 3, 4, HEADS, 1).permute(0, 3, 4, 1, 2).exp()
        above, below = (x.sum((-1, -2), keepdim=True) for x in (k * v, k))
        heads = []
        for head in range(HEADS):
            k1, v1 = k[:, head], v[:, head]
            heads.append((self.around(k1 * v1, head) + above[:, head]) / (self.around(k1, head) + below[:, head]))
        y = torch.stack(heads, dim=1).permute(0, 3, 4, 1, 2)
        return q.sigmoid() * y.reshape(B, LENGTH, DIM)


class RoundedKeys(WithBias):
    """Keys and values rounded to bf16 before all else is computed in f32."""

    def mix(self, q, k, v):
        T = q.size(1)
        w, k, v = self.bias[:T, :T].exp(), k.bfloat16().float().exp(), v.bfloat16().float()
        return q.sigmoid() * (w @ (k * v)) / (w @ k)


FREE = [LowRank, Buckets, LogSpace, LinearAttention, Gated, PaddingHidden, RoundedKeys]
FIXED = [Shifted, LongFilter, Retained, Zeros, Repeated, Places, HeadByHead]
