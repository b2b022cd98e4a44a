"""Compiles every kind of kernel for a GPU, and has ptxas, where it is found, accept the PTX
without spills and within limits.

usage: check_ptx.py AFTC [--table]
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

AFTC = sys.argv[1]
SHARED, REGISTERS = 48 << 10, 65536
INPUTS = os.path.join(os.path.dirname(__file__), "..", "inputs")
PTXAS = shutil.which("ptxas") or shutil.which("ptxas", path="/usr/local/cuda/bin")
folder = tempfile.mkdtemp()


def function(body, arguments, results):
    names = ", ".join(f"%{n}: {t}" for n, t in arguments)
    return f"func.func @main({names}) -> ({', '.join(results)}) {{\n{body}\n}}\n"


def mixer(kind, keys, bias, attrs, element, width=64):
    """One mixer and its derivative."""
    rows = f"tensor<?x?x{width}x{element}>"
    shapes = [rows, f"tensor<?x?x{keys}x{element}>", rows] + ([f"tensor<{bias}x{element}>"] if bias else [])
    names = ["q", "k", "v", "w"][:len(shapes)]
    given, types = ", ".join("%" + n for n in names), ", ".join(shapes)
    state, logz = f"tensor<?x?x{width}xf32>", f"tensor<?x?x{keys}xf32>"
    return function(
        f"  %y, %r, %z = aft.{kind} {given} {attrs} : ({types}) -> ({rows}, {state}, {logz})\n"
        f"  %g:{len(names)} = aft.{kind}_grad %y, {given}, %r, %z {attrs} : "
        f"({rows}, {types}, {state}, {logz}) -> ({types})\n"
        f"  return %y, {', '.join(f'%g#{i}' for i in range(len(names)))} : {rows}, {types}",
        list(zip(names, shapes)), [rows] + shapes)


def product(op, a, b, c, rounded=None):
    """C = A B, in f32 or rounded to bf16."""
    rows = "%n" if "?" in c else ""
    program = (f"  %c0 = arith.constant 0 : index\n  %n = tensor.dim %a, %c0 : {a}\n"
               f"  %zero = arith.constant 0.0 : f32\n  %e = tensor.empty({rows}) : {c}\n"
               f"  %z = linalg.fill ins(%zero : f32) outs(%e : {c}) -> {c}\n"
               f"  %c = linalg.{op} ins(%a, %b : {a}, {b}) outs(%z : {c}) -> {c}\n")
    if not rounded:
        return function(program + f"  return %c : {c}", [("a", a), ("b", b)], [c])
    same = "affine_map<(i, j) -> (i, j)>"
    program += (f"  %f = tensor.empty({rows}) : {rounded}\n"
                f"  %r = linalg.generic {{indexing_maps = [{same}, {same}], iterator_types = "
                f"[\"parallel\", \"parallel\"]}} ins(%c : {c}) outs(%f : {rounded}) {{\n"
                "  ^bb0(%x: f32, %o: bf16):\n    %t = arith.truncf %x : f32 to bf16\n"
                f"    linalg.yield %t : bf16\n  }} -> {rounded}\n  return %r : {rounded}")
    return function(program, [("a", a), ("b", b)], [rounded])


programs = {f"{kind} {attrs} {element}": mixer(kind, keys, bias, attrs, element)
            for kind, keys, bias, attrs, element in [
                ("simple", 64, "", "", "f32"), ("simple", 64, "", "causal", "bf16"),
                ("local", 64, "?x32", "window = 32 causal", "f32"),
                ("local", 64, "?x63", "window = 32", "bf16"),
                ("local", 64, "?x511", "window = 256", "f32"),
                ("conv", 8, "8x11", "", "f32"), ("conv", 64, "64x11x11", "grid = [14, 14]", "f32"),
                ("conv", 8, "8x3x3", "grid = [32, 32]", "bf16"),
                ("full", 64, "?x?", "", "f32"), ("full", 64, "?x?", "causal", "bf16"),
                ("full", 64, "?x?x?", "gate = tanh", "bf16")]}
# The gradient of a filter: several rows of it for a block, parts of a row, heads of several channels
# and such that take turns, also for dk, grids of three dimensions, sequences, and rows that are cut.
programs |= {f"conv {attrs} {bias} d{width}": mixer("conv", keys, bias, attrs, element, width)
             for keys, bias, attrs, element, width in [
                 (768, "768x11x11", "grid = [14, 14]", "f32", 768),
                 (256, "256x11x11", "grid = [14, 14]", "bf16", 1536),
                 (1024, "1024x7x7", "grid = [32, 32]", "f32", 1024),
                 (64, "64x1x90", "grid = [1, 140]", "f32", 64), (2, "2x3x3", "grid = [14, 14]", "f32", 96),
                 (64, "64x3x3x3", "grid = [4, 14, 14]", "f32", 64),
                 (80, "80x3x3x3", "grid = [4, 14, 14]", "bf16", 640),
                 (16, "16x3x3x3", "grid = [8, 28, 28]", "f32", 64),
                 (64, "64x3x5x5", "grid = [16, 16, 16]", "bf16", 64),
                 (8, "8x3x3", "grid = [14, 14]", "f32", 512), (2, "2x3x3x3", "grid = [4, 14, 14]", "bf16", 128),
                 (8, "8x32", "causal", "bf16", 512), (12, "12x31", "", "f32", 768),
                 (512, "512x32", "causal", "f32", 512), (64, "64x11", "", "bf16", 512),
                 (8, "8x1024", "causal", "f32", 512), (64, "64x3x5", "grid = [3, 3000]", "f32", 64), (16, "16x3x3", "grid = [4, 2000]", "bf16", 64)]}


def products(element):
    return {
        "": product("matmul_transpose_b", f"tensor<300x200x{element}>", f"tensor<100x200x{element}>",
                    "tensor<300x100xf32>"),
        # The largest tiles; where C is rounded, it lies in shared memory, too.
        " large": product("matmul", f"tensor<?x1024x{element}>", f"tensor<1024x4096x{element}>",
                          "tensor<?x4096xf32>"),
        " turned": product("matmul_transpose_a", f"tensor<1000x4096x{element}>",
                           f"tensor<1000x4096x{element}>", "tensor<4096x4096xf32>"),
        " rounded": product("matmul_transpose_b", f"tensor<?x1024x{element}>", f"tensor<4096x1024x{element}>",
                            "tensor<?x4096xf32>", "tensor<?x4096xbf16>"),
        # Rows that do not begin at multiples of 16 bytes.
        " odd": product("matmul", f"tensor<70x33x{element}>", f"tensor<33x65x{element}>",
                        "tensor<70x65xf32>")}


programs.update({"matmul bf16" + name: program for name, program in products("bf16").items()})
state = "tensor<?x64xf32>"
rows = "tensor<?x?x64xf32>"
programs["decoding"] = function(
    f"  %y:4 = aft.simple_online %q, %q, %q state(%m, %m, %m) : ({rows}, {rows}, {rows}, {state}, "
    f"{state}, {state}) -> ({rows}, {state}, {state}, {state})\n"
    f"  return %y#0, %y#1, %y#2, %y#3 : {rows}, {state}, {state}, {state}",
    [("q", rows), ("m", state)], [rows, state, state, state])


# A norm by hand, of rows and of a number of elements that is not known.
programs["norm bf16"] = function(
    "  %zero = arith.constant 0.0 : f32\n  %e = tensor.empty(%n) : tensor<?xf32>\n"
    "  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>\n"
    "  %s = linalg.generic {indexing_maps = [affine_map<(i, c) -> (i, c)>, affine_map<(i, c) -> (i)>], "
    "iterator_types = [\"parallel\", \"reduction\"]} ins(%x : tensor<?x512xbf16>) outs(%z : tensor<?xf32>) {\n"
    "  ^bb0(%a: bf16, %o: f32):\n    %w = arith.extf %a : bf16 to f32\n    %q = arith.mulf %w, %w : f32\n"
    "    %r = arith.addf %q, %o : f32\n    linalg.yield %r : f32\n  } -> tensor<?xf32>\n"
    "  %y = linalg.generic {indexing_maps = [affine_map<(i, c) -> (i, c)>, affine_map<(i, c) -> (i)>, "
    "affine_map<(i, c) -> (i, c)>], iterator_types = [\"parallel\", \"parallel\"]} "
    "ins(%x, %s : tensor<?x512xbf16>, tensor<?xf32>) outs(%x : tensor<?x512xbf16>) {\n"
    "  ^bb0(%a: bf16, %q: f32, %o: bf16):\n    %w = arith.extf %a : bf16 to f32\n"
    "    %r = math.rsqrt %q : f32\n    %m = arith.mulf %w, %r : f32\n"
    "    %t = arith.truncf %m : f32 to bf16\n    linalg.yield %t : bf16\n  } -> tensor<?x512xbf16>\n"
    "  return %y : tensor<?x512xbf16>", [("x", "tensor<?x512xbf16>")], ["tensor<?x512xbf16>"]).replace(
        "  %zero", "  %c0 = arith.constant 0 : index\n  %n = tensor.dim %x, %c0 : tensor<?x512xbf16>\n  %zero", 1)
programs["elementwise f32"] = function(
    "  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], "
    "iterator_types = [\"parallel\"]} ins(%x : tensor<?xf32>) outs(%x : tensor<?xf32>) {\n"
    "  ^bb0(%a: f32, %o: f32):\n    %s = arith.negf %a : f32\n    linalg.yield %s : f32\n"
    "  } -> tensor<?xf32>\n  return %y : tensor<?xf32>", [("x", "tensor<?xf32>")], ["tensor<?xf32>"])
# Kernels that wait for memory: they load and store 16 bytes at once.
VECTORS = ("simple", "local", "conv  f32", "norm", "elementwise")
# What products of bf16 consist of; copies only where rows consist of 16 bytes.
WARPS = ("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "ldmatrix.sync.aligned.m8n8.x4",
         "cp.async.cg.shared.global")


def tf32_instructions(name):
    """What stands in a product of f32 in TF32; factors that lie across are loaded one by one."""
    return ["mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", "cvt.rna.tf32.f32",
            *([] if "odd" in name else ["cp.async.cg.shared.global"]),
            *([] if "turned" in name else ["ldmatrix.sync.aligned.m8n8.x4"])]


def narrow(text):
    """Kernels without vectors of 16 bytes."""
    kernels = re.split(r"(?=\.visible \.entry)", text)[1:]
    return [re.search(r"entry (\w+)", kernel).group(1) for kernel in kernels
            if not re.search(r"ld\.global(\.nc)?\.v4\.[buf]32", kernel)
            or not re.search(r"st\.global\.v4\.[buf]32", kernel)]


def check(name, path, flags=()):
    problems, table = [], []
    for arch in ("sm_90a", "sm_80"):
        done = subprocess.run([AFTC, path, f"--target=cuda:{arch}", "--compile-to=binary", *flags],
                              capture_output=True, text=True)
        ptx = os.path.join(folder, "code.ptx")
        open(ptx, "w").write(done.stdout)
        if done.returncode or ".entry" not in done.stdout or f".target {arch.rstrip('a')}\n" not in done.stdout:
            problems.append(f"{arch}: {done.stderr.strip()[:300] or 'no PTX'}")
        if name.startswith(VECTORS):
            problems += [f"{arch}: {kernel} has no vectors of 16 bytes" for kernel in narrow(done.stdout)]
        if "--f32-products=tf32" in flags:
            problems += [f"{arch}: no {instruction}" for instruction in tf32_instructions(name)
                         if instruction not in done.stdout]
        elif "tf32" in done.stdout:
            problems.append(f"{arch}: TF32 without request")
        if name.startswith("matmul bf16") or name.startswith("full") and name.endswith("bf16"):
            expected = WARPS[:2 if "odd" in name else 3]
            problems += [f"{arch}: no {instruction}" for instruction in expected
                         if instruction not in done.stdout]
        if not problems and PTXAS:
            problems += assemble(ptx, arch, done.stdout, table)
    print(f"{'FAIL' if problems else 'ok  '} {name}")
    for problem in problems:
        print("     " + problem)
    if "--table" in sys.argv:
        print("\n".join(table))
    return not problems


def assemble(ptx, arch, text, table):
    done = subprocess.run([PTXAS, "-v", f"-arch={arch}", "-o", os.devnull, ptx],
                          capture_output=True, text=True)
    if done.returncode:
        return [f"{arch}: ptxas: {done.stderr.strip()[:300]}"]
    problems = []
    found = re.findall(r"Compiling entry function '(\S+)'.*?(\d+) bytes stack frame, (\d+) bytes spill "
                       r"stores, (\d+) bytes spill loads.*?Used (\d+) registers(.*?)\n", done.stderr, re.S)
    if len(found) != text.count(".entry"):
        problems.append(f"{arch}: ptxas tells of {len(found)} of {text.count('.entry')} kernels")
    for kernel, stack, stores, loads, registers, rest in found:
        threads = int(re.search(rf"\.entry {re.escape(kernel)}\(.*?\.maxntid (\d+)", text, re.S).group(1))
        shared = int((re.findall(r"(\d+) bytes smem", rest) or ["0"])[0])
        table.append(f"       {arch} {kernel}: {registers} registers, {threads} threads, {shared} bytes "
                     f"shared, {stack} bytes of stack")
        if int(stores) or int(loads):
            problems.append(f"{arch}: {kernel} spills {stores} and {loads} bytes")
        if int(registers) * threads > REGISTERS or shared > SHARED:
            problems.append(f"{arch}: {kernel} takes {registers} registers for {threads} threads, "
                            f"{shared} bytes of shared memory")
    return problems


def check_artifact(program):
    """An artifact carries what ptxas makes: an ELF file for CUDA's machine, 190."""
    artifact = os.path.join(folder, "model.so")
    done = subprocess.run([AFTC, program, "--target=cuda:sm_90a", "-o", artifact],
                          capture_output=True, text=True, env={**os.environ, "AFT_PTXAS": PTXAS or ""})
    data = open(artifact, "rb").read() if done.returncode == 0 else b""
    cubin = data.find(b"\x7fELF", 4)
    machine = int.from_bytes(data[cubin + 18:cubin + 20], "little") if cubin > 0 else None
    good = machine == (190 if PTXAS else None) and re.search(rb'"kind": "ptx",\s*"arch": "sm_90"', data)
    print(f"{'ok  ' if good else 'FAIL'} an artifact's code: machine {machine} {done.stderr.strip()[:300]}")
    return bool(good)


if not PTXAS:
    print("ptxas is not found: its checks are left out")
good = True
for name, program in programs.items():
    path = os.path.join(folder, "program.mlir")
    open(path, "w").write(program)
    good &= check(name, path)
good &= check("training step of a language model", os.path.join(INPUTS, "language-model.mlir"),
              ["--training=adamw"])
good &= check("training step of a language model in TF32", os.path.join(INPUTS, "language-model.mlir"),
              ["--training=adamw", "--f32-products=tf32"])
in_tf32 = {"matmul tf32" + name: program for name, program in products("f32").items()}
in_tf32["full tf32"] = programs["full  f32"]
in_tf32["full tf32 causal"] = mixer("full", 64, "?x?x?", "causal", "f32")
for name, program in in_tf32.items():
    open(path, "w").write(program)
    good &= check(name, path, ["--f32-products=tf32"])
good &= check_artifact(path)
sys.exit(not good)
