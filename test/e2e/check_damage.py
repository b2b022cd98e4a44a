"""Gives the programs and the C API damaged files: whatever the damage, there is the result that the
undamaged file gives (or, where no checksum finds the damage, the one that Python's own readers find in it), or
exit status 1 and one message that names the file, of one line (of a .mlir file: with notes). Never a signal,
never without end, never without bound on memory. A damaged entry of the cache is none. Of models every other one is
damaged inside of a record, with a checksum that fits; where the others are taken, the program is that of the
undamaged file.

usage: check_damage.py AFT_RUN AFTC LOAD_ARTIFACTS [COUNT [MODELS [KIND...]]]; COUNT: damaged files per kind,
MODELS: of .pt2 and .pt, KIND: npy safetensors so weights beside gpu mlir cache open checkpoint pt2 pt
"""
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from damage import change, change_record, fnv, parse_safetensors, safetensors

AFT_RUN, AFTC, LOADER = sys.argv[1:4]
COUNT = int(sys.argv[4]) if len(sys.argv) > 4 else 60
MODELS = int(sys.argv[5]) if len(sys.argv) > 5 else 8
CHOSEN = sys.argv[6:]
# A sanitizer reserves more addresses, takes more memory and more time.
SANITIZED = bool(os.environ.get("ASAN_OPTIONS") or os.environ.get("TSAN_OPTIONS"))
SECONDS, CPU_SECONDS = 120, 10
ADDRESSES, RESIDENT = (6 if MODELS == 0 else 12) << 30, 2 << 30
FOLDER = tempfile.TemporaryDirectory()
PROGRAM = """
func.func @main(%x: tensor<?x8xf32> {aft.name = "x"}, %w: tensor<8x8xf32> {aft.name = "w"}) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x8xf32>, tensor<8x8xf32>) outs(%f : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
"""
# A state of two tensors.
STEP = """
func.func @main(%x: tensor<?x4xf32> {aft.name = "x"}, %s: tensor<?x4xf32> {aft.name = "sum"}, %m: tensor<?x4xf32> {aft.name = "most"})
    -> (tensor<?x4xf32> {aft.name = "sum"}, tensor<?x4xf32> {aft.name = "most"}) {
  %t = arith.addf %x, %s : tensor<?x4xf32>
  %n = arith.maximumf %x, %m : tensor<?x4xf32>
  return %t, %n : tensor<?x4xf32>, tensor<?x4xf32>
}
"""


def path(name):
    return os.path.join(FOLDER.name, name)


def read(name):
    """The bytes of a file, if it is there."""
    if not os.path.exists(name):
        return None
    with open(name, "rb") as file:
        return file.read()


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)
    return name


