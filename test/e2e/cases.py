"""What checks of compiled programs against NumPy share: cases, and how they are run.

A check is called with AFT-RUN [--only=TEXT] [other options of aft-run].
"""
import concurrent.futures
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

RUN = sys.argv[1]
ONLY = [a[7:] for a in sys.argv[2:] if a.startswith("--only=")]
EXTRA = [a for a in sys.argv[2:] if not a.startswith("--only=")]
rng = np.random.default_rng(5)
TOLERANCE = {"f32": 4e-6, "f64": 1e-13, "bf16": 6e-3, "i64": 0, "i32": 0}
cases = []


def round_to(a, element):
    """What a tensor of this element type holds, as double."""
    a = np.asarray(a)
    if element == "f32":
        return a.astype(np.float32).astype(np.float64)
    if element == "bf16":
        bits = a.astype(np.float32).view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
        return rounded.view(np.float32).astype(np.float64)
    return a


def normal(*shape, element="f32"):
    return round_to(rng.standard_normal(shape), element)


def erf(x):
    return np.vectorize(math.erf, otypes=[float])(x)


def gelu(x, tanh=False):
    if tanh:
        return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x ** 3)))
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


# Programs of one test share kernels.
CACHE = tempfile.TemporaryDirectory()


def execute(text, arrays, outputs, extra=(), environment=None):
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        open(path("m.mlir"), "w").write(text)
        command = [RUN, path("m.mlir"), *EXTRA, *extra]
        for i, a in enumerate(arrays):
            np.save(path(f"in{i}.npy"), a)
            command.append("--input=" + path(f"in{i}.npy"))
        command += [f"--output={path(f'out{i}.npy')}" for i in range(outputs)]
        done = subprocess.run(command, capture_output=True, text=True,
                              env={**os.environ, "AFT_CACHE_DIR": CACHE.name, **(environment or {})})
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[:500]}")
        return [np.load(path(f"out{i}.npy")) for i in range(outputs)], done.stderr


def difference(found, expected, limit, scale=None):
    """Empty if equal to within the limit, relative to `scale` or else to the largest expected number."""
    expected = np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    found = found.astype(np.float64)
    if not found.size:
        return ""
    special = ~np.isfinite(expected)
    if not (np.isfinite(found) == ~special).all() or \
            not np.array_equal(found[special], expected[special], equal_nan=True):
        return "not finite in other places"
    scale = scale or np.abs(expected[~special]).max(initial=0) or 1
    error = np.abs(found - expected)[~special].max(initial=0) / scale
    return "" if error <= limit else f"error {error:.2e}, limit {limit:.2e}"


def compare(found, expected, element, factor=1):
    return difference(found, expected, TOLERANCE[element] * factor)


def case(name, program, expected, factor=1):
    """`expected`: one array per result of the program."""
    cases.append((name, program, expected, factor))


def check(name, program, expected, factor):
    try:
        found, _ = execute(program.text(), program.arrays, len(expected))
        wrong = []
        for i, ((value, _), f, e) in enumerate(zip(program.results, found, expected)):
            if problem := compare(f, e, value.element, factor):
                wrong.append(f"result {i}: {problem}")
    except RuntimeError as error:
        wrong = [str(error)]
    print(f"FAIL {name}: {'; '.join(wrong)}" if wrong else f"ok   {name}", flush=True)
    return not wrong


def main(*more):
    """Runs the cases, and functions that run others by names for --only; ends the process."""
    chosen = [c for c in cases if all(o in c[0] for o in ONLY)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda c: check(*c), chosen))
    results += [function() for name, function in more if not ONLY or name in ONLY]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if results and all(results) else 1)
