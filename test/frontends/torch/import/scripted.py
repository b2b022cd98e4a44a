"""Scripts and traces models, runs the files through aft-run and compares the results with
PyTorch's own.

usage: scripted.py AFT_RUN AFTC [NAME...]
"""
import subprocess
import sys
import warnings

import torch
from torch import nn

import zoo
from harness import Checker

warnings.simplefilter("ignore")  # of what a trace fixes, and of TorchScript's age


def lm(mixer):
    return lambda: zoo.LanguageModel(mixer)


def sequences():
    return [[torch.randn(b, t, 16)] for b, t in [(2, 9), (1, 2), (5, 31)]]


def tokens():
    return [[torch.randint(40, (b, t))] for b, t in [(2, 9), (1, 2), (5, 31)]]


def images():
    return [[torch.randn(2, 3, 16, 16)], [torch.randn(3, 3, 16, 16)]]


class Branches(nn.Module):
    """Control flow on constants and sizes, lists, several inputs, a default, results in a tuple."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))
        self.deep = True
        self.register_buffer("scale", torch.rand(16) + 0.5)

    def part(self, x, factor: float = 0.5):
        return x * factor

    def forward(self, x, y, times: int = 2):
        parts = []
        for i, layer in enumerate(self.layers):
            x = torch.relu(layer(x)) + self.part(y, float(i))
            if i > 0:
                parts.append(x)
        if self.deep and x.dim() == 3:
            x = torch.cat(parts, dim=-1)
        for _ in range(times):
            x = x * 1.5
        if x.size(1) > 1000:
            raise ValueError("too long")
        x += 1
        return x, {"scaled": y * self.scale}


class ScaledSizes(nn.Module):
    """Sizes that a trace calculates with as tensors: sums of multiples, in either order."""

    def forward(self, x):
        length = x.size(1) if torch.jit.is_tracing() else torch.tensor(x.size(1))
        return x + torch.sub(length, 1, alpha=2), x * torch.rsub(length, 40, alpha=2), x[:, length - 2:]


# name: (model, lists of inputs, whether it can be scripted)
CASES = {
    "full": (lambda: zoo.AFTFull(16, 32), sequences, True),
    "simple": (lambda: zoo.AFTSimple(16), sequences, True),
    "local": (lambda: zoo.AFTLocal(16, 32, 4), sequences, True),
    "conv": (lambda: zoo.AFTConv(16, 4, 5), sequences, True),
    "time_mix": (lambda: zoo.TimeMix(16, 32), sequences, True),
    "gpt": (lm(lambda: zoo.Attention(16, 4, True)), tokens, False),
    "gpt_plain": (lm(lambda: zoo.Attention(16, 4, False)), tokens, False),
    "encoder_layer": (lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), sequences,
                      True),
    "vit": (zoo.ViT, images, False),
    "convnet": (zoo.ConvNet, images, True),
    "scaled_sizes": (ScaledSizes, sequences, False),
    "branches": (Branches, lambda: [[torch.randn(2, 9, 16), torch.randn(2, 9, 16)]], True),
    "bf16": (lambda: zoo.Mlp(nn.GELU, torch.bfloat16), lambda: [[torch.randn(3, 12).bfloat16()]],
             True),
}


# Sizes that may change, and a type that arrays in files do not have.
TYPES = {"full": ["--input-type=?x?x16xf32"], "gpt": ["--input-type=?x?xi64"],
         "vit": ["--input-type=?x3x16x16xf32"], "bf16": ["--input-type=3x12xbf16"],
         "scaled_sizes": ["--input-type=?x?x16xf32"], "branches": ["--input-type=?x?x16xf32"] * 2}


class Loss(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x, y):
        return nn.functional.mse_loss(self.layer(x), y)


def check_training(checker):
    """A model whose result is a loss has a training step, in which its parameters are updated."""
    path = checker.path("loss.pt")
    torch.jit.script(Loss()).save(path)
    done = subprocess.run([sys.argv[2], path, "--training=adamw", "--compile-to=graph",
                           "--input-type=?x4xf32", "--input-type=?x3xf32"],
                          capture_output=True, text=True, timeout=300)
    step = '@train_step(%arg0: tensor<3x4xf32> {aft.name = "layer.weight", aft.param}'
    checker.check("training", done.returncode == 0 and step in done.stdout, done.stderr)


def main():
    checker = Checker(sys.argv[1])
    for name, (make, inputs, scripts) in CASES.items():
        if len(sys.argv) > 3 and name not in sys.argv[3:]:
            continue
        torch.manual_seed(7)
        model, given = make().eval(), inputs()
        files = {} if name == "branches" else {
            "traced": torch.jit.trace(model, tuple(given[0]), check_trace=False)}
        if scripts:
            files["scripted"] = torch.jit.script(model)
        for how, module in files.items():
            path = checker.path(f"{name}.{how}.pt")
            module.save(path)
            for tensors in given:
                checker.compare(f"{name} {how}", path, module, tensors, TYPES.get(name, []))
    check_training(checker)
    checker.finish()


main()
