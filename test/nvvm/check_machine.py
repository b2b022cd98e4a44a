"""Runs the PTX of kernels that use tensor cores or shuffles on a machine of our own
(ptx_machine.py): which number a thread holds, where copies and barriers stand.

usage: check_machine.py AFTC AFT-RUN [--races|--all]
--races: looks for races in the kernels of all mixers, of norms, of the loss and of their
derivatives, in f32 and bf16, instead, which takes minutes; --all: both.
"""
import re
import subprocess
import sys
import tempfile

import numpy as np

from ptx_machine import Machine

AFTC, RUN = sys.argv[1:3]
rng = np.random.default_rng(5)
folder = tempfile.mkdtemp()
failed = []
FLAGS = []  # of aftc, besides
BASE = 1 << 20


def compiled(path, phase):
    done = subprocess.run([AFTC, path, "--target=cuda:sm_80", "--compile-to=" + phase, *FLAGS],
                          capture_output=True, text=True, check=True)
    return done.stdout


def bf16(array):
    """Rounded towards 0, and its bits."""
    bits = np.asarray(array, "<f4").view("<u4") & 0xffff0000
    return bits.view("<f4"), (bits >> 16).astype("<u2")


def tensor(shape, element):
    return "tensor<" + "".join(f"{n}x" for n in shape) + element + ">"


