"""Runs the kernels of a GPU on the CPU and compares with the double-precision reference.

usage: check_cuda.py AFT-RUN AFTC AFT-OPT
"""
import itertools
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

RUN, AFTC, OPT = sys.argv[1:4]
INPUTS = os.path.join(os.path.dirname(__file__), "..", "inputs")
rng = np.random.default_rng(11)
folder = tempfile.mkdtemp()
failed = []


def save(array):
    path = os.path.join(folder, f"{len(os.listdir(folder))}.npy")
    np.save(path, np.asarray(array, order="C"))
    return path


def tensor(shape, element):
    return "tensor<" + "".join(f"{n}x" for n in shape) + element + ">"


def dynamic(array, dims, element):
    return tensor(["?" if i in dims else n for i, n in enumerate(array.shape)], element)


def compare(name, program, arrays, entry="main"):
    """`program` is a text, or the path of one."""
    if not os.path.exists(program):
        path = os.path.join(folder, "program.mlir")
        with open(path, "w") as file:
            file.write(program)
        program = path
    done = subprocess.run([RUN, program, "--target=cuda-emulated", "--compare", "--entry=" + entry,
                           *("--input=" + save(a) for a in arrays)], capture_output=True, text=True)
    good = done.returncode == 0 and "largest error" in done.stdout
    print(f"{'ok  ' if good else 'FAIL'} {name}")
    if not good:
        print(done.stdout[-2000:], done.stderr[-2000:])
        failed.append(name)


def function(body, arguments, results):
    names = ", ".join(f"%{n}: {t}" for n, t in arguments)
    return f"func.func @main({names}) -> ({', '.join(results)}) {{\n{body}\n}}\n"


# Mixers, forward and derivative: (kind, B, T, d, attributes, element, scale of keys and biases).
def mixer(kind, B, T, d, attrs="", element="f32", scale=1.0, window=4, heads=None, taps=(3,),
          lengths=None, S=None):
    causal, S = "causal" in attrs, S or T
    floats = lambda *shape, by=1.0: (rng.normal(size=shape) * by).astype(np.float32)
    q, v, dy = floats(B, T, d), floats(B, S, d), floats(B, T, d)
    k = floats(B, S, heads or d, by=scale)
    bias = {"simple": [], "full": [floats(T, S, by=scale)],
            "local": [floats(T, window if causal else 2 * window - 1, by=scale)],
            "conv": [floats(heads or d, *taps, by=scale)]}[kind]
    if kind == "local":
        attrs = f"window = {window} " + attrs
    free = {"full": (0, 1), "local": (0,)}.get(kind, ())
    shapes = [dynamic(a, (0, 1), element) for a in (q, k, v)]
    shapes += [dynamic(a, free, element) for a in bias]
    acc = "f64" if element == "f64" else "f32"
    names = ["q", "k", "v"] + ["w"] * len(bias)
    arguments = list(zip(names, shapes))
    clause, extra = "", []
    if lengths is not None:
        clause, extra = "lengths(%n) ", [np.array(lengths, np.int32)]
        arguments.append(("n", "tensor<?xi32>"))
    given = ", ".join("%" + n for n in names)
    types = ", ".join(t for _, t in arguments)
    state = dynamic(q, (0, 1), acc)
    logz = dynamic(k, (0, 1), acc) if kind == "conv" else state
    y = shapes[0]
    # The derivative takes what the forward operation keeps.
    program = function(
        f"  %y, %r, %z = aft.{kind} {given} {clause}{attrs} : ({types}) -> ({y}, {state}, {logz})\n"
        f"  %g:{len(names)} = aft.{kind}_grad %dy, {given}, %r, %z {clause}{attrs} : "
        f"({y}, {', '.join(shapes)}, {state}, {logz}"
        f"{', tensor<?xi32>' if extra else ''}) -> ({', '.join(shapes)})\n"
        f"  return %y, {', '.join(f'%g#{i}' for i in range(len(names)))} : {y}, {', '.join(shapes)}",
        arguments + [("dy", y)], [y] + shapes)
    compare(f"{kind} B{B} T{T} d{d} {attrs} {element} scale {scale} heads {heads} taps {taps}"
            f"{' lengths' if extra else ''}", program, [q, k, v, *bias, *extra, dy])


mixer("simple", 2, 70, 33, "causal")
mixer("simple", 3, 1, 5)
mixer("simple", 2, 130, 8, "gate = relu", lengths=[130, 0])
mixer("simple", 1, 40, 12, "causal gate = tanh", element="bf16")
mixer("simple", 1, 300, 9, "causal", scale=30.0)
mixer("simple", 2, 700, 20, "causal", scale=3.0)
mixer("simple", 2, 700, 20, "causal", scale=300.0, lengths=[700,13])
mixer("simple", 2, 700, 40, "", scale=300.0, lengths=[700,13])
mixer("simple", 2, 700, 40, "causal", element="bf16")
mixer("simple", 2, 300, 6, "causal", element="f64")
mixer("simple", 2, 300, 6, "", element="f64")

sys.exit(1 if failed else 0)
