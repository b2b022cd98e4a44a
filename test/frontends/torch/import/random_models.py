"""Exports random models and compares what aft-run makes of the files with PyTorch's own results.

usage: random_models.py AFT_RUN [--first=SEED] [--count=N] [--keep=FOLDER]

A model is made from its seed: up to fourteen functions of PyTorch's on what there is so far,
beginning with one input, in which the batch and sometimes the length is free. It is run at the sizes
that it was exported with and at others. With --keep, files of models that fail are left there.
"""
import shutil
import sys
import warnings

import numpy
import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim, export

from harness import Checker

warnings.simplefilter("ignore")
FLAGS = dict(a[2:].split("=", 1) for a in sys.argv[2:])
FIRST, COUNT, KEEP = int(FLAGS.get("first", 0)), int(FLAGS.get("count", 10)), FLAGS.get("keep")
MOST = 30000  # elements of a value

UNARY = [F.gelu, F.silu, F.relu, torch.tanh, torch.sigmoid, F.elu, F.softplus, F.mish, F.hardswish,
         F.leaky_relu, F.celu, F.selu, torch.erf, torch.sin, torch.cos, torch.abs, torch.neg, F.relu6,
         F.hardtanh, F.logsigmoid, F.hardsigmoid, torch.square, torch.expm1, torch.sign,
         lambda x: x.exp(), lambda x: torch.log1p(x.abs()), lambda x: (x.abs() + 0.1).sqrt(),
         lambda x: (x * x + 0.5).rsqrt(), lambda x: 1 / (1 + x.abs()), lambda x: x ** 3,
         lambda x: x.clamp(-0.5, 0.75), lambda x: F.gelu(x, approximate="tanh"),
         lambda x: torch.where(x > 0.1234, x, 0.5 * x), lambda x: x.pow(2).mean(-1, keepdim=True) + x,
         lambda x: x.double().tanh().float(), lambda x: x.masked_fill(x < -0.3217, 0.25),
         lambda x: x - x.detach(), lambda x: F.normalize(x, dim=-1), lambda x: x * (x > 0.2468)]
BINARY = [torch.add, torch.sub, torch.mul, torch.maximum, torch.minimum, torch.logaddexp,
          lambda a, b: a / (1 + b.abs()), lambda a, b: torch.where(a > b, a, b * 0.5),
          lambda a, b: torch.lerp(a, b, 0.3), lambda a, b: torch.addcmul(a, a, b, value=0.5),
          lambda a, b: torch.hypot(a, b + 2), lambda a, b: (a.abs() + 0.1) ** b.tanh(),
          lambda a, b: a.add(b, alpha=2), lambda a, b: F.smooth_l1_loss(a, b, reduction="none"),
          lambda a, b: F.glu(torch.cat([a, b], -1), -1), lambda a, b: torch.stack([a, b], 0).sum(0),
          lambda a, b: torch.stack([a, b], -1).flatten(-2)]


class Model(nn.Module):
    """Steps, each of a function, the values that it takes and parameters."""

    def __init__(self, steps, weights, results):
        super().__init__()
        self.steps, self.results = steps, results
        self.weights = nn.ParameterList(weights)

    def forward(self, x):
        values = [x]
        for function, sources, weights in self.steps:
            values.append(function(*(values[i] for i in sources), *(self.weights[i] for i in weights)))
        return tuple(values[i] for i in self.results)


