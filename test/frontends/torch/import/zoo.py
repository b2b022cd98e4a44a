"""Models of the import's tests: the attention-free mixers as they are written by hand, and common
transformers."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class AFTFull(nn.Module):
    """Equation 2 with a dense bias, as exp(k - max), exp(w - max) and einsum."""

    def __init__(self, dim, longest):
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.w = nn.Parameter(torch.randn(longest, longest) * 0.3)

    def forward(self, x):
        T = x.shape[1]
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        w = self.w[:T, :T].unsqueeze(0)
        ew = torch.exp(w - w.amax(-1, keepdim=True))
        ek = torch.exp(k - k.amax(1, keepdim=True))
        y = torch.sigmoid(q) * (ew @ (ek * v)) / (ew @ ek)
        return self.out(y)


class AFTSimple(nn.Module):
    """Equation 5: a softmax over time, and one weighted mean for all queries."""

    def __init__(self, dim):
        super().__init__()
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        weights = torch.softmax(self.k(x), 1)
        return self.out(torch.sigmoid(self.q(x)) * torch.mul(weights, self.v(x)).sum(1, True))


class AFTLocal(nn.Module):
    """A dense bias from factors, kept within a window by a mask; causal."""

    def __init__(self, dim, longest, window, rank=4):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.out = nn.Linear(dim, dim)
        self.u = nn.Parameter(torch.randn(longest, rank) * 0.3)
        self.r = nn.Parameter(torch.randn(longest, rank) * 0.3)
        ones = torch.ones(longest, longest)
        self.register_buffer("near", torch.triu(torch.tril(ones, window - 1), 1 - window))
        self.register_buffer("later", torch.triu(ones, 1).bool(), persistent=False)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.q(x), self.k(x), self.v(x)
        w = (self.u[:T] @ self.r[:T].transpose(0, 1)) * self.near[:T, :T]
        w = w.masked_fill(self.later[:T, :T], float("-inf"))
        terms = k.view(B, 1, T, C) + w.view(1, T, T, 1)
        a = torch.softmax(terms, dim=2)
        y = torch.einsum("btsc,bsc->btc", a, v)
        return self.out(torch.sigmoid(q) * y)


class AFTConv(nn.Module):
    """Equation 6 in one dimension, by a depthwise convolution of exp(k) v and exp(k)."""

    def __init__(self, dim, heads, size):
        super().__init__()
        self.heads, self.size = heads, size
        self.qv = nn.Linear(dim, 2 * dim)
        self.k = nn.Linear(dim, heads)
        self.out = nn.Linear(dim, dim)
        self.filter = nn.Parameter(torch.randn(heads, 1, size) * 0.3)
        self.gamma = nn.Parameter(torch.ones(heads, 1, 1) * 0.5)

    def forward(self, x):
        B, T, C = x.shape
        q, v = self.qv(x).split(C, dim=-1)
        k = self.k(x).transpose(1, 2)
        ek = torch.exp(k - k.max(dim=-1, keepdim=True).values)
        f = self.filter
        f = self.gamma * (f - f.mean(-1, keepdim=True)) / torch.sqrt(f.var(-1, unbiased=False, keepdim=True) + 1e-5)
        weights = torch.exp(f) - 1
        ekv = ek.unsqueeze(2) * v.transpose(1, 2).reshape(B, self.heads, C // self.heads, T)
        pad = (self.size - 1) // 2
        wide = weights.repeat_interleave(C // self.heads, dim=0)
        num = F.conv1d(ekv.reshape(B, C, T), wide, padding=pad, groups=C)
        num = num.view(B, self.heads, C // self.heads, T) + ekv.sum(-1, keepdim=True)
        den = F.conv1d(ek, weights, padding=pad, groups=self.heads) + ek.sum(-1, keepdim=True)
        y = (num / den.unsqueeze(2)).reshape(B, C, T).transpose(1, 2)
        return self.out(torch.sigmoid(q) * y)


class TimeMix(nn.Module):
    """RWKV's token shift and its weighted sum with an exponential decay, written out."""

    def __init__(self, dim, longest):
        super().__init__()
        self.mix_k, self.mix_v, self.mix_r = (nn.Parameter(torch.rand(1, 1, dim)) for _ in range(3))
        self.shift = nn.ZeroPad2d((0, 0, 1, -1))
        self.key, self.value, self.receptance, self.output = (
            nn.Linear(dim, dim, bias=False) for _ in range(4))
        self.decay = nn.Parameter(torch.randn(dim))
        self.first = nn.Parameter(torch.randn(dim))
        distance = torch.arange(longest)[:, None] - torch.arange(longest)[None, :]
        self.register_buffer("distance", distance.float())

    def forward(self, x):
        T = x.size(1)
        last = self.shift(x)
        k = self.key(x * self.mix_k + last * (1 - self.mix_k))
        v = self.value(x * self.mix_v + last * (1 - self.mix_v))
        r = self.receptance(x * self.mix_r + last * (1 - self.mix_r))
        d = self.distance[:T, :T].unsqueeze(-1)
        bias = -(d - 1) * torch.exp(self.decay)
        bias = torch.where(d == 0, self.first, bias)
        bias = bias.masked_fill(d < 0, float("-inf"))
        a = torch.softmax(bias.unsqueeze(0) + k.unsqueeze(1), dim=2)
        return self.output(torch.sigmoid(r) * (a * v.unsqueeze(1)).sum(2))


