"""Products of bf16 in the tile registers of AMX against NumPy in double precision.

The machine code for such a CPU runs here: the emulator, a library that is loaded before
aft-run, does what the instructions of AMX do. Those of AVX-512 the CPU has to know. Where it
knows those of AMX, it has to give the same bits as the emulator.

usage: check_tiles.py AFT-RUN EMULATOR
"""
import glob
import os
import subprocess
import sys
import tempfile

import numpy as np

from programs import Program

RUN, EMULATOR = sys.argv[1:]
SKIPPED = 77
if "avx512_bf16" not in open("/proc/cpuinfo").read().split():
    print("skipped: a CPU with AMX has avx512_bf16, which is not emulated, and this CPU lacks it")
    sys.exit(SKIPPED)
HAS_AMX = "amx_bf16" in open("/proc/cpuinfo").read().split()
rng = np.random.default_rng(13)


def bf16(*shape):
    bits = rng.standard_normal(shape).astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return bits.view(np.float32).astype(np.float64)


def run(program, folder):
    """The results, those of the CPU's own tiles where it has any, and all machine code."""
    path = lambda name: os.path.join(folder, name)
    open(path("m.mlir"), "w").write(program.text())
    command = [RUN, path("m.mlir"), f"--output={path('y.npy')}"]
    for i, array in enumerate(program.arrays):
        np.save(path(f"{i}.npy"), np.ascontiguousarray(array))
        command.append(f"--input={path(f'{i}.npy')}")
    results = []
    for more in [{"LD_PRELOAD": EMULATOR, "AFT_ASSUME_CPU": "amx-tile,amx-bf16",
                  "AFT_DUMP_DIR": path("dump")}] + HAS_AMX * [{}]:
        done = subprocess.run(command, capture_output=True, text=True,
                              env={**os.environ, "AFT_CACHE_DIR": "", **more})
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[-400:]}")
        results.append(np.load(path("y.npy")).astype(np.float64))
    code = "".join(open(name).read() for name in glob.glob(path("dump") + "/06-binary-*.s"))
    return results[0], results[-1], code


def operands(kind, m, k, n, dynamic, batch):
    a, b = bf16(*batch, m, k), bf16(*batch, k, n)
    p = Program()
    dims = tuple(range(a.ndim)) if dynamic else ()
    turned = lambda x, yes: np.swapaxes(x, -1, -2) if yes else x
    x = p.arg(turned(a, kind.endswith("_a")), "bf16", dims)
    w = p.arg(turned(b, kind.endswith("_b")), "bf16", dims)
    return p, x, w, a, b


def product(kind, m, k, n, dynamic=False, few=False):
    """`few`: rows that are multiplied otherwise."""
    p, x, w, a, b = operands(kind, m, k, n, dynamic, (3,) if kind.startswith("batch") else ())
    p.give(p.matmul(x, w, kind, "f32"))
    # Products of bf16 are exact in f32: only the sums round.
    return p, a @ b, 2e-6, not few


def with_epilogue(m, k, n, dynamic):
    """Rounded to bf16, added to another matrix and rounded again."""
    p, x, w, a, b = operands("matmul_transpose_b", m, k, n, dynamic, ())
    more = bf16(m, n)
    z = p.arg(more, "bf16", (0, 1) if dynamic else ())
    p.give(p.op("arith.addf", p.matmul(x, w, "matmul_transpose_b"), z))
    return p, a @ b + more, 2 * 2.0 ** -8, True


CASES = {}
for kind in ("matmul", "matmul_transpose_a", "matmul_transpose_b"):
    # One around tiles, strips of two, steps of two and blocks.
    for m, k, n in ((33, 31, 17), (32, 32, 32), (65, 513, 30), (16, 64, 100), (47, 515, 545)):
        for dynamic in (False, True):
            CASES[kind, m, k, n, dynamic] = product(kind, m, k, n, dynamic)
    CASES["batch_" + kind] = product("batch_" + kind, 34, 45, 48, True)
CASES["one of K"] = product("matmul", 70, 1, 40, True)
CASES["none of K"] = product("matmul", 40, 0, 40, True)
CASES["some rows"] = product("matmul_transpose_b", 40, 300, 75, True)
CASES["some rows, read in place"] = product("matmul_transpose_b", 40, 1088, 75, True)
CASES["two rows"] = product("matmul_transpose_b", 2, 96, 75)
CASES["one row"] = product("matmul_transpose_b", 1, 300, 75, few=True)
CASES["few rows"] = product("matmul", 5, 300, 75, few=True)
CASES["more rows"] = product("matmul", 6, 300, 75)
CASES["three blocks of rows, columns and K"] = product("matmul", 1100, 1030, 1100, True)
CASES["epilogue"] = with_epilogue(70, 130, 66, False)
CASES["epilogue after three blocks"] = with_epilogue(130, 1056, 96, False)
CASES["epilogue, dynamic"] = with_epilogue(131, 40, 100, True)
failures = 0
for name, (program, expected, limit, in_tiles) in CASES.items():
    with tempfile.TemporaryDirectory() as folder:
        try:
            found, own, code = run(program, folder)
        except RuntimeError as problem:
            wrong = str(problem)
        else:
            scale = np.abs(expected).max() or 1
            error = np.abs(found - expected).max() / scale
            wrong = "" if error < limit else f"error {error:.1e}, limit {limit:.1e}"
            if not np.array_equal(found, own):
                wrong += f" {np.count_nonzero(found != own)} numbers differ from the CPU's own"
            if in_tiles != ("tdpbf16ps" in code):
                wrong += f" in tiles: expected {in_tiles}"
    failures += bool(wrong)
    print(f"FAIL {name}: {wrong}" if wrong else f"ok   {name}: error {error:.1e}", flush=True)
sys.exit(1 if failures else 0)
