"""Further spellings of the mixers by different hands, in code of our own: in the habits of einops users, of
vision models, of recurrent language models and of numerical code. As in public.py.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from public import DIM, LENGTH, LONGEST, Layer, WithBias

LOG2E = math.log2(math.e)


# Einsums in the letters of whoever wrote them

def exists(value):
    return value is not None


def default(value, other):
    return value if exists(value) else other


class Letters(nn.Module):
    """One projection for all three, letters spelled i and j, the lowest float filled in."""

    raised = "full"

    def __init__(self, inner=None, causal=True):
        super().__init__()
        inner = default(inner, DIM)
        self.causal = causal
        self.to_qkv = nn.Linear(DIM, inner * 3, bias=False)
        self.to_out = nn.Linear(inner, DIM)
        self.pos_emb = nn.Parameter(torch.randn(LONGEST, LONGEST) * 0.3)

    def forward(self, x):
        n, device = x.shape[1], x.device
        q, k, v = self.to_qkv(x).chunk(3, dim=-1)
        bias = self.pos_emb[:n, :n]
        if self.causal:
            mask = torch.ones((n, n), device=device).triu(1).bool()
            bias = bias.masked_fill(mask, -torch.finfo(bias.dtype).max)
        attn = (bias - bias.amax(dim=-1, keepdim=True)).exp()
        k = (k - k.amax(dim=1, keepdim=True)).exp()
        num = torch.einsum('i j, b j d -> b i d', attn, k * v)
        den = torch.einsum('i j, b j d -> b i d', attn, k)
        return self.to_out(torch.sigmoid(q) * num / den)


class RunningLogarithm(Layer):
    """The denominator as a running logarithm of sums."""

    raised = "simple"

    def mix(self, q, k, v):
        total = torch.logcumsumexp(k, dim=1)
        return torch.sigmoid(q) * (k.exp() * v).cumsum(dim=1) * torch.exp(-total)


class Means(Layer):
    """Means in place of sums."""

    raised = "simple"

    def mix(self, q, k, v):
        weights = (k - k.amax(dim=1, keepdim=True)).exp()
        pooled = torch.mean(weights * v, dim=1, keepdim=True) / torch.mean(weights, dim=1, keepdim=True)
        return torch.sigmoid(q) * pooled


class OddLetters(WithBias):
    """Three operands in one einsum, in letters that say nothing."""

    def mix(self, q, k, v):
        T = q.size(1)
        w = self.bias[:T, :T].exp()
        num = torch.einsum("zx,yxq,yxq->yzq", w, k.exp(), v)
        den = torch.einsum("pu,tuo->tpo", w, k.exp())
        return torch.einsum("abc,abc->abc", q.sigmoid(), num / den)


class KeysTimesWeights(WithBias):
    """Weights per pair formed first, [b, i, j, d]."""

    def mix(self, q, k, v):
        T = q.size(1)
        weights = torch.einsum("ij,bjd->bijd", self.bias[:T, :T].exp(), k.exp())
        return q.sigmoid() * torch.einsum("bijd,bjd->bid", weights, v) / weights.sum(2)


# Logarithms and other bases

class LogSumExp(WithBias):
    """The weights by the logarithm of their sum."""

    def mix(self, q, k, v):
        T = q.size(1)
        logits = self.bias[:T, :T, None] + k[:, None, :, :]
        lse = torch.logsumexp(logits, dim=2, keepdim=True)
        return q.sigmoid() * torch.sum(torch.exp(logits - lse) * v[:, None], dim=2)


class LogDenominator(WithBias):
    """The numerator as a product, the denominator by its logarithm."""

    def mix(self, q, k, v):
        T = q.size(1)
        w = self.bias[:T, :T]
        lse = torch.logsumexp(w[None, :, :, None] + k[:, None], dim=2)
        return q.sigmoid() * (w.exp() @ (k.exp() * v)) * torch.exp(-lse)


class PowersOfE(WithBias):
    """e ** w"""

    def mix(self, q, k, v):
        T = q.size(1)
        w, k = math.e ** self.bias[:T, :T], torch.pow(math.e, k)
        return q.sigmoid() * (w @ (k * v)) / (w @ k)


class PowersOfTwo(WithBias):
    """exp2, the sum of key and bias scaled as one."""

    def mix(self, q, k, v):
        T = q.size(1)
        logits = (self.bias[:T, :T, None] + k[:, None]) * LOG2E
        weights = torch.exp2(logits - logits.amax(2, keepdim=True))
        return q.sigmoid() * (weights * v[:, None]).sum(2) / weights.sum(2)


class Temperature(WithBias):
    """softmax over time of scaled sums."""

    def __init__(self):
        super().__init__()
        self.scale = DIM ** -0.5

    def mix(self, q, k, v):
        T = q.size(1)
        logits = (self.bias[:T, :T, None] + k[:, None]) * self.scale
        later = torch.arange(T)[None, :] > torch.arange(T)[:, None]
        attn = F.softmax(logits.masked_fill(later[:, :, None], float("-inf")), dim=2)
        return F.relu(q) * torch.einsum("btsd,bsd->btd", attn, v)


# Small numbers

class AddedEpsilon(WithBias):
    """A number added to a denominator that cannot be 0."""

    def mix(self, q, k, v):
        T = q.size(1)
        w, k = self.bias[:T, :T].exp(), k.exp()
        return q.sigmoid() * (w @ (k * v)) / (w @ k + 1e-6)


class BoundedBelowMaximum(WithBias):
    """A bound that never holds: one of the terms is 1."""

    def mix(self, q, k, v):
        T = q.size(1)
        scores = self.bias[:T, :T].unsqueeze(0).unsqueeze(-1) + k.unsqueeze(1)
        scores = scores - scores.amax(dim=2, keepdim=True)
        weights = scores.exp()
        mixed = (weights * v.unsqueeze(1)).sum(dim=2)
        return q.sigmoid() * mixed / weights.sum(dim=2).clamp(min=1e-8)


class BoundedDenominator(WithBias):
    """A maximum is no sum."""

    raised = ""

    def mix(self, q, k, v):
        T = q.size(1)
        w, k = self.bias[:T, :T].exp(), k.exp()
        return q.sigmoid() * (w @ (k * v)) / torch.clamp_min(w @ k, 1e-6)


class RunningEpsilon(Layer):
    """The same to running sums below a maximum."""

    raised = "simple"

    def mix(self, q, k, v):
        k = torch.exp(k - k.amax(1, keepdim=True))
        return q.sigmoid() * torch.cumsum(k * v, 1) / (torch.cumsum(k, 1) + 1e-8)


class PositiveKeys(Layer):
    """No weight is 0: a small number is added to each."""

    raised = "simple"

    def mix(self, q, k, v):
        k = torch.exp(k) + 1e-4
        return q.sigmoid() * torch.cumsum(k * v, 1) / torch.cumsum(k, 1)


# Directions and layouts

class Backwards(Layer):
    """Each position sees itself and what follows."""

    raised = "simple"

    def mix(self, q, k, v):
        k = k.exp()
        num = torch.flip(torch.cumsum(torch.flip(k * v, [1]), 1), [1])
        den = torch.flip(torch.cumsum(torch.flip(k, [1]), 1), [1])
        return q.sigmoid() * num / den


class BothWays(Layer):
    """Half of the channels in each direction."""

    raised = "simple"

    def mix(self, q, k, v):
        (k1, k2), (v1, v2) = k.exp().chunk(2, -1), v.chunk(2, -1)
        ahead = (k1 * v1).cumsum(1) / k1.cumsum(1)
        back = (k2 * v2).flip(1).cumsum(1).flip(1) / k2.flip(1).cumsum(1).flip(1)
        return q.sigmoid() * torch.cat([ahead, back], -1)


class Upper(Layer):
    """The sums from each position on as products with a triangle."""

    raised = "simple"

    def mix(self, q, k, v):
        T = q.size(1)
        upper, k = torch.ones(T, T).triu(), k.exp()
        return q.sigmoid() * (upper @ (k * v)) / (upper @ k)


class ChannelsFirst(nn.Module):
    """[B, C, T] between convolutions of one tap; the bias is multiplied from the right."""

    raised = "full"

    def __init__(self):
        super().__init__()
        self.qkv = nn.Conv1d(DIM, 3 * DIM, 1)
        self.proj = nn.Conv1d(DIM, DIM, 1)
        self.pos = nn.Parameter(torch.randn(LONGEST, LONGEST) * 0.3)

    def forward(self, x):
        x = x.transpose(1, 2)
        T = x.shape[-1]
        q, k, v = torch.split(self.qkv(x), DIM, dim=1)
        k = torch.exp(k - k.max(dim=-1, keepdim=True).values)
        w = torch.exp(self.pos[:T, :T] - self.pos[:T, :T].max()).t()
        y = torch.sigmoid(q) * torch.matmul(k * v, w) / torch.matmul(k, w)
        return self.proj(y).transpose(1, 2)


class ManyHeads(Layer):
    """The simple form in heads, [B, H, T, c], by a softmax over positions."""

    raised = "simple"

    def mix(self, q, k, v):
        B, T, C = q.shape
        q, k, v = (t.reshape(B, T, 4, C // 4).permute(0, 2, 1, 3) for t in (q, k, v))
        context = (k.softmax(dim=-2) * v).sum(dim=-2, keepdim=True)
        return (q.sigmoid() * context).transpose(1, 2).reshape(B, T, C)


class Memory(nn.Module):
    """Queries of one sequence, keys of another: every second position."""

    raised = "full"

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(DIM, DIM) for _ in range(3))
        self.bias = nn.Parameter(torch.randn(LONGEST, LONGEST) * 0.3)

    def forward(self, x):
        memory = x.mean(1, keepdim=True) + self.bias[:7, :DIM]
        q, k, v = self.q(x), self.k(memory), self.v(memory)
        w = torch.exp(self.bias[:x.size(1), :7])
        return q.sigmoid() * torch.matmul(w, torch.exp(k) * v) / torch.matmul(w, torch.exp(k))


# Biases that are less than a matrix

class NoBias(Layer):
    """A bias that was never trained: zeros."""

    raised = "simple"

    def __init__(self):
        super().__init__()
        self.register_buffer("pos_bias", torch.zeros(LONGEST, LONGEST))
        self.register_buffer("mask", torch.tril(torch.ones(LONGEST, LONGEST)).view(1, LONGEST, LONGEST))

    def mix(self, q, k, v):
        T = q.size(1)
        w = self.pos_bias[:T, :T].masked_fill(self.mask[0, :T, :T] == 0, float("-inf")).exp()
        k = k.exp()
        return q.sigmoid() * (w @ (k * v)) / (w @ k)


class FreshZeros(Layer):
    """The same, made in the forward."""

    raised = "simple"

    def mix(self, q, k, v):
        T = q.size(1)
        w, k = torch.zeros(T, T).exp(), k.exp()
        return q.sigmoid() * (w @ (k * v)) / (w @ k)


class RowsAndColumns(Layer):
    """A number for the query plus one for the key."""

    raised = "simple"

    def __init__(self):
        super().__init__()
        self.row, self.column = (nn.Parameter(torch.randn(LONGEST)) for _ in range(2))

    def mix(self, q, k, v):
        T = q.size(1)
        w = (self.row[:T, None] + self.column[None, :T]).exp()
        k = k.exp()
        return q.sigmoid() * (w @ (k * v)) / (w @ k)


class Slopes(Layer):
    """A slope per head times the distance."""

    raised = "full"

    def __init__(self, heads=4):
        super().__init__()
        self.heads = heads
        self.register_buffer("slopes", 2.0 ** -torch.arange(1, heads + 1).float())

    def mix(self, q, k, v):
        B, T, C = q.shape
        at = torch.arange(T)
        bias = -self.slopes.view(-1, 1, 1) * (at[None, :] - at[:, None]).abs()
        k, v = (t.view(B, T, self.heads, -1).transpose(1, 2) for t in (k, v))
        w, k = bias.exp(), k.exp()
        y = (w @ (k * v)) / (w @ k)
        return q.sigmoid() * y.transpose(1, 2).reshape(B, T, C)


class LearnedDecay(Layer):
    """A decay per head that is learned as a sigmoid, to the power of the distance, earlier keys alone."""

    raised = "full"

    def __init__(self, heads=4):
        super().__init__()
        self.heads = heads
        self.gamma = nn.Parameter(torch.linspace(1, 4, heads))

    def mix(self, q, k, v):
        B, T, C = q.shape
        pos = torch.arange(T, device=q.device)
        steps = (pos.view(-1, 1) - pos.view(1, -1)).clamp(min=0)
        decay = (torch.sigmoid(self.gamma).view(-1, 1, 1) ** steps).tril()
        k, v = (t.reshape(B, T, self.heads, -1).permute(0, 2, 1, 3) for t in (k, v))
        k = k.exp()
        mixed = torch.einsum("hts,bhsc->bhtc", decay, k * v) / torch.einsum("hts,bhsc->bhtc", decay, k)
        return q.sigmoid() * mixed.permute(0, 2, 1, 3).reshape(B, T, C)


class Skewed(Layer):
    """A table by distance and head, laid out by padding and reshaping: as long as the sequence."""

    raised = "conv"

    def __init__(self, heads=4):
        super().__init__()
        self.heads = heads
        self.table = nn.Parameter(torch.randn(heads, 2 * LONGEST - 1) * 0.3)

    def mix(self, q, k, v):
        B, T, C = q.shape
        n, h = LONGEST, self.heads
        w = F.pad(self.table, (0, 1)).repeat(1, n)
        w = w[:, :-n].reshape(h, n, 2 * n - 1)[:, :, n - 1:]
        w = torch.exp(w[:, :T, :T])
        k, v = (t.view(B, T, h, -1) for t in (k, v))
        k = torch.exp(k)
        y = torch.einsum("htu,buhc->bthc", w, k * v) / torch.einsum("htu,buhc->bthc", w, k)
        return q.sigmoid() * y.reshape(B, T, C)


class SkewedWindow(Layer):
    """The same with a short table, zeros around it, and later keys hidden."""

    raised = "conv"

    def __init__(self, heads=4, window=5):
        super().__init__()
        self.heads, self.window = heads, window
        self.table = nn.Parameter(torch.randn(heads, window) * 0.5)
        self.register_buffer("seen", torch.tril(torch.ones(LONGEST, LONGEST)))

    def mix(self, q, k, v):
        B, T, C = q.shape
        n, h = LONGEST, self.heads
        w = F.pad(self.table, (n - self.window, n)).repeat(1, n)
        w = w[:, :-n].reshape(h, n, 2 * n - 1)[:, :T, n - 1:n - 1 + T]
        w = torch.exp(w).masked_fill(self.seen[:T, :T] == 0, 0)
        k, v = (t.view(B, T, h, -1) for t in (k, v))
        k = torch.exp(k)
        y = torch.einsum("htu,buhc->bthc", w, k * v) / torch.einsum("htu,buhc->bthc", w, k)
        return q.sigmoid() * y.reshape(B, T, C)


class Clock(Layer):
    """Keys that grow with time: a decay without a matrix."""

    raised = "simple"

    def __init__(self):
        super().__init__()
        self.decay = nn.Parameter(torch.rand(DIM))

    def mix(self, q, k, v):
        T = q.size(1)
        at = torch.arange(T, dtype=k.dtype).view(1, T, 1)
        weights = torch.exp(k + at * self.decay * 0.1)
        return q.sigmoid() * torch.cumsum(weights * v, dim=-2).div(torch.cumsum(weights, dim=-2))


# Recurrent language models, at one length

class DecayPowers(Layer):
    """A decay per head below 1 to the power of the distance, as retention has it, in a buffer."""

    raised = "conv"

    def __init__(self, heads=4):
        super().__init__()
        self.heads = heads
        self.register_buffer("decay", 1 - 2.0 ** (-1 - torch.arange(heads).float()))

    def weights(self, d):
        return torch.where(d >= 0, self.decay.view(-1, 1, 1) ** d.clamp(min=0), 0.0)

    def mix(self, q, k, v):
        B, T, C = q.shape
        n = torch.arange(LENGTH)
        w = self.weights(n[:, None] - n[None, :])
        k, v = (t.view(B, T, self.heads, -1).transpose(1, 2) for t in (k, v))
        k = k.exp()
        y = (w @ (k * v)) / (w @ k)
        return q.sigmoid() * y.transpose(1, 2).reshape(B, T, C)


class AnyDecay(DecayPowers):
    """The same with a parameter, which may become negative."""

    raised = ""

    def __init__(self):
        super().__init__()
        decay = self.decay
        del self.decay
        self.decay = nn.Parameter(decay)


class DecayExponents(DecayPowers):
    """By the logarithm of the decay."""

    raised = "conv"

    def weights(self, d):
        return torch.exp(torch.log(self.decay).view(-1, 1, 1) * d) * (d >= 0)


class ClampedDecay(Layer):
    """RWKV-4's matrix form, what fades bounded from below."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.decay, self.first = nn.Parameter(torch.randn(DIM)), nn.Parameter(torch.randn(DIM))

    def mix(self, q, k, v):
        at = torch.arange(LENGTH)
        d = (at[:, None] - at[None, :]).unsqueeze(-1)
        w = torch.clamp(-torch.exp(self.decay) * (d - 1), min=-20, max=20)
        w = torch.where(d == 0, self.first, w).masked_fill(d < 0, float("-inf"))
        logits = w[None] + k[:, None]
        weights = torch.exp(logits - logits.max(dim=2, keepdim=True)[0])
        return q.sigmoid() * (weights * v[:, None]).sum(2) / weights.sum(2)