class Block(nn.Module):
    def __init__(self, dim, mixer):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mixer = mixer
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(0.1),
                                 nn.Linear(4 * dim, dim))

    def forward(self, x):
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Attention(nn.Module):
    """Causal attention as nanoGPT has it."""

    def __init__(self, dim, heads, fused):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.c_attn, self.c_proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.register_buffer("bias", torch.tril(torch.ones(32, 32)).view(1, 1, 32, 32))
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(C, dim=2)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            a = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
            a = a.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
            y = self.drop(F.softmax(a, dim=-1)) @ v
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))


class LanguageModel(nn.Module):
    """Token and position embeddings, blocks, and a head tied to the embedding."""

    def __init__(self, mixer, dim=16, layers=2, vocab=40, longest=32):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, dim), nn.Embedding(longest, dim)
        self.drop = nn.Dropout(0.1)
        self.blocks = nn.ModuleList(Block(dim, mixer()) for _ in range(layers))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, vocab, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, ids):
        pos = torch.arange(0, ids.size(1), dtype=torch.long, device=ids.device)
        x = self.drop(self.wte(ids) + self.wpe(pos))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class ViT(nn.Module):
    def __init__(self, dim=16, image=16, patch=4, classes=5):
        super().__init__()
        self.patches = nn.Conv2d(3, dim, patch, stride=patch)
        self.cls = nn.Parameter(torch.randn(1, 1, dim))
        self.pos = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, dim))
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(dim, 4, 32, activation="gelu", batch_first=True,
                                       norm_first=True), 2, enable_nested_tensor=False)
        self.head = nn.Linear(dim, classes)

    def forward(self, image):
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.size(0), -1, -1), x], dim=1) + self.pos
        return self.head(self.encoder(x)[:, 0])


class RotaryLlama(nn.Module):
    """A block as Llama has it: RMS norm, rotary positions, grouped keys, SwiGLU."""

    def __init__(self, dim=16, heads=4, groups=2, longest=32):
        super().__init__()
        self.heads, self.groups, self.size = heads, groups, dim // heads
        self.q = nn.Linear(dim, dim, bias=False)
        self.k = nn.Linear(dim, self.size * groups, bias=False)
        self.v = nn.Linear(dim, self.size * groups, bias=False)
        self.o = nn.Linear(dim, dim, bias=False)
        self.gate, self.up = nn.Linear(dim, 40, bias=False), nn.Linear(dim, 40, bias=False)
        self.down = nn.Linear(40, dim, bias=False)
        self.scale = nn.Parameter(torch.rand(dim) + 0.5)
        self.norm2 = nn.RMSNorm(dim, eps=1e-6)
        inverse = 1.0 / (10000 ** (torch.arange(0, self.size, 2).float() / self.size))
        self.register_buffer("inverse", inverse, persistent=False)

    @staticmethod
    def rotated(x):
        a, b = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2:]
        return torch.cat((-b, a), dim=-1)

    def forward(self, x):
        B, T, C = x.shape
        n = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale
        q = self.q(n).view(B, T, self.heads, self.size).transpose(1, 2)
        k = self.k(n).view(B, T, self.groups, self.size).transpose(1, 2)
        v = self.v(n).view(B, T, self.groups, self.size).transpose(1, 2)
        angles = torch.outer(torch.arange(T, device=x.device).float(), self.inverse)
        angles = torch.cat((angles, angles), dim=-1)
        q = q * angles.cos() + self.rotated(q) * angles.sin()
        k = k * angles.cos() + self.rotated(k) * angles.sin()
        repeat = self.heads // self.groups
        k = k[:, :, None].expand(B, self.groups, repeat, T, self.size).reshape(B, self.heads, T, -1)
        v = v[:, :, None].expand(B, self.groups, repeat, T, self.size).reshape(B, self.heads, T, -1)
        mask = torch.full((T, T), float("-inf"), device=x.device).triu(1)
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.o(a.transpose(1, 2).reshape(B, T, C))
        n = self.norm2(x)
        return x + self.down(F.silu(self.gate(n)) * self.up(n))