def grids_of(path, kernel):
    """How many blocks its grids have, whose extents must be known."""
    code = compiled(path, "vector").split(f"@{kernel}(")[1].split("\n  }\n")[0]
    numbers = lambda text: [int(n) for n in text.split(",")]
    grids = []
    for head, mapping in re.findall(
            r"\n    scf\.forall \(.*?\) ((?:in|=) [^\n]*?) \{\n.*?\n    \}([^\n]*)", code, re.DOTALL):
        # One block has threads right there.
        if "gpu.thread" in mapping:
            continue
        ends, steps = re.fullmatch(r"(?:in|= .*? to) \(([\d, ]+)\)(?: step \(([\d, ]+)\))?", head).groups()
        steps = numbers(steps) if steps else [1] * len(numbers(ends))
        grids.append(int(np.prod([-(-end // step) for end, step in zip(numbers(ends), steps)])))
    # Without a grid it is one block.
    return grids or [1]


def run(path, kernel, arrays, damage=None, all_blocks=True):
    """Runs a kernel on its operands, or only the first and the last block of each grid; the
    operands after it."""
    memory, places = bytearray(), []
    for array in arrays:
        places.append(BASE + len(memory))
        # What follows an operand must not be read.
        memory += array.tobytes() + b"\xff" * (32 - array.nbytes % 16)
    code = compiled(path, "binary")
    machine = Machine(damage(code) if damage else code, kernel, memory, BASE)
    extents = [extent for array in arrays for extent in array.shape]
    first = 0
    for count in grids_of(path, kernel):
        for block in range(first, first + count) if all_blocks else sorted({first, first + count - 1}):
            machine.run_block(block, places + extents)
        first += count
    return [np.frombuffer(memory, array.dtype, array.size, place - BASE).reshape(array.shape)
            for array, place in zip(arrays, places)]


def tf32(array):
    """Rounded to 10 bits of mantissa, of two the number farther from 0, and as it was."""
    array = np.asarray(array, "<f4")
    return (array.view("<u4") + 0x1000 & 0xffffe000).astype("<u4").view("<f4"), array


def product(op, m, n, k, damage=None, element="bf16"):
    """`damage`: makes other code of it, whose result must be wrong."""
    narrow = bf16 if element == "bf16" else tf32
    a, a_bits = narrow(rng.normal(size=(m, k)))
    b, b_bits = narrow(rng.normal(size=(k, n)))
    if op.endswith("_a"):
        a_bits = np.ascontiguousarray(a_bits.T)
    if op.endswith("_b"):
        b_bits = np.ascontiguousarray(b_bits.T)
    c = rng.normal(size=(m, n)).astype("<f4")
    ta, tb, tc = tensor(a_bits.shape, element), tensor(b_bits.shape, element), tensor(c.shape, "f32")
    path = folder + "/product.mlir"
    with open(path, "w") as file:
        file.write(f"func.func @main(%a: {ta}, %b: {tb}, %c: {tc}) -> {tc} {{\n"
                   f"  %p = linalg.{op} ins(%a, %b : {ta}, {tb}) outs(%c : {tc}) -> {tc}\n"
                   f"  return %p : {tc}\n}}\n")
    try:
        found = run(path, f"kernel_0_{op}", [a_bits, b_bits, c], damage)[2]
    except RuntimeError as error:
        print(f"     {error}")
        found = np.inf
    error = np.abs(found - (a.astype(float) @ b + c)).max()
    good = (error < 1e-4) != bool(damage)
    print(f"{'ok  ' if good else 'FAIL'} {op} {m} {n} {k} {element}{' damaged' if damage else ''}: "
          f"error {error:.1e}", flush=True)
    if not good:
        failed.append(op)


def compare(name, found, expected, largest, limit=1e-2):
    error = np.abs(found - expected).max() / largest
    print(f"{'ok  ' if error < limit else 'FAIL'} {name}: error {error:.1e}", flush=True)
    if not error < limit:
        failed.append(name)


def full_in_tf32(T, S, d, attributes):
    """aft.full of f32, one batch entry."""
    q, k, v = (rng.normal(size=(1, n, d)).astype("<f4") for n in (T, S, S))
    w = rng.normal(size=(T, S)).astype("<f4")
    seen = np.tril(np.ones((T, S)), S - T) if "causal" in attributes else np.ones((T, S))
    weights = np.exp(k[0][None].astype(float) + w[:, :, None]) * seen[:, :, None]
    y = (weights * v).sum(1) / weights.sum(1) / (1 + np.exp(-q[0].astype(float)))
    rows, keys, bias = tensor((1, T, d), "f32"), tensor((1, S, d), "f32"), tensor((T, S), "f32")
    path = folder + "/full.mlir"
    with open(path, "w") as file:
        file.write(f"func.func @main(%q: {rows}, %k: {keys}, %v: {keys}, %w: {bias}) -> {rows} {{\n"
                   f"  %y = aft.full %q, %k, %v, %w {attributes} : ({rows}, {keys}, {keys}, {bias}) -> {rows}\n"
                   f"  return %y : {rows}\n}}\n")
    found = run(path, "kernel_0_full", [q, k, v, w, np.zeros_like(q)])[4]
    compare(f"full {T} {S} {d} {attributes} in TF32", found[0], y, np.abs(v).max(), limit=1e-3)


def full(T, S, d, attributes, gradient=False):
    """aft.full, one batch entry, and dk, dv and dw, which are one block each, of its derivative."""
    q, q_bits = bf16(rng.normal(size=(1, T, d)))
    k, k_bits = bf16(rng.normal(size=(1, S, d)))
    v, v_bits = bf16(rng.normal(size=(1, S, d)))
    dy, dy_bits = bf16(rng.normal(size=(1, T, d)))
    w = rng.normal(size=(T, S)).astype("<f4")
    seen = np.tril(np.ones((T, S)), S - T) if "causal" in attributes else np.ones((T, S))
    weights = np.exp(k[0][None].astype(float) + w[:, :, None]) * seen[:, :, None]
    z, gate = weights.sum(1), 1 / (1 + np.exp(-q[0].astype(float)))
    ratio = (weights * v).sum(1) / z
    rows, keys, bias = tensor((1, T, d), "bf16"), tensor((1, S, d), "bf16"), tensor((T, S), "f32")
    state = tensor((1, T, d), "f32")
    wide = lambda bits: (bits.astype("<u4") << 16).view("<f4")[0]
    path = folder + "/full.mlir"
    with open(path, "w") as file:
        file.write(f"func.func @main(%q: {rows}, %k: {keys}, %v: {keys}, %w: {bias}) -> {rows} {{\n"
                   f"  %y = aft.full %q, %k, %v, %w {attributes} : ({rows}, {keys}, {keys}, {bias}) -> {rows}\n"
                   f"  return %y : {rows}\n}}\n")
    y = run(path, "kernel_0_full", [q_bits, k_bits, v_bits, w, np.zeros_like(q_bits)])[4]
    compare(f"full {T} {S} {d} {attributes}", wide(y), gate * ratio, np.abs(v).max())

    if not gradient:
        return
    types = f"{rows}, {rows}, {keys}, {keys}, {bias}, {state}, {state}"
    results = f"{rows}, {keys}, {keys}, {bias}"
    with open(path, "w") as file:
        file.write(f"func.func @main(%dy: {rows}, %q: {rows}, %k: {keys}, %v: {keys}, %w: {bias}, %r: {state}, "
                   f"%z: {state}) -> ({results}) {{\n  %g:4 = aft.full_grad %dy, %q, %k, %v, %w, %r, %z {attributes} "
                   f": ({types}) -> ({results})\n  return %g#0, %g#1, %g#2, %g#3 : {results}\n}}\n")
    states = [x.astype("<f4")[None] for x in (ratio, np.log(z))]
    found = run(path, "kernel_0_full_grad", [dy_bits, q_bits, k_bits, v_bits, w, *states, np.zeros_like(q_bits),
                                             np.zeros_like(k_bits), np.zeros_like(v_bits), np.zeros_like(w)],
                all_blocks=False)
    terms = weights * (dy[0] * gate / z)[:, None]
    terms_of_k = terms * (v - ratio[:, None])
    dk, dv, dw = terms_of_k.sum(0), terms.sum(0), terms_of_k.sum(2)
    # As check_full.py asks of gradients in bf16.
    compare("    dk", wide(found[8]), dk, np.abs(dk).max(), limit=2e-2)
    compare("    dv", wide(found[9]), dv, np.abs(dv).max(), limit=2e-2)
    compare("    dw", found[10], dw, np.abs(dw).max(), limit=2e-2)


def reduced(shape, dims, combiner, element="f32", damage=None, shuffles=True):
    """Combines the numbers of a tensor along some dimensions: to the bits of the emulation.
    `shuffles`: whether threads of a warp combine theirs so."""
    accumulation = "f32" if element == "bf16" else element
    if element == "bf16":
        x, given = bf16(rng.normal(size=shape))
    else:
        x = given = (1000 * rng.normal(size=shape)).astype({"f32": "<f4", "f64": "<f8", "i64": "<i8"}[element])
    start = {"addf": "0.0", "addi": "0", "maximumf": "-1.0e30"}[combiner]
    kept = [n for i, n in enumerate(shape) if i not in dims]
    all_dims = ", ".join(f"d{i}" for i in range(len(shape)))
    kept_dims = ", ".join(f"d{i}" for i in range(len(shape)) if i not in dims)
    kinds = ", ".join('"reduction"' if i in dims else '"parallel"' for i in range(len(shape)))
    tx, ty = tensor(shape, element), tensor(kept, accumulation)
    path, result = folder + "/reduced.mlir", folder + "/reduced.npy"
    wide = "    %w = arith.extf %a : bf16 to f32\n" if element == "bf16" else ""
    number = "%w" if wide else "%a"
    with open(path, "w") as file:
        file.write(f"func.func @main(%x: {tx}) -> {ty} {{\n  %start = arith.constant {start} : {accumulation}\n"
                   f"  %e = tensor.empty() : {ty}\n"
                   f"  %z = linalg.fill ins(%start : {accumulation}) outs(%e : {ty}) -> {ty}\n"
                   f"  %y = linalg.generic {{indexing_maps = [affine_map<({all_dims}) -> ({all_dims})>, "
                   f"affine_map<({all_dims}) -> ({kept_dims})>], iterator_types = [{kinds}]}} "
                   f"ins(%x : {tx}) outs(%z : {ty}) {{\n  ^bb0(%a: {element}, %o: {accumulation}):\n{wide}"
                   f"    %s = arith.{combiner} {number}, %o : {accumulation}\n"
                   f"    linalg.yield %s : {accumulation}\n  }} -> {ty}\n  return %y : {ty}\n}}\n")
    np.save(folder + "/x.npy", x)
    subprocess.run([RUN, path, "--target=cuda-emulated", f"--input={folder}/x.npy", "--output=" + result],
                   check=True)
    emulated = np.load(result)
    kernel, = re.findall(r"func\.func private @(kernel\w*)\(", compiled(path, "vector"))
    try:
        found = run(path, kernel, [given, np.zeros_like(emulated)], damage)[1]
    except RuntimeError as error:
        print(f"     {error}")
        found = np.full_like(emulated, -1)
    wide_x = x.astype(np.longdouble)
    exact = (np.max if combiner == "maximumf" else np.sum)(wide_x, axis=dims)
    close = np.all(np.abs(found - exact) <= 1e-6 * np.sum(np.abs(wide_x), axis=dims))
    good = (bool(close) and found.tobytes() == emulated.tobytes()) != bool(damage)
    good = good and shuffles == ("shfl.sync.bfly" in compiled(path, "binary"))
    name = f"{combiner} {element} {shape} along {dims}{' damaged' if damage else ''}"
    print(f"{'ok  ' if good else 'FAIL'} {name}", flush=True)
    if not good:
        failed.append(name)


def races(kind, T, d, keys, bias, attributes, element):
    """Looks for races between the threads of a mixer's kernels, whatever they compute."""
    rows = tensor((2, T, d), element)
    shapes = [rows, tensor((2, T, keys), element), rows] + ([tensor(bias, element)] if bias else [])
    names = ["q", "k", "v", "w"][:len(shapes)]
    given, types = ", ".join("%" + n for n in names), ", ".join(shapes)
    state, logz = tensor((2, T, d), "f32"), tensor((2, T, keys), "f32")
    path = folder + "/mixer.mlir"
    with open(path, "w") as file:
        file.write(f"func.func @main({', '.join(f'%{n}: {t}' for n, t in zip(names, shapes))}) -> ({rows}, {types}) {{\n"
                   f"  %y, %r, %z = aft.{kind} {given} {attributes} : ({types}) -> ({rows}, {state}, {logz})\n"
                   f"  %g:{len(names)} = aft.{kind}_grad %y, {given}, %r, %z {attributes} : "
                   f"({rows}, {types}, {state}, {logz}) -> ({types})\n"
                   f"  return %y, {', '.join(f'%g#{i}' for i in range(len(names)))} : {rows}, {types}\n}}\n")
    races_of(path, f"{attributes} {element}")


def races_of(path, what):
    """The same for the kernels of a program."""
    kernels = re.findall(r"func\.func private @(kernel\w*)\(([^\n]*?)\) attributes", compiled(path, "vector"))
    for kernel, operands in kernels:
        arrays = []
        for shape in re.findall(r"memref<([^>]*)>", operands):
            *extents, kind_of = shape.split("x")
            numbers = rng.normal(size=[int(extent) for extent in extents])
            arrays.append(bf16(numbers)[1] if kind_of == "bf16" else
                          np.abs(numbers).astype("<" + kind_of[0] + str(int(kind_of[1:]) // 8)))
        try:
            run(path, kernel, arrays, all_blocks=False)
            print(f"ok   {kernel} {what}", flush=True)
        except RuntimeError as error:
            print(f"FAIL {kernel} {what}: {error}", flush=True)
            failed.append(kernel)


def races_of_rows(rows, d, element):
    """A norm, a loss and their derivatives: of rows, of columns and of everything."""
    x, row, state, ids = tensor((rows, d), element), tensor((d,), element), tensor((rows,), "f32"), f"tensor<{rows}xi64>"
    path = folder + "/rows.mlir"
    with open(path, "w") as file:
        file.write(
            f"func.func @main(%x: {x}, %g: {row}, %b: {row}, %t: {ids}, %dy: {x}, %dl: tensor<f32>) -> "
            f"({x}, {x}, {row}, {row}, tensor<f32>, {x}) {{\n"
            f"  %y, %m, %r = aft.layer_norm %x, %g, %b : ({x}, {row}, {row}) -> ({x}, {state}, {state})\n"
            f"  %dx, %dg, %db = aft.layer_norm_grad %dy, %x, %g, %m, %r : "
            f"({x}, {x}, {row}, {state}, {state}) -> ({x}, {row}, {row})\n"
            f"  %l, %lse = aft.cross_entropy %x, %t : ({x}, {ids}) -> (tensor<f32>, {state})\n"
            f"  %dz = aft.cross_entropy_grad %dl, %x, %t, %lse : (tensor<f32>, {x}, {ids}, {state}) -> {x}\n"
            f"  return %y, %dx, %dg, %db, %l, %dz : {x}, {x}, {row}, {row}, tensor<f32>, {x}\n}}\n")
    races_of(path, f"of {rows} rows of {d} {element}")


if "--races" in sys.argv or "--all" in sys.argv:
    for element in ("f32", "bf16"):
        races("simple", 150, 40, 40, None, "", element)
        races("simple", 150, 40, 40, None, "causal", element)
        races("local", 150, 40, 40, (150, 32), "window = 32 causal", element)
        races("local", 150, 40, 40, (150, 63), "window = 32", element)
        races("conv", 100, 40, 8, (8, 5), "", element)
        races("conv", 100, 40, 8, (8, 5), "causal", element)
        races("conv", 70, 68, 1, (1, 5), "", element)
        races("conv", 49, 32, 4, (4, 3, 3), "grid = [7, 7]", element)
        races("conv", 480, 8, 8, (8, 3, 3), "grid = [12, 40]", element)
        races("conv", 49, 66, 1, (1, 3, 3), "grid = [7, 7]", element)
        races("conv", 144, 8, 4, (4, 3, 3, 3), "grid = [4, 6, 6]", element)
        races("conv", 512, 8, 8, (8, 3, 3, 3), "grid = [8, 8, 8]", element)
        races("conv", 2100, 2, 2, (2, 1, 3), "grid = [1, 2100]", element)
        races("full", 100, 40, 40, (100, 100), "causal", element)
        races_of_rows(70, 300, element)
if "--races" in sys.argv:
    sys.exit(bool(failed))
# Rows by less than a warp, by one and by several; too few numbers are summed by a thread each.
for n in (1, 31, 32, 33, 1000):
    reduced((3, n), (1,), "addf", shuffles=n > 8)
    reduced((3, n), (1,), "maximumf", shuffles=n > 8)
for element in ("bf16", "f64"):
    for n in (33, 1000):
        reduced((3, n), (1,), "addf", element)
reduced((3, 33), (1,), "addi", "i64")
# Several rows per block, some of which are not there; columns, whose threads lie apart; all numbers
# by one block of 32 warps.
reduced((11, 33), (1,), "addf")
reduced((300, 13), (0,), "addf")
reduced((300, 3), (0,), "maximumf")
reduced((40, 70), (0, 1), "addf")
races_of_rows(11, 40, "bf16")
races_of_rows(3, 300, "f32")
# The machine does find what is wrong: nobody waits for other warps, or a thread takes a number of
# the wrong one.
reduced((3, 1000), (1,), "addf", damage=lambda code: re.sub(r"bar.sync\s+0;", "", code))
reduced((3, 33), (1,), "addf", damage=lambda code: re.sub(r"(shfl.*), 16, 31", r"\1, 8, 31", code))
reduced((3, 33), (1,), "addf", damage=lambda code: re.sub(r"(shfl.*), 31, -1", r"\1, 15, -1", code))
for op in ("matmul", "matmul_transpose_a", "matmul_transpose_b"):
    product(op, 24, 40, 72)
    product(op, 35, 33, 37)
product("matmul", 130, 72, 136)
# The machine does find what is wrong: nobody waits for copies, or for other threads, or a
# factor is not turned.
product("matmul", 24, 40, 72, lambda code: re.sub(r"wait_group\s+\d", "wait_group 8", code))
product("matmul", 24, 40, 72, lambda code: re.sub(r"bar.sync\s+0;", "", code))
product("matmul", 24, 40, 72, lambda code: code.replace(".x4.trans.", ".x4."))
# f32 in TF32: whatever lies across is loaded number by number. That factors are rounded is
# seen by the instruction that multiplies them.
FLAGS = ["--f32-products=tf32"]
for op in ("matmul", "matmul_transpose_a", "matmul_transpose_b"):
    product(op, 24, 40, 36, element="f32")
    product(op, 35, 33, 19, element="f32")
product("matmul", 130, 72, 68, element="f32")
product("matmul_transpose_b", 24, 40, 36, lambda code: re.sub(r"wait_group\s+\d", "wait_group 8", code), "f32")
product("matmul", 24, 40, 36, lambda code: re.sub(r"bar.sync\s+0;", "", code), "f32")
product("matmul", 24, 40, 36, lambda code: code.replace("cvt.rna.tf32.f32", "mov.b32"), "f32")
full_in_tf32(30, 70, 9, "")
full_in_tf32(12, 75, 40, "causal")
FLAGS = []
full(30, 70, 9, "")
full(12, 75, 40, "causal")
full(40, 40, 9, "causal", gradient=True)
# Operands are copied in the background.
full(40, 40, 40, "causal", gradient=True)
sys.exit(bool(failed))
