"""Exports models and runs them as exported, and as core operators make of them
(run_decompositions): both must give what PyTorch gives.

usage: decomposed.py AFT_RUN
"""
import sys
import warnings

import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim, export

import zoo
from harness import Checker

warnings.simplefilter("ignore")


class Norms(nn.Module):
    """Layer, group, batch, RMS and instance norms, dropout that does nothing, pooling."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.GELU(),
            nn.GroupNorm(2, 8), nn.MaxPool2d(2), nn.Dropout(0.3), nn.Conv2d(8, 8, 3, groups=8),
            nn.InstanceNorm2d(8), nn.AvgPool2d(2), nn.Hardswish(), nn.AdaptiveAvgPool2d(1))
        self.layer, self.rms = nn.LayerNorm((16, 8)), nn.RMSNorm(8)

    def forward(self, x):
        y = self.net(x)
        return y.flatten(1), self.layer(x), self.rms(x), F.log_softmax(x, 1)


class Places(nn.Module):
    """Slices, selections, changes in place, gathers, scatters, running sums."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(12, 6)
        self.register_buffer("order", torch.tensor([3, 0, 2]))

    def forward(self, ids, x):
        T = ids.shape[1]
        e = self.table(ids)
        y = torch.zeros_like(e)
        y[:, 1:] = e[:, :-1]
        y[:, 0] = x[:, 0]
        y[..., 2:4] *= 2
        at = torch.arange(T).expand_as(ids)
        picked = torch.gather(e, 1, (at % 3).unsqueeze(-1).expand(-1, -1, 6))
        spread = torch.zeros_like(x).scatter(2, ids.unsqueeze(-1) % 6, 1.0)
        parts = torch.split(x, [2, 4], dim=-1)
        upper = torch.full((T, T), float("-inf")).triu(1)
        seen = torch.where(upper == 0, 1.0, torch.scalar_tensor(0.5))
        return (y, picked, spread, x.index_select(2, self.order), x[:, -1, self.order],
                torch.cumsum(x, 1), torch.logcumsumexp(x, 1), parts[1].sum(-1), seen @ x,
                x.masked_fill(x > 0.5, 0).amax(1), torch.stack([a.mean(1) for a in parts[0].unbind(-1)]),
                F.one_hot(ids, 12).float().mean(1), x.roll(1, 2).flip(2), x.var(1), x.std(-1, correction=0))


B, T = Dim("B", min=1, max=64), Dim("T", min=3, max=31)
BATCH, BOTH = {0: B}, {0: B, 1: T}


def randn(*shape):
    return torch.randn(*shape)


def ids(*shape):
    return torch.randint(12, shape)


CASES = {
    "norms": (Norms, [[randn(2, 3, 16, 8)], [randn(3, 3, 16, 8)]], [BATCH]),
    "places": (Places, [[ids(2, 9), randn(2, 9, 6)], [ids(3, 9), randn(3, 9, 6)]], [BATCH, BATCH]),
    "gpt": (lambda: zoo.LanguageModel(lambda: zoo.Attention(16, 4, True)),
            [[ids(2, 9)], [ids(1, 4)]], [BOTH]),
    "gpt_plain": (lambda: zoo.LanguageModel(lambda: zoo.Attention(16, 4, False)),
                  [[ids(3, 31)]], [BOTH]),
    "llama": (zoo.RotaryLlama, [[randn(2, 9, 16)], [randn(1, 4, 16)]], [BOTH]),
    "vit": (zoo.ViT, [[randn(2, 3, 16, 16)], [randn(5, 3, 16, 16)]], [BATCH]),
    "encoder_layer": (lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
                      [[randn(2, 9, 16)], [randn(3, 5, 16)]], [BOTH]),
    "convnet": (zoo.ConvNet, [[randn(2, 3, 8, 8)], [randn(3, 3, 8, 8)]], [BATCH]),
    "time_mix": (lambda: zoo.TimeMix(16, 32), [[randn(2, 9, 16)], [randn(3, 31, 16)]], [BOTH]),
}


def main():
    checker = Checker(sys.argv[1])
    for name, (make, inputs, dynamic) in CASES.items():
        if len(sys.argv) > 2 and name not in sys.argv[2:]:
            continue
        torch.manual_seed(7)
        model = make().eval()
        program = export(model, tuple(inputs[0]), dynamic_shapes=tuple(dynamic))
        for form, saved in (("exported", program), ("decomposed", program.run_decompositions())):
            path = checker.path(name + ".pt2")
            torch.export.save(saved, path)
            for tensors in inputs:
                checker.compare(f"{name} {form}", path, model, tensors)
    checker.finish()


main()
