"""Runs the PTX of products by tensor cores on a machine of our own (ptx_machine.py): which
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
    kernel = f"kernel_0_{op}"
    grid = compiled(path, "vector").split(f"@{kernel}(")[1]
    ends, steps = re.search(r"scf.forall \(.*?\) = \(0, 0\) to \((\d+, \d+)\) step \((.*?)\)", grid).groups() \
        if "= (0, 0) to" in grid else ("1, 1", "1, 1")
    blocks = np.prod([-(-int(end) // int(step)) for end, step in zip(ends.split(","), steps.split(","))])
    memory, places = bytearray(), []
    for array in (a_bits, b_bits, c):
        places.append(BASE + len(memory))
        # What follows an operand must not be read.
        memory += array.tobytes() + b"\xff" * (32 - array.nbytes % 16)
    code = compiled(path, "binary")
    machine = Machine(damage(code) if damage else code, kernel, memory, BASE)
    for block in range(int(blocks)):
        machine.run_block(block, places + [*a_bits.shape, *b_bits.shape, m, n])
    found = np.frombuffer(memory, "<f4", m * n, places[2] - BASE).reshape(m, n)
    error = np.abs(found - (a.astype(float) @ b + c)).max()
    good = (error < 1e-4) != bool(damage)
    print(f"{'ok  ' if good else 'FAIL'} {op} {m} {n} {k}{' damaged' if damage else ''}: {blocks} blocks of "
          f"{machine.threads} threads, error {error:.1e}")
    if not good:
        failed.append(op)


for op in ("matmul", "matmul_transpose_a", "matmul_transpose_b"):
    product(op, 24, 40, 72)
    product(op, 35, 33, 37)
product("matmul", 130, 72, 136)
# The machine does find what is wrong: nobody waits for copies, or a factor is not turned.
product("matmul", 24, 40, 72, lambda code: re.sub(r"wait_group\s+\d", "wait_group 8", code))
product("matmul", 24, 40, 72, lambda code: code.replace(".x4.trans.", ".x4."))
sys.exit(bool(failed))
