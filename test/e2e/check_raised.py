"""Runs the programs of test/graph/raise-*.mlir against the double reference: what the pass makes
of them, and what it leaves, means what was written. Raised, keys of 200 do no harm either.

Usage: check_raised.py AFT_OPT AFT_RUN FILE...
"""
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

opt, run, files = sys.argv[1], sys.argv[2], sys.argv[3:]
rng = np.random.default_rng(3)
SIZE = 9  # of dynamic extents
# As written 0 / 0 where all exponents are -1e9 or no key is seen; a mixer gives the mean that they
# stand for, or 0.
UNDERFLOWS = {"low_off_by_one", "off_by_one"}


def array(kind, name, shift):
    *extents, element = kind.split("x")
    shape = [SIZE if extent == "?" else int(extent) for extent in extents]
    if element == "i1":  # each query sees its own key
        return (rng.random(shape) < 0.7) | np.eye(*shape[-2:], dtype=bool)
    if element.startswith("i"):
        return rng.integers(1, SIZE, shape).astype("int" + element[1:])
    values = rng.standard_normal(shape) + (shift if name == "k" else 0)
    return values.astype(np.float64 if element == "f64" else np.float32)


def compare(program, arguments, folder, shift):
    command = [run, program, "--compare", "--fast"]
    for number, (name, kind) in enumerate(arguments):
        file = os.path.join(folder, f"{number}.npy")
        np.save(file, array(kind, name, shift))
        command.append("--input=" + file)
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def check(text, folder):
    """How it failed, if it did, and whether it was raised; None where it is not run."""
    found = re.search(r"func\.func @(\w+)\((.*?)\) ->", text)
    sums = any(each in text for each in ("linalg.matmul", "linalg.reduce", '"reduction"', "linalg.div"))
    if not found or found[1] in UNDERFLOWS or not sums or "f16" in found[2].replace("bf16", ""):
        return None
    arguments = re.findall(r"%(\w+): tensor<([^>]*)>", found[2])
    if len(arguments) != found[2].count("%"):
        return None
    source, program = (os.path.join(folder, name) for name in ("in.mlir", "out.mlir"))
    with open(source, "w") as file:
        file.write(text.replace("@" + found[1] + "(", "@main("))
    subprocess.run([opt, source, "-linalg-generalize-named-ops", "-o", program], check=True)
    after = subprocess.run([opt, program, "-aft-raise-mixers=fast"], capture_output=True, text=True)
    raised = re.search(r"aft\.(full|simple|local|conv) ", after.stdout) is not None
    error = compare(program, arguments, folder, 0)
    if raised and not error:
        error = compare(program, arguments, folder, 200)
    return f"{found[1]}: {error}" if error else "", raised


results = []
with tempfile.TemporaryDirectory() as folder:
    for name in files:
        with open(name) as file:
            results += [check(text, folder) for text in file.read().split("// -----")]
results = [result for result in results if result is not None]
errors = [error for error, _ in results if error]
print("\n".join(errors))
print(f"{len(results)} programs, {sum(raised for _, raised in results)} of them raised, "
      f"{len(errors)} wrong")
sys.exit(bool(errors) or sum(raised for _, raised in results) < 30)