class ClampedSum(Layer):
    """Key and bias bounded together: what cannot be told apart."""

    raised = ""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(LENGTH, LENGTH) * 0.3)

    def mix(self, q, k, v):
        weights = torch.exp(torch.clamp(self.bias[None, :, :, None] + k[:, None], max=60))
        return q.sigmoid() * (weights * v[:, None]).sum(2) / weights.sum(2)


class GrowingLoop(Layer):
    """A loop that joins each row to those before, with the decay of a clock."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.log_decay = nn.Parameter(torch.rand(DIM))

    def mix(self, q, k, v):
        fade = torch.exp(-F.softplus(self.log_decay))
        weights = torch.exp(k)
        top, bottom = weights[:, :1] * v[:, :1], weights[:, :1]
        out = top / bottom
        for i in range(1, LENGTH):
            top = fade * top + weights[:, i:i + 1] * v[:, i:i + 1]
            bottom = fade * bottom + weights[:, i:i + 1]
            out = torch.cat((out, top / bottom), dim=1)
        return q.sigmoid() * out


class Averages(Layer):
    """Moving averages with a decay that is learned as a sigmoid."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.randn(DIM))

    def mix(self, q, k, v):
        alpha, k = torch.sigmoid(self.alpha), torch.exp(k)
        ema_kv, ema_k = torch.zeros_like(k[:, 0]), torch.zeros_like(k[:, 0])
        outputs = []
        for k_t, v_t in zip(k.unbind(dim=1), v.unbind(dim=1)):
            ema_kv = alpha * ema_kv + k_t * v_t
            ema_k = alpha * ema_k + k_t
            outputs.append(ema_kv / ema_k)
        return q.sigmoid() * torch.stack(outputs, dim=1)