class Builder:
    def __init__(self, seed):
        self.rng = numpy.random.default_rng(seed)
        torch.manual_seed(seed)
        self.batch, self.length = 3, self.pick([5, 7, 11, 13])
        self.free = self.chance(0.4)  # the length
        self.width = self.pick([4, 8, 12, 16, 24])
        self.values = [torch.randn(self.batch, self.length, self.width)]
        self.steps, self.weights = [], []
        for _ in range(self.pick(range(3, 15))):
            self.pick([self.unary, self.unary, self.unary, self.binary, self.binary, self.linear,
                       self.linear, self.norm, self.along, self.along, self.turn, self.turn, self.shape,
                       self.cut, self.cut, self.pad, self.attend, self.mix, self.mix, self.conv,
                       self.look, self.grid])()

    def pick(self, options):
        options = list(options)
        return options[self.rng.integers(len(options))]

    def chance(self, p):
        return self.rng.random() < p

    def take(self, rank=None):
        fitting = [i for i, v in enumerate(self.values) if rank is None or v.dim() == rank]
        return fitting[-1 - min(int(self.rng.exponential(1.5)), len(fitting) - 1)] if fitting else None

    def known(self, size):
        """Whether an extent of the example is the same in every run."""
        return size % self.batch != 0 and not (self.free and size % self.length == 0)

    def weight(self, *shape, scale=1.0):
        self.weights.append(nn.Parameter(torch.randn(*shape) * scale))
        return len(self.weights) - 1

    def step(self, function, sources, weights=()):
        with torch.no_grad():
            value = function(*(self.values[i] for i in sources), *(self.weights[i] for i in weights))
        if not value.is_floating_point():
            value, inner = value.float(), function
            function = lambda *a: inner(*a).float()
        largest = value.abs().max().item() if value.numel() else 0
        if not 0 < value.numel() <= MOST or not numpy.isfinite(largest) or value.dim() > 5:
            return
        if largest > 10:
            inner2 = function
            function, value = (lambda *a: inner2(*a).tanh()), value.tanh()
        self.values.append(value)
        self.steps.append((function, list(sources), list(weights)))

    # What a step may be.

    def unary(self):
        self.step(self.pick(UNARY), [self.take()])

    def binary(self):
        a = self.take()
        same = [i for i, v in enumerate(self.values) if v.shape == self.values[a].shape]
        self.step(self.pick(BINARY), [a, self.pick(same)])

    def linear(self):
        a = self.take()
        n = self.values[a].shape[-1]
        if not self.known(n):
            return
        out = self.pick([n, 4, 8, 16])
        w, b = self.weight(out, n, scale=n ** -0.5), self.weight(out)
        self.step(self.pick([lambda x, w, b: F.linear(x, w, b), lambda x, w, b: x @ w.t() + b,
                             lambda x, w, b: torch.einsum("...i,oi->...o", x, w) - b,
                             lambda x, w, b: torch.matmul(x, w.transpose(0, 1)) * b]), [a], [w, b])

    def norm(self):
        a = self.take()
        n = self.values[a].shape[-1]
        if not self.known(n) or n < 2:
            return
        g, b = self.weight(n), self.weight(n)
        self.step(self.pick([lambda x, g, b: F.layer_norm(x, (n,), g, b),
                             lambda x, g, b: F.rms_norm(x, (n,), g) + b,
                             lambda x, g, b: (x - x.mean(-1, keepdim=True)) /
                             torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + 1e-3) * g + b]),
                  [a], [g, b])

    def along(self):
        """Sums and the like along an axis."""
        a = self.take()
        rank = self.values[a].dim()
        if rank < 1:
            return
        d, keep = self.pick(range(-rank, rank)), self.chance(0.6)
        self.step(self.pick([
            lambda x: x.softmax(d), lambda x: x.log_softmax(d), lambda x: x.cumsum(d),
            lambda x: x.mean(d, keepdim=keep), lambda x: x.sum(d, keepdim=keep),
            lambda x: x.amax(d, keepdim=keep), lambda x: x.amin(d, keepdim=keep),
            lambda x: x.max(d, keepdim=keep)[0], lambda x: x.logsumexp(d, keepdim=keep),
            lambda x: x.norm(dim=d, keepdim=keep), lambda x: x.flip(d),
            lambda x: x - x.mean(d, keepdim=True), lambda x: x / (x.abs().sum(d, keepdim=True) + 1),
            lambda x: x.argmax(d, keepdim=keep), lambda x: torch.logcumsumexp(x, d),
            lambda x: x.exp() / x.exp().sum(d, keepdim=True),
            lambda x: x.flip(d).cumsum(d).flip(d), lambda x: x.roll(1, d),
            lambda x: x.std(d, keepdim=True, unbiased=False) + x]), [a])

    def turn(self):
        a = self.take()
        rank = self.values[a].dim()
        if rank < 2:
            return
        order = self.rng.permutation(rank).tolist()
        d, e = self.pick(range(rank)), self.pick(range(rank))
        self.step(self.pick([lambda x: x.permute(order), lambda x: x.transpose(d, e),
                             lambda x: x.transpose(-1, -2), lambda x: x.unsqueeze(d),
                             lambda x: x.movedim(d, e), lambda x: x.transpose(0, 1).contiguous(),
                             lambda x: x.unsqueeze(-1).squeeze(-1)]), [a])

    def shape(self):
        a = self.take()
        v = self.values[a]
        if v.dim() < 2:
            return
        n = v.shape[-1]
        h = self.pick([2, 4])
        options = [lambda x: x.flatten(-2), lambda x: x.flatten(0, 1), lambda x: x.repeat_interleave(2, -1),
                   lambda x: x.unsqueeze(1).expand(-1, 2, *x.shape[1:]),
                   lambda x: torch.cat([x, x * 0.5], -1), lambda x: torch.cat([x, -x], 0),
                   lambda x: x.reshape(x.shape[0], -1)]
        if self.known(n) and n % h == 0:
            options += [lambda x: x.unflatten(-1, (h, n // h)),
                        lambda x: x.view(*x.shape[:-1], n // h, h) if x.is_contiguous()
                        else x.reshape(*x.shape[:-1], n // h, h),
                        lambda x: torch.cat(x.chunk(h, -1)[::-1], -1),
                        lambda x: x.unflatten(-1, (h, n // h)).transpose(-2, -3).contiguous()]
        self.step(self.pick(options), [a])

    def cut(self):
        a = self.take()
        v = self.values[a]
        axes = [i for i in range(v.dim()) if self.known(v.shape[i]) and v.shape[i] > 1]
        if not axes:
            return
        d = self.pick(axes)
        n = v.shape[d]
        first, step = self.pick(range(n - 1)), self.pick([1, 1, 2])
        take = torch.from_numpy(self.rng.integers(n, size=self.pick([1, 3, 6])))
        self.step(self.pick([lambda x: x.narrow(d, first, n - first),
                             lambda x: x.select(d, first), lambda x: x.split([1, n - 1], d)[1],
                             lambda x: x.index_select(d, take),
                             lambda x: x.transpose(0, d)[first::step].transpose(0, d),
                             lambda x: x.unfold(d, min(2, n), step),
                             lambda x: torch.roll(x, first, d), lambda x: x.chunk(2, d)[0]]), [a])

    def pad(self):
        a = self.take()
        v = self.values[a]
        if v.dim() < 2:
            return
        n = v.shape[-1]
        options = [lambda x: F.pad(x, (1, 2)), lambda x: F.pad(x, (0, 1, 2, 0), value=0.5)]
        if v.dim() == 3 and n > 3 and self.known(n):
            options += [lambda x: F.pad(x, (1, 2), mode="reflect"),
                        lambda x: F.pad(x, (2, 1), mode="replicate"), lambda x: F.pad(x, (-1, 1))]
        if v.dim() == 3:
            options.append(lambda x: torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1))
        self.step(self.pick(options), [a])

    def attend(self):
        a = self.take(3)
        if a is None:
            return
        self.step(self.pick([
            lambda x: F.scaled_dot_product_attention(x, x, x), lambda x: x @ x.transpose(-1, -2),
            lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
            lambda x: torch.bmm((x @ x.transpose(1, 2)).softmax(-1), x),
            lambda x: torch.einsum("btc,bsc->bts", x, x).tril(),
            lambda x: ((x @ x.transpose(1, 2)).masked_fill(torch.triu(torch.ones(
                x.shape[1], x.shape[1], dtype=torch.bool), 1), float("-inf"))).softmax(-1) @ x]), [a])

    def mix(self):
        """Mixers written by hand."""
        a = self.take(3)
        if a is None:
            return
        v = self.values[a]
        same = [i for i, w in enumerate(self.values) if w.shape == v.shape]
        sources = [a, self.pick(same), self.pick(same)]
        t = v.shape[1]
        if self.known(t) and self.chance(0.7):
            w = self.weight(t, t)
            self.step(self.pick([
                lambda q, k, v, w: torch.sigmoid(q) * (w.exp() @ (k.exp() * v)) / (w.exp() @ k.exp()),
                lambda q, k, v, w: (w.exp().tril() @ (k.exp() * v)) / (w.exp().tril() @ k.exp()) * q.sigmoid(),
                lambda q, k, v, w: torch.einsum("ts,bsc,bsc->btc", w.exp(), k.exp(), v) /
                torch.einsum("ts,bsc->btc", w.exp(), k.exp()),
                lambda q, k, v, w: torch.tanh(q) * (torch.exp(w - w.amax()) @
                                                    (torch.exp(k - k.amax(1, keepdim=True)) * v)) /
                (torch.exp(w - w.amax()) @ torch.exp(k - k.amax(1, keepdim=True))),
                lambda q, k, v, w: q * ((k.unsqueeze(1) + w.unsqueeze(-1)).softmax(2) *
                                        v.unsqueeze(1)).sum(2),
                lambda q, k, v, w: (w.softmax(-1) @ v) + q * k]), sources, [w])
            return
        self.step(self.pick([
            lambda q, k, v: q.sigmoid() * (k.exp() * v).cumsum(1) / k.exp().cumsum(1),
            lambda q, k, v: q.sigmoid() * (k.softmax(1) * v).sum(1, keepdim=True),
            lambda q, k, v: torch.relu(q) * ((k.exp() * v).sum(1) / k.exp().sum(1)).unsqueeze(1),
            lambda q, k, v: (k.softmax(1) * v).sum(1, keepdim=True).expand_as(v) * q]), sources)

    def conv(self):
        a = self.take(3)
        if a is None:
            return
        n = self.values[a].shape[1]
        if not self.known(n):
            return
        groups = self.pick([1, n])
        taps, out = self.pick([1, 2, 3, 5]), n
        w, b = self.weight(out, n // groups, taps, scale=0.3), self.weight(out)
        pad = self.pick([0, taps - 1, taps // 2])
        if self.values[a].shape[2] + 2 * pad < taps:
            return
        stride = self.pick([1, 1, 2])
        self.step(lambda x, w, b: F.conv1d(x, w, b, stride, pad, groups=groups), [a], [w, b])

    def look(self):
        a = self.take()
        v = self.values[a]
        if v.dim() < 1:
            return
        table = self.weight(16, self.pick([3, 8]))
        d = self.pick(range(v.dim()))
        self.step(self.pick([
            lambda x, t: F.embedding((x.abs() * 5).long().clamp(0, 15), t),
            lambda x, t: t[(x.abs() * 3).long() % 16],
            lambda x, t: x.gather(d, torch.zeros_like(x, dtype=torch.long)) + t[0, 0],
            lambda x, t: F.one_hot((x.abs() * 4).long().clamp(max=4), 5).float() * t[1, 2],
            lambda x, t: x + t[3:4, :1].squeeze()]), [a], [table])

    def grid(self):
        """Two dimensions of space."""
        a = self.take(4)
        if a is None:
            return
        v = self.values[a]
        c = v.shape[1]
        options = [lambda x, w: x * w[0, 0, 0, 0]]
        if self.known(c):
            options += [lambda x, w: F.conv2d(x, w, padding=1)]
        if min(v.shape[2:]) >= 2 and all(self.known(n) for n in v.shape[2:]):
            options += [lambda x, w: F.avg_pool2d(x, 2), lambda x, w: F.max_pool2d(x, 2, 1),
                        lambda x, w: F.adaptive_avg_pool2d(x, 1) + w[0, 0, 0, 0],
                        lambda x, w: F.interpolate(x, scale_factor=2, mode="nearest")]
        w = self.weight(c if self.known(c) else 1, c if self.known(c) else 1, 3, 3, scale=0.3)
        self.step(self.pick(options), [a], [w])

    def model(self):
        last = len(self.values) - 1
        results = sorted({last, max(last - self.pick([1, 2, 3]), min(1, last))})
        return Model(self.steps, self.weights, results).eval()


def main():
    checker = Checker(sys.argv[1])
    refused = 0
    for seed in range(FIRST, FIRST + COUNT):
        builder = Builder(seed)
        if not builder.steps:
            continue
        model, example = builder.model(), builder.values[0]
        free = {0: Dim("B", min=2, max=16)}
        if builder.free:
            free[1] = Dim("T", min=2, max=64)
        try:
            program = export(model, (example,), dynamic_shapes=(free,))
        except Exception as error:  # Sizes that PyTorch finds to depend on each other, for example.
            refused += 1
            if "verbose" in FLAGS:
                print(f"seed {seed} is not exported: {str(error)[:200]}")
            continue
        path = checker.path(f"{seed}.pt2")
        torch.export.save(program, path)
        before = checker.failures
        sizes = [example.shape, (5, *example.shape[1:])] + \
                [(2, t, example.shape[2]) for t in (17, 4) if builder.free]
        for shape in sizes:
            try:
                with torch.no_grad():
                    model(torch.randn(shape))
            except Exception:  # Not a size for this model.
                continue
            checker.compare(f"seed {seed}", path, model, (torch.randn(shape),))
        if checker.failures > before and KEEP:
            shutil.copy(path, KEEP)
    print(f"{COUNT - refused} models, {refused} not exported")
    checker.finish()


main()
