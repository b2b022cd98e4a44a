"""Products of bf16 in pairs, as AVX512-BF16 computes them, against NumPy in double precision.

The pairs are expanded to f32 arithmetic, so that their packing is tested on any CPU.

usage: check_pairs.py AFT-OPT AFT-RUN
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

from programs import Program

OPT, RUN = sys.argv[1:]
PASSES = ("builtin.module(aft-bufferize-kernels,func.func(cse,aft-canonicalize,"
          "aft-vectorize-linalg{vector-bits=256 pair-dots=expanded},aft-grid-to-range,"
          "canonicalize,cse))")
rng = np.random.default_rng(11)


def bf16(*shape):
    bits = rng.standard_normal(shape).astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return bits.view(np.float32).astype(np.float64)


def error(kind, m, k, n, dynamic):
    """Relative to the largest number of the product."""
    a, b = bf16(m, k), bf16(k, n)
    p = Program()
    dims = (0, 1) if dynamic else ()
    x = p.arg(a.T if kind.endswith("_a") else a, "bf16", dims)
    w = p.arg(b.T if kind.endswith("_b") else b, "bf16", dims)
    p.give(p.matmul(x, w, kind, "f32"))
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        open(path("m.mlir"), "w").write(p.text())
        run = lambda *command: subprocess.run(command, check=True,
                                              env={**os.environ, "AFT_CACHE_DIR": ""})
        run(OPT, path("m.mlir"), "-aft-graph", "-aft-kernels", "-aft-tile", "-o", path("t.mlir"))
        run(OPT, path("t.mlir"), f"-pass-pipeline={PASSES}", "-o", path("v.mlir"))
        assert "arith.shli" in open(path("v.mlir")).read(), "no pairs in the code"
        for i, array in enumerate(p.arrays):
            np.save(path(f"{i}.npy"), np.ascontiguousarray(array))
        run(RUN, path("v.mlir"), f"--input={path('0.npy')}", f"--input={path('1.npy')}",
            f"--output={path('y.npy')}")
        return np.abs(np.load(path("y.npy")) - a @ b).max() / np.abs(a @ b).max()


good = True
for case in (("matmul", 13, 31, 17, True), ("matmul", 25, 514, 272, False),
             ("matmul_transpose_a", 40, 1, 65, True), ("matmul_transpose_a", 29, 515, 33, False),
             ("matmul_transpose_b", 12, 513, 65, True), ("matmul_transpose_b", 64, 64, 32, False)):
    found = error(*case)
    # Products of bf16 are exact in f32: only the sums round.
    good &= found < 2e-6
    print(f"{'ok  ' if found < 2e-6 else 'FAIL'} {case}: error {found:.1e}", flush=True)
sys.exit(0 if good else 1)