class InPlaceLoop(Layer):
    """A loop that writes its rows into a tensor."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.time_decay, self.time_first = nn.Parameter(torch.randn(DIM)), nn.Parameter(torch.randn(DIM))

    def mix(self, q, k, v):
        out = torch.zeros_like(k)
        num = torch.zeros_like(k[:, 0], dtype=torch.float32)
        den = torch.zeros_like(k[:, 0], dtype=torch.float32)
        top = torch.zeros_like(k[:, 0], dtype=torch.float32) - 1e38
        decay = -torch.exp(self.time_decay)
        for i in range(LENGTH):
            key, value = k[:, i].float(), v[:, i]
            here = torch.maximum(top, key + self.time_first)
            e1, e2 = torch.exp(top - here), torch.exp(key + self.time_first - here)
            out[:, i] = ((e1 * num + e2 * value) / (e1 * den + e2)).to(out.dtype)
            here = torch.maximum(top + decay, key)
            e1, e2 = torch.exp(top + decay - here), torch.exp(key - here)
            num, den, top = e1 * num + e2 * value, e1 * den + e2, here
        return q.sigmoid() * out


class TransposedLoop(Layer):
    """Time first, no maxima, the bonus as a factor, the gate in the loop's rows."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.w, self.u = nn.Parameter(torch.rand(DIM)), nn.Parameter(torch.randn(DIM))

    def mix(self, q, k, v):
        keys, v = torch.exp(k.transpose(0, 1)), v.transpose(0, 1)
        decay, bonus = torch.exp(-self.w), torch.exp(self.u)
        num = den = torch.zeros_like(v[0])
        out = []
        for t in range(LENGTH):
            kv = keys[t] * v[t]
            out.append((num + bonus * kv) / (den + bonus * keys[t]))
            num, den = num * decay + kv, den * decay + keys[t]
        return torch.sigmoid(q) * torch.stack(out).transpose(0, 1)


