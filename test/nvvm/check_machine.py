"""Runs the PTX of kernels that use tensor cores on a machine of our own (ptx_machine.py): which
number a thread holds, where copies and barriers stand.

usage: check_machine.py AFTC
"""
import re
import subprocess
import sys
import tempfile

import numpy as np

from ptx_machine import Machine

AFTC = sys.argv[1]
rng = np.random.default_rng(5)
folder = tempfile.mkdtemp()
failed = []
BASE = 1 << 20


def compiled(path, phase):
    done = subprocess.run([AFTC, path, "--target=cuda:sm_80", "--compile-to=" + phase],
                          capture_output=True, text=True, check=True)
    return done.stdout


def bf16(array):
    """Rounded towards 0, and its bits."""
    bits = np.asarray(array, "<f4").view("<u4") & 0xffff0000
    return bits.view("<f4"), (bits >> 16).astype("<u2")


def tensor(shape, element):
    return "tensor<" + "".join(f"{n}x" for n in shape) + element + ">"


def run(path, kernel, arrays, blocks, damage=None):
    """Runs a kernel's blocks on its operands; these after it."""
    memory, places = bytearray(), []
    for array in arrays:
        places.append(BASE + len(memory))
        # What follows an operand must not be read.
        memory += array.tobytes() + b"\xff" * (32 - array.nbytes % 16)
    code = compiled(path, "binary")
    machine = Machine(damage(code) if damage else code, kernel, memory, BASE)
    extents = [extent for array in arrays for extent in array.shape]
    for block in range(blocks):
        machine.run_block(block, places + extents)
    return [np.frombuffer(memory, array.dtype, array.size, place - BASE).reshape(array.shape)
            for array, place in zip(arrays, places)]


def product(op, m, n, k, damage=None):
    """`damage`: makes other code of it, whose result must be wrong."""
    a, a_bits = bf16(rng.normal(size=(m, k)))
    b, b_bits = bf16(rng.normal(size=(k, n)))
    if op.endswith("_a"):
        a_bits = np.ascontiguousarray(a_bits.T)
    if op.endswith("_b"):
        b_bits = np.ascontiguousarray(b_bits.T)
    c = rng.normal(size=(m, n)).astype("<f4")
    ta, tb, tc = tensor(a_bits.shape, "bf16"), tensor(b_bits.shape, "bf16"), tensor(c.shape, "f32")
    path = folder + "/product.mlir"
    with open(path, "w") as file:
        file.write(f"func.func @main(%a: {ta}, %b: {tb}, %c: {tc}) -> {tc} {{\n"
                   f"  %p = linalg.{op} ins(%a, %b : {ta}, {tb}) outs(%c : {tc}) -> {tc}\n"
                   f"  return %p : {tc}\n}}\n")
    grid = compiled(path, "vector").split(f"@kernel_0_{op}(")[1]
    found = re.search(r"= \(0, 0\) to \((\d+), (\d+)\) step \((\d+), (\d+)\)", grid)
    rows, columns, down, across = map(int, found.groups()) if found else (1, 1, 1, 1)
    blocks = -(-rows // down) * -(-columns // across)
    try:
        found = run(path, f"kernel_0_{op}", [a_bits, b_bits, c], blocks, damage)[2]
    except RuntimeError as error:
        print(f"     {error}")
        found = np.inf
    error = np.abs(found - (a.astype(float) @ b + c)).max()
    good = (error < 1e-4) != bool(damage)
    print(f"{'ok  ' if good else 'FAIL'} {op} {m} {n} {k}{' damaged' if damage else ''}: {blocks} blocks, "
          f"error {error:.1e}")
    if not good:
        failed.append(op)


def full(T, S, d, attributes):
    """One batch entry."""
    q, q_bits = bf16(rng.normal(size=(1, T, d)))
    k, k_bits = bf16(rng.normal(size=(1, S, d)))
    v, v_bits = bf16(rng.normal(size=(1, S, d)))
    w = rng.normal(size=(T, S)).astype("<f4")
    y_bits = np.zeros((1, T, d), "<u2")
    rows, path = "tensor<?x?x%dxbf16>" % d, folder + "/full.mlir"
    with open(path, "w") as file:
        file.write(f"func.func @main(%q: {rows}, %k: {rows}, %v: {rows}, %w: tensor<?x?xf32>) -> {rows} {{\n"
                   f"  %y = aft.full %q, %k, %v, %w {attributes} : ({rows}, {rows}, {rows}, tensor<?x?xf32>) -> {rows}\n"
                   f"  return %y : {rows}\n}}\n")
    found = run(path, "kernel_0_full", [q_bits, k_bits, v_bits, w, y_bits], -(-T // 64) * -(-d // 64))[4]
    found = (found.astype("<u4") << 16).view("<f4")[0]
    seen = np.tril(np.ones((T, S)), S - T) if "causal" in attributes else np.ones((T, S))
    weights = np.exp(k[0][None].astype(float) + w[:, :, None]) * seen[:, :, None]
    expected = (weights * v).sum(1) / weights.sum(1) / (1 + np.exp(-q[0].astype(float)))
    error = np.abs(found - expected).max() / np.abs(v).max()
    good = error < 1e-2
    print(f"{'ok  ' if good else 'FAIL'} full {T} {S} {d} {attributes}: error {error:.1e}")
    if not good:
        failed.append("full")


for op in ("matmul", "matmul_transpose_a", "matmul_transpose_b"):
    product(op, 24, 40, 72)
    product(op, 35, 33, 37)
product("matmul", 130, 72, 136)
# The machine does find what is wrong: nobody waits for copies, or for other threads, or a
# factor is not turned.
product("matmul", 24, 40, 72, lambda code: re.sub(r"wait_group\s+\d", "wait_group 8", code))
product("matmul", 24, 40, 72, lambda code: re.sub(r"bar.sync\s+0;", "", code))
product("matmul", 24, 40, 72, lambda code: code.replace(".x4.trans.", ".x4."))
full(30, 70, 9, "")
full(20, 75, 40, "causal")
sys.exit(bool(failed))
