"""Exports models with torch.export, runs the files through aft-run and compares the results with
PyTorch's own; some also as artifacts that aftc makes of them.

usage: exported.py AFT_RUN AFTC [NAME...]
"""
import subprocess
import sys

import numpy
import torch
from torch import nn
from torch.export import Dim, export

import zoo
from harness import Checker

B, T = Dim("B", min=1, max=64), Dim("T", min=2, max=31)
BATCH, BOTH = {0: B}, {0: B, 1: T}


def randn(*shape):
    return torch.randn(*shape)


def ids(*shape):
    return torch.randint(40, shape)


def lm(mixer):
    return lambda: zoo.LanguageModel(mixer)


# name: (model, examples, dynamic shapes, further inputs by size)
SEQUENCE = [(1, 2), (5, 31), (3, 16)]
CASES = {
    "full": (lambda: zoo.AFTFull(16, 32), [randn(2, 9, 16)], [BOTH],
             [[randn(b, t, 16)] for b, t in SEQUENCE]),
    "simple": (lambda: zoo.AFTSimple(16), [randn(2, 9, 16)], [BOTH],
               [[randn(b, t, 16)] for b, t in SEQUENCE]),
    "local": (lambda: zoo.AFTLocal(16, 32, 4), [randn(2, 9, 16)], [BOTH],
              [[randn(b, t, 16)] for b, t in SEQUENCE]),
    "conv": (lambda: zoo.AFTConv(16, 4, 5), [randn(2, 9, 16)], [BOTH],
             [[randn(b, t, 16)] for b, t in SEQUENCE]),
    "time_mix": (lambda: zoo.TimeMix(16, 32), [randn(2, 9, 16)], [BOTH],
                 [[randn(b, t, 16)] for b, t in SEQUENCE]),
    "gpt": (lm(lambda: zoo.Attention(16, 4, True)), [ids(2, 9)], [BOTH],
            [[ids(b, t)] for b, t in SEQUENCE]),
    "gpt_plain": (lm(lambda: zoo.Attention(16, 4, False)), [ids(2, 9)], [BOTH],
                  [[ids(b, t)] for b, t in SEQUENCE]),
    "aft_lm": (lm(lambda: zoo.AFTFull(16, 32)), [ids(2, 9)], [BOTH],
               [[ids(b, t)] for b, t in SEQUENCE]),
    "llama": (zoo.RotaryLlama, [randn(2, 9, 16)], [BOTH], [[randn(b, t, 16)] for b, t in SEQUENCE]),
    "vit": (zoo.ViT, [randn(2, 3, 16, 16)], [BATCH], [[randn(1, 3, 16, 16)], [randn(5, 3, 16, 16)]]),
    "encoder_layer": (lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
                      [randn(2, 9, 16)], [BOTH], [[randn(b, t, 16)] for b, t in SEQUENCE]),
    "padded": (zoo.Padded, [randn(2, 5, 6)], [BOTH], [[randn(b, t, 6)] for b, t in SEQUENCE[1:]]),
    "convnet": (zoo.ConvNet, [randn(2, 3, 8, 8)], [BATCH], [[randn(3, 3, 8, 8)]]),
    "resized": (zoo.Resized, [randn(2, 3, 8, 6)], [BATCH], [[randn(3, 3, 8, 6)]]),
    "running": (zoo.Running, [randn(2, 9, 16)], [{0: B, 1: Dim("T", min=3, max=31)}],
                [[randn(b, t, 16)] for b, t in [(1, 3), (5, 31)]]),
    "pooled": (zoo.Pooled, [randn(2, 3, 4, 5)],
               [{0: B, 2: Dim("H", min=2, max=40), 3: Dim("W", min=2, max=40)}], [[randn(1, 3, 3, 7)]]),
    "nothing": (zoo.Nothing, [randn(3, 16)], [BATCH], [[randn(9, 16)]]),
    "fixed": (zoo.Mlp, [randn(3, 12)], None, []),
    "bf16": (lambda: zoo.Mlp(nn.GELU, torch.bfloat16), [randn(3, 12).bfloat16()], [BATCH],
             [[randn(9, 12).bfloat16()]]),
    "f64": (lambda: zoo.Mlp(nn.Tanh, torch.float64), [randn(3, 12).double()], [BATCH], []),
    "cubes": (zoo.Cubes, [randn(4, 6)], [{0: B, 1: Dim("W", max=40)}], [[randn(4, 9)]]),
    "shapes": (zoo.Shapes, [(randn(4, 6), randn(4, 6)), {"c": randn(4, 2)}],
               [(BATCH, BATCH), {"c": BATCH}], []),
}


# Those that are also compiled ahead.
ARTIFACTS = {"gpt", "aft_lm", "vit", "bf16"}


def artifact(checker, name, path):
    """The file of the model's artifact; its weights are inside."""
    output = checker.path(name + ".so")
    done = subprocess.run([sys.argv[2], path, "-o", output], capture_output=True, text=True)
    checker.check(name + ": aftc", done.returncode == 0, done.stderr)
    return output


def main():
    checker = Checker(sys.argv[1])
    for name, (make, examples, dynamic, others) in CASES.items():
        if len(sys.argv) > 3 and name not in sys.argv[3:]:
            continue
        torch.manual_seed(7)
        model = make().eval()
        program = export(model, tuple(examples), dynamic_shapes=dynamic and tuple(dynamic))
        path = checker.path(name + ".pt2")
        torch.export.save(program, path)
        files = [path] + ([artifact(checker, name, path)] if name in ARTIFACTS else [])
        for file in files:
            for inputs in [examples] + others:
                checker.compare(name, file, model, inputs)
        if name == "gpt":
            numpy.save(checker.path("long.npy"), ids(1, 32).numpy())
            for file in files:
                status, messages = checker.run(file, "--input=" + checker.path("long.npy"))
                checker.check(name, status == 1 and "from 2 to 31 in dimension 1, found 32" in messages,
                              f"exit {status}: {messages}")
            # So does the program that aftc prints.
            done = subprocess.run([sys.argv[2], path, "--compile-to=graph"], capture_output=True, text=True)
            checker.check(name, "aft.limits = array<i64: 1, 64, 2, 31>" in done.stdout, done.stderr)
        if name == "cubes":
            done = subprocess.run([sys.argv[2], path, "--compile-to=graph"], capture_output=True, text=True)
            checker.check(name, "tensor<4x?xf32>" in done.stdout and
                          "remark: " + path + ": input 0: dimension 0 may change in the file, but is fixed at 4: "
                          "something depends on it" in done.stderr, done.stderr)
    checker.finish()


main()