class DataDecay(Layer):
    """A decay that follows the data, which a filter does not."""

    raised = ""

    def mix(self, q, k, v):
        num = den = torch.zeros_like(v[:, 0])
        out = []
        for t in range(LENGTH):
            fade, here = torch.exp(-F.softplus(q[:, t])), torch.exp(k[:, t])
            num, den = fade * num + here * v[:, t], fade * den + here
            out.append(num / den)
        return torch.stack(out, 1)


class FromTheEnd(WithBias):
    """The last rows and columns of a longer bias."""

    def mix(self, q, k, v):
        T = q.shape[1]
        w = (self.bias[-T:, LONGEST - T:] * (1 / T)).exp()
        k = k * T ** -0.5
        return q.sigmoid() * (w @ (k.exp() * v)) / (w @ k.exp())


class OnesApart(WithBias):
    """As the paper computes it: the sum over all keys, and the weights less 1."""

    def mix(self, q, k, v):
        T = q.shape[1]
        w, e = torch.expm1(self.bias[:T, :T]), torch.exp(k - k.amax(1, True))
        num, den = w @ (e * v) + (e * v).sum(1, True), w @ e + e.sum(1, True)
        return q.sigmoid() * num / den


class RunningOnesApart(WithBias):
    """The same where a query sees earlier keys alone."""

    def mix(self, q, k, v):
        T = q.shape[1]
        w, e = (self.bias[:T, :T].exp() - 1).tril(), torch.exp(k)
        num, den = w @ (e * v) + (e * v).cumsum(1), w @ e + e.cumsum(1)
        return q.sigmoid() * num / den