def limit():
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def call(*command, cache="", limited=True, text=None):
    """Exit status and output; the status is a text where it ran too long or took too much memory."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=limit if limited else None,
                               env={**os.environ, "AFT_CACHE_DIR": cache})
    timer = threading.Timer(SECONDS if limited else 3600, process.kill)
    timer.start()
    if text is not None:
        threading.Thread(target=lambda: (process.stdin.write(text.encode()), process.stdin.close())).start()
    output = process.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status = os.waitstatus_to_exitcode(status)
    timer.cancel()
    if not SANITIZED and usage.ru_maxrss > RESIDENT >> 10:
        status = f"{status}, took {usage.ru_maxrss >> 10} MB"
    return status, output


def succeed(*command, **options):
    status, output = call(*command, **options)
    assert status == 0, f"{' '.join(command)}: {output}"
    return output


class Kind:
    """Files that one command takes. `command(file, out)`; `expected(file, good)` are the bytes that `out` must have
    when the file is taken, or None for any, and may raise where nobody should take it; `good`: those of the
    undamaged file."""

    def __init__(self, suffix, count, command, expected=lambda file, good: good, change=change, notes=False):
        self.suffix, self.count, self.command, self.expected = suffix, count, command, expected
        self.change, self.notes = change, notes

    def attempt(self, number, good, result):
        damaged = self.change(good, random.Random(f"{self.suffix} {number}"))
        if damaged == good:
            return damaged, "the same", "", True
        file = write(path(f"bad{number}{self.suffix}"), damaged)
        out = file + ".out"
        status, message = call(*self.command(file, out))
        fine = False
        if status == 0:
            try:
                wanted = self.expected(file, result)
                fine = wanted is None or read(out) == wanted
                message = message if fine else "gives another result than the file holds"
            except Exception as error:
                message = f"is taken, where Python says {error!r}"
        elif status == 1:
            lines = message.rstrip("\n").split("\n")
            # An array may be sound, and not what the program takes.
            isNamed = file in lines[0] or self.suffix == ".npy" and "input 0 ('x') must be " in lines[0]
            fine = (len(lines) == 1 or self.notes) and lines[0].startswith(("aft-run: ", "aftc: ")) and isNamed
        for made in (file, out, file + ".so"):
            if os.path.exists(made):
                os.remove(made)
        return damaged, status, message, fine

    def run(self):
        good = read(path("good" + self.suffix))
        succeed(*self.command(path("good" + self.suffix), path("good.out")))
        result = read(path("good.out"))
        with ThreadPoolExecutor(2) as pool:
            yield from pool.map(lambda number: self.attempt(number, good, result), range(self.count))


class Archive(Kind):
    """Every other one is damaged inside of a record, where it may be a program, but another one."""

    def __init__(self, suffix, count, command):
        super().__init__(suffix, count, command, self.expected_of, self.damage)
        self.inside = set()

    def damage(self, data, rng):
        isRecord = rng.random() < 0.5
        result = (change_record if isRecord else change)(data, rng)
        if isRecord:
            self.inside.add(hash(result))
        return result

    def expected_of(self, file, good):
        return None if hash(read(file)) in self.inside else good


class Batch(Kind):
    """Files that one process of LOADER takes one after the other."""

    def __init__(self, suffix, count, model, expected):
        super().__init__(suffix, count, None, expected)
        self.model = model

    def run(self):
        good = read(path("good" + self.suffix))
        first = succeed(LOADER, *self.model, text=path("good" + self.suffix) + "\n").split()
        assert first[0] == "taken", first
        names, all = [], []
        for number in range(self.count):
            all.append(self.change(good, random.Random(f"{self.suffix} {number}")))
            names.append(write(path(f"bad{number}{self.suffix}"), all[-1]))
        status, output = call(LOADER, *self.model, limited=False, text="".join(name + "\n" for name in names))
        lines = output.splitlines()
        if status != 0:
            lines = lines[:len(names) - 1] + [f"ends with {status}"]
        for name, damaged, line in zip(names, all, lines):
            kind, _, rest = line.partition(" ")
            fine = kind == "refused" and name in rest
            if kind == "taken":
                try:
                    fine = damaged == good or rest == self.expected(name, first[1])
                except Exception as error:
                    line += f", where Python says {error!r}"
            yield damaged, {"refused": 1, "taken": 0}.get(kind, "none"), line, fine
        for name in names:
            os.remove(name)


def is_kernel(entry):
    """Whether an entry of the cache is an object file, behind "AFT-CACHE-1\\n" and a hash."""
    return entry[76:80] == b"\x7fELF"


class CacheEntries(Kind):
    """A cache with one damaged entry: the program runs all the same."""

    def attempt(self, number, good, result):
        entry = sorted(good)[number % len(good)]
        damaged = self.change(good[entry], random.Random(f"{self.suffix} {number}"))
        folder = path(f"cache{number}")
        shutil.copytree(path("cache"), folder)
        # Kernels are looked for where the program is not found.
        if is_kernel(good[entry]):
            for other in good:
                if not is_kernel(good[other]):
                    os.remove(os.path.join(folder, other))
        entry = os.path.join(folder, entry)
        write(entry, damaged)
        out = path(f"cache{number}.out")
        status, message = call(*self.command(None, out), cache=folder)
        fine = status == 0 and read(out) == result
        # What was no entry has been replaced.
        replaced = read(entry) != damaged
        shutil.rmtree(folder)
        if os.path.exists(out):
            os.remove(out)
        return damaged, 1 if fine and replaced else status, message, fine

    def run(self):
        folder = path("cache")
        succeed(*self.command(None, path("good.out")), cache=folder)
        good = {name: read(os.path.join(folder, name)) for name in os.listdir(folder)}
        assert 0 < sum(map(is_kernel, good.values())) < len(good)
        result = read(path("good.out"))
        with ThreadPoolExecutor(2) as pool:
            yield from pool.map(lambda number: self.attempt(number, good, result), range(self.count))


def as_numpy_reads(file, _):
    """The result for the array that NumPy finds in a damaged .npy file."""
    np.save(file + ".npy", np.load(file, allow_pickle=False))
    succeed(AFT_RUN, path("good.so"), "--input=" + file + ".npy", "--input=" + path("w.npy"), "--output=" + file + ".want")
    os.remove(file + ".npy")
    wanted = read(file + ".want")
    os.remove(file + ".want")
    return wanted


def as_safetensors_say(file, _):
    """That of the artifact with the weights that Python finds."""
    dtype, shape, raw = parse_safetensors(read(file))[0]["w"]
    assert dtype == "F32" and shape == [8, 8]
    np.save(file + ".npy", np.frombuffer(raw, "f4").reshape(shape))
    x, w, out = "--input=" + path("good.npy"), "--input=" + file + ".npy", file + ".want"
    succeed(AFT_RUN, path("good.so"), x, w, "--output=" + out)
    wanted = read(out)
    succeed(AFT_RUN, file + ".so", x, "--output=" + out)
    found = read(out)
    os.remove(out)
    os.remove(file + ".npy")
    assert found == wanted, "an artifact with other weights"


def state_of(file, _):
    tensors, metadata = parse_safetensors(read(file))
    assert all(metadata[name] == str(int(metadata[name])) for name in ("steps", "seed"))
    assert all(tensors[name][0] == "F32" for name in ("sum", "most"))
    return fnv(tensors[name][2] for name in ("sum", "most"))


def make_models():
    import torch
    from torch.export import Dim, export
    model = torch.nn.Sequential(torch.nn.LayerNorm(8), torch.nn.Linear(8, 4), torch.nn.ReLU()).eval()
    x = torch.randn(3, 8)
    torch.export.save(export(model, (x,), dynamic_shapes=({0: Dim("B", min=1, max=64)},)), path("good.pt2"))
    torch.jit.script(model).save(path("good.pt"))


def make_files():
    rng = np.random.default_rng(0)
    mlir = write(path("good.mlir"), PROGRAM.encode())
    np.save(path("good.npy"), rng.standard_normal((3, 8)).astype("f4"))
    np.save(path("w.npy"), rng.standard_normal((8, 8)).astype("f4"))
    weights = write(path("good.safetensors"), safetensors({"w": np.load(path("w.npy")), "other": np.ones(3, "f4")}))
    succeed(AFTC, mlir, "-o", path("good.so"))
    succeed(AFTC, mlir, "-o", path("good.weights.so"), "--weights=" + weights)
    succeed(AFTC, mlir, "-o", path("beside.so"), "--weights=" + weights, "--weights-beside")
    os.rename(path("beside.safetensors"), path("good.beside"))
    succeed(AFTC, mlir, "--target=cuda:sm_80", "-o", path("good.gpu.so"))
    succeed(AFTC, write(path("step.mlir"), STEP.encode()), "-o", path("step.so"))
    shutil.copy(path("good.so"), path("good.open.so"))
    state = {name: rng.standard_normal((3, 4)).astype("f4") for name in ("sum", "most")}
    write(path("good.state"), safetensors(state, {"steps": "3", "seed": "7"}))


def run_beside(file, out):
    """The artifact looks for a file of one name in its folder."""
    folder = file + ".d"
    os.makedirs(folder, exist_ok=True)
    shutil.copy(path("beside.so"), folder)
    shutil.copy(file, os.path.join(folder, "beside.safetensors"))
    # The message names the folder, and thereby the file.
    return AFT_RUN, os.path.join(folder, "beside.so"), "--input=" + path("good.npy"), "--output=" + out


def kinds():
    x, w = "--input=" + path("good.npy"), "--input=" + path("w.npy")
    found = {
        "npy": Kind(".npy", COUNT, lambda f, out: (AFT_RUN, path("good.so"), "--input=" + f, w, "--output=" + out),
                    as_numpy_reads),
        "safetensors": Kind(".safetensors", COUNT,
                            lambda f, out: (AFTC, path("good.mlir"), "-o", f + ".so", "--weights=" + f),
                            as_safetensors_say),
        "so": Kind(".so", COUNT, lambda f, out: (AFT_RUN, f, x, w, "--output=" + out)),
        "weights": Kind(".weights.so", COUNT, lambda f, out: (AFT_RUN, f, x, "--output=" + out)),
        "beside": Kind(".beside", COUNT, run_beside),
        # --inspect verifies all of it and needs no GPU.
        "gpu": Kind(".gpu.so", COUNT // 2, lambda f, out: (AFT_RUN, "--inspect", f)),
        "mlir": Kind(".mlir", COUNT, lambda f, out: (AFTC, f, "--compile-to=graph", "-o", out),
                     lambda f, good: None, notes=True),
        "cache": CacheEntries(".cache", COUNT // 2,
                              lambda f, out: (AFT_RUN, path("good.mlir"), x, w, "--output=" + out)),
        "open": Batch(".open.so", COUNT, [], lambda file, good: good),
        "checkpoint": Batch(".state", COUNT, [path("step.so")], state_of),
    }
    if MODELS:
        found["pt2"] = Archive(".pt2", MODELS, lambda f, out: (AFTC, f, "--compile-to=graph", "-o", out))
        found["pt"] = Archive(".pt", MODELS, lambda f, out: (AFTC, f, "--compile-to=graph", "-o", out,
                                                             "--input-type=3x8xf32"))
    return {name: kind for name, kind in found.items() if not CHOSEN or name in CHOSEN}


def main():
    make_files()
    if MODELS and (not CHOSEN or {"pt2", "pt"} & set(CHOSEN)):
        make_models()
    failures = 0
    for name, kind in kinds().items():
        refused = 0
        for number, (damaged, status, message, fine) in enumerate(kind.run()):
            refused += status == 1
            if not fine:
                failures += 1
                kept = write(f"damage{number}{kind.suffix}", damaged)
                print(f"FAIL {name} {number} ({os.path.abspath(kept)}): exit {status}: {message}", flush=True)
        print(f"{name}: {kind.count} damaged, {refused} refused", flush=True)
        assert refused > kind.count // 4, "the damage is not damage"
    sys.exit(failures > 0)


main()