class Cubes(nn.Module):
    """A number that no formula over sizes gives."""

    def forward(self, x):
        return x + torch.arange(x.shape[0] ** 3, device=x.device)[-1]


class Shapes(nn.Module):
    """Several inputs in a tuple and a dict, several results, constants, changes in place."""

    def __init__(self):
        super().__init__()
        self.offset = torch.arange(40.0)  # a plain attribute: a constant of the file
        self.register_buffer("scale", torch.rand(6) + 0.5)

    def forward(self, pair, more):
        a, b = pair
        c = more["c"]
        total = a * self.scale + b
        total += 1
        total[:, 0] = c[:, 0]
        total.clamp_(-2, 2)
        with torch.no_grad():
            mean = total.mean(-1)
        picked = total[:, torch.tensor([0, 2, 1])]
        return {"total": total, "parts": (mean, picked + self.offset[3]), "none": None}


class Mlp(nn.Module):
    def __init__(self, activation=nn.ReLU, dtype=torch.float32):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(12, 24, dtype=dtype), activation(),
                                 nn.Dropout(0.5), nn.Linear(24, 6, dtype=dtype))

    def forward(self, x):
        return self.net(x)


class Nothing(nn.Module):
    """Appends rows of which there are none."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(16))
        self.register_buffer("rows", torch.zeros(0, 16))

    def forward(self, x):
        return torch.cat([x * self.scale, self.rows])


class Padded(nn.Module):
    """What lies beyond an edge is made of what is there."""

    def forward(self, x):
        return [F.pad(x, (1, 2), mode="reflect"), F.pad(x, (2, 1, 0, 3), mode="replicate"),
                F.pad(x, (3, 4), mode="circular"), F.pad(x, (-1, 2, 3, -1), value=0.5)]


class ConvNet(nn.Module):
    """Convolutions with batch normalisation and pooling, channels first."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
            nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.GroupNorm(2, 8),
            nn.SiLU(), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return F.log_softmax(self.head(torch.flatten(self.features(x), 1)), dim=-1)


class Resized(nn.Module):
    """An image at other sizes, which exported programs have an operator of their own for."""

    def forward(self, x):
        return [F.interpolate(x, scale_factor=2), F.interpolate(x, scale_factor=1.3, mode="bilinear"),
                F.interpolate(x, size=(5, 12), mode="bilinear", align_corners=True),
                F.interpolate(x, size=(11, 3), mode="bicubic"),
                F.interpolate(x, size=(3, 4), mode="bicubic", antialias=True),
                F.interpolate(x[:, 0], size=9, mode="linear"), F.interpolate(x, size=(5, 9)),
                F.interpolate(x, scale_factor=1.7), F.interpolate(x, size=(5, 9), mode="nearest-exact"),
                F.interpolate(x[:, 0], scale_factor=0.7)]


class Running(nn.Module):
    """What is computed from place to place, and memory read by strides."""

    def forward(self, x):
        windows = x.as_strided((x.shape[0], x.shape[1] - 1, 2, x.shape[2]),
                               (x.shape[1] * x.shape[2], x.shape[2], x.shape[2], 1))
        return [torch.cumprod(x, 1), torch.cumprod(x, 2), x.prod(1), x[:, :0].sum(1) + x.prod(-1, True).sum(1),
                *torch.cummax(x, 1), *torch.cummin(x, -1), windows,
                torch.repeat_interleave(x, 2, 1).cummax(1).values]


class StridesOfPart(nn.Module):
    def forward(self, x):
        return x[0].as_strided((3,), (12,))


class SelectsWide(nn.Module):
    """Rows of more places than could be visited."""

    def forward(self, x, ids):
        return torch.index_select(x.expand(2 ** 50, 4), 0, ids)


class Pooled(nn.Module):
    """The mean of values by weights over an image of any size."""

    def forward(self, x):
        k = x.flatten(2).softmax(-1)
        return x.sigmoid() * (k * x.flatten(2)).sum(-1)[:, :, None, None]


class Inner(nn.Module):
    def forward(self, x):
        return torch.linalg.svdvals(x)


class Unsupported(nn.Module):
    """An operator that has no rule, inside a module inside a module."""

    def __init__(self):
        super().__init__()
        self.outer = nn.ModuleDict({"inner": Inner()})

    def forward(self, x):
        return self.outer["inner"](x * 2)