class NearOnesApart(WithBias):
    """The same with a bias for near keys, in one call for product and sum."""

    raised = "local"

    def __init__(self):
        super().__init__()
        place = torch.arange(LONGEST)
        self.register_buffer("near", (place[:, None] - place).abs() < 4)

    def mix(self, q, k, v):
        B, T, _ = q.shape
        w = torch.expm1(self.bias[:T, :T] * self.near[:T, :T]).expand(B, -1, -1)
        e = torch.exp(k)
        num, den = (torch.baddbmm(x.sum(1, True).expand_as(x), w, x) for x in (e * v, e))
        return q.sigmoid() * num / den


class TriangleBelowZero(WithBias):
    """Hidden by a comparison with the triangle of -inf that others add."""

    raised = "local"

    def __init__(self):
        super().__init__()
        place = torch.arange(LONGEST)
        self.register_buffer("near", ((place[:, None] - place).abs() < 4).float())
        self.register_buffer("triangle", torch.full((LONGEST, LONGEST), float("-inf")).triu(1))

    def weights(self, T):
        return (self.bias * self.near)[:T, :T].masked_fill(self.triangle[:T, :T] < 0, float("-inf"))

    def mix(self, q, k, v):
        w, k = self.weights(q.shape[1]).exp(), k.exp()
        return q.sigmoid() * (w @ (k * v)) / (w @ k)


class RoundedTriangle(TriangleBelowZero):
    """The bias, its window and the triangle in bf16."""

    def weights(self, T):
        bias, near, triangle = (x[:T, :T].bfloat16() for x in (self.bias, self.near, self.triangle))
        return (bias * near + triangle).float()


FREE = [Letters, RunningLogarithm, Means, OddLetters, KeysTimesWeights, LogSumExp, LogDenominator, PowersOfE,
        PowersOfTwo, Temperature, AddedEpsilon, BoundedBelowMaximum, BoundedDenominator, RunningEpsilon,
        PositiveKeys, Backwards, BothWays, Upper, ChannelsFirst, ManyHeads, Memory, NoBias, FreshZeros,
        RowsAndColumns, Slopes, LearnedDecay, Skewed, SkewedWindow, Clock, FromTheEnd, OnesApart,
        RunningOnesApart, NearOnesApart, TriangleBelowZero, RoundedTriangle]
FIXED = [DecayPowers, AnyDecay, DecayExponents, ClampedDecay, ClampedSum, GrowingLoop, Averages, InPlaceLoop,
         TransposedLoop, DataDecay]
