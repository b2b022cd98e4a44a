"""Runs model files through the project's programs and compares with PyTorch."""
import os
import subprocess
import sys
import tempfile

import numpy
import torch
from torch.utils import _pytree

# Of the largest number of a result: the accuracy contract for what is not a mixer.
LIMITS = {torch.float32: 1e-4, torch.float64: 5e-11, torch.bfloat16: 3e-2}


def tensors(value):
    return [leaf for leaf in _pytree.tree_leaves(value) if leaf is not None]


class Checker:
    def __init__(self, program):
        self.program = program
        self.folder = tempfile.TemporaryDirectory()
        self.failures = self.checks = 0

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def check(self, name, good, what=""):
        self.checks += 1
        self.failures += not good
        if not good:
            print(f"FAIL {name}: {what}", flush=True)

    def run(self, *arguments):
        """The exit status and the messages; anything but 0, 1 and 2 is a crash. A model is compiled once for
        all sizes of its inputs."""
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True,
                              env=os.environ | {"AFT_CACHE_DIR": self.path("cache")}, timeout=300)
        return done.returncode, done.stdout + done.stderr

    def compare(self, name, path, model, inputs, flags=()):
        with torch.no_grad():
            expected = tensors(model(*inputs))
        arguments, outputs = [], []
        for i, tensor in enumerate(tensors(inputs)):
            file = self.path(f"in{i}.npy")
            numpy.save(file, (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())
            arguments.append("--input=" + file)
        for i in range(len(expected)):
            outputs.append(self.path(f"out{i}.npy"))
            arguments.append("--output=" + outputs[-1])
        sizes = [list(t.shape) for t in tensors(inputs)]
        status, messages = self.run(path, *arguments, *flags)
        if status != 0:
            return self.check(f"{name} {sizes}", False, f"exit {status}: {messages}")
        for i, (file, wanted) in enumerate(zip(outputs, expected)):
            found = torch.from_numpy(numpy.load(file)).double()
            self.check(f"{name} {sizes}", found.shape == wanted.shape, f"shape {found.shape}")
            largest = wanted.double().abs().max().item()
            error = (found - wanted.double()).abs().max().item() / max(largest, 1e-30)
            limit = LIMITS.get(wanted.dtype, 0)
            self.check(f"{name} {sizes}", error <= limit, f"result {i}: error {error}, limit {limit}")

    def finish(self):
        print(f"{self.checks} checks, {self.failures} failures")
        sys.exit(self.failures > 0 or self.checks == 0)
