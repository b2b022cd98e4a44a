"""Gives the programs damaged files: whatever the damage, there is a result, or exit status 1 and one
message that names the file, of one line (of a .mlir file: with notes). Never a signal, never without
end, never without bound on memory. Of models every other one is damaged inside of a record, with a
checksum that fits; where the others are taken, the program is that of the undamaged file.

usage: check_damage.py AFT_RUN AFTC [COUNT [MODELS]]; COUNT: damaged files per kind, MODELS: of .pt2 and .pt
"""
import io
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np

AFT_RUN, AFTC = sys.argv[1:3]
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 60
MODELS = int(sys.argv[4]) if len(sys.argv) > 4 else 8
SECONDS = 120
# Sanitizers reserve more addresses than this.
BYTES = (6 if MODELS == 0 else 12) << 30
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


def path(name):
    return os.path.join(FOLDER.name, name)


def limit():
    if not os.environ.get("ASAN_OPTIONS"):
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS,
                          preexec_fn=limit, env={**os.environ, "AFT_CACHE_DIR": ""})
    return done.returncode, done.stdout + done.stderr


def change(data, rng):
    """One to three of the things that happen to files."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        # The beginning, where headers are, half of the time.
        at = rng.randrange(min(len(data), 400) if rng.random() < 0.5 else len(data)) if data else 0
        length = rng.choice([1, 2, 4, 8, 64])
        kind = rng.randrange(8)
        if kind == 0:
            data = data[:at]
        elif kind == 1 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[at:at + length] = bytes([rng.choice([0, 255, 128, 0x39])]) * length
        elif kind == 3:
            del data[at:at + length]
        elif kind == 4:
            data[at:at] = rng.randbytes(length)
        elif kind == 5:
            data[at:at] = data[:length]
        elif kind == 6:
            numbers = list(re.finditer(rb"\d+", bytes(data)))
            if numbers:
                number = rng.choice(numbers)
                data[number.start():number.end()] = rng.choice(
                    [b"9223372036854775807", b"18446744073709551616", b"4294967296", b"-1", b"0", b"1000000000"])
        else:
            data = data + rng.randbytes(length)
    return bytes(data)


def change_record(data, rng):
    """An archive, sound but for one record."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    # Those with something to read: the graph, code, the pickled and the JSON ones.
    chosen = rng.choice([name for name in records if name.endswith((".json", ".py", ".pkl"))])
    records[chosen] = change(records[chosen], rng)
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return result.getvalue()


def contents(name):
    """Of a file, if it is there."""
    if not os.path.exists(name):
        return None
    with open(name, "rb") as file:
        return file.read()


def safetensors(tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        raw = array.tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def models():
    import torch
    from torch.export import Dim, export
    model = torch.nn.Sequential(torch.nn.LayerNorm(8), torch.nn.Linear(8, 4), torch.nn.ReLU()).eval()
    x = torch.randn(3, 8)
    torch.export.save(export(model, (x,), dynamic_shapes=({0: Dim("B", min=1, max=64)},)), path("good.pt2"))
    torch.jit.script(model).save(path("good.pt"))


def main():
    rng = np.random.default_rng(0)
    with open(path("p.mlir"), "w") as file:
        file.write(PROGRAM)
    np.save(path("good.npy"), rng.standard_normal((3, 8)).astype("f4"))
    np.save(path("w.npy"), rng.standard_normal((8, 8)).astype("f4"))
    with open(path("good.safetensors"), "wb") as file:
        file.write(safetensors({"w": rng.standard_normal((8, 8)).astype("f4"), "other": np.ones(3, "f4")}))
    status, message = call(AFTC, path("p.mlir"), "-o", path("good.so"))
    assert status == 0, message
    status, message = call(AFTC, path("p.mlir"), "-o", path("beside.so"), "--weights=" + path("good.safetensors"),
                           "--weights-beside")
    assert status == 0, message
    # --inspect verifies all of it and needs no GPU.
    status, message = call(AFTC, path("p.mlir"), "--target=cuda:sm_80", "-o", path("good.gpu.so"))
    assert status == 0, message
    kinds = {
        ".npy": (COUNT, lambda f: (AFT_RUN, path("good.so"), "--input=" + f, "--input=" + path("w.npy"))),
        ".safetensors": (COUNT, lambda f: (AFTC, path("p.mlir"), "-o", f + ".so", "--weights=" + f)),
        ".so": (COUNT, lambda f: (AFT_RUN, f, "--input=" + path("good.npy"), "--input=" + path("w.npy"))),
        ".gpu.so": (COUNT // 2, lambda f: (AFT_RUN, "--inspect", f)),
        ".mlir": (COUNT, lambda f: (AFTC, f, "--compile-to=graph", "-o", f + ".out")),
    }
    if MODELS:
        models()
        kinds[".pt2"] = (MODELS, lambda f: (AFTC, f, "--compile-to=graph", "-o", f + ".out"))
        kinds[".pt"] = (MODELS, lambda f: (AFTC, f, "--compile-to=graph", "-o", f + ".out", "--input-type=3x8xf32"))
    os.rename(path("p.mlir"), path("good.mlir"))
    os.symlink(path("good.mlir"), path("p.mlir"))
    failures = 0
    for suffix, (count, command) in kinds.items():
        with open(path("good" + suffix), "rb") as file:
            good = file.read()

        def attempt(number):
            isRecord = suffix in (".pt", ".pt2") and number % 2
            damaged = (change_record if isRecord else change)(good, random.Random(f"{suffix} {number}"))
            name = path(f"bad{number}{suffix}")
            with open(name, "wb") as file:
                file.write(damaged)
            try:
                status, message = call(*command(name))
            except subprocess.TimeoutExpired:
                status, message = "none", f"takes more than {SECONDS} s"
            if status == 0 and suffix in (".pt", ".pt2") and not isRecord and contents(name + ".out") != program:
                status, message = "0", "gives another program"
            for made in (name, name + ".so", name + ".out"):
                if os.path.exists(made):
                    os.remove(made)
            lines = message.rstrip("\n").split("\n")
            return damaged, status, message, status == 0 or (
                status == 1 and (len(lines) == 1 or suffix == ".mlir") and lines[0].startswith(("aft-run: ", "aftc: ")) and name in lines[0])

        status, message = call(*command(path("good" + suffix)))
        assert status == 0, suffix + ": " + message
        program = contents(path("good" + suffix + ".out"))
        refused = 0
        with ThreadPoolExecutor(2) as pool:
            for number, (damaged, status, message, fine) in enumerate(pool.map(attempt, range(count))):
                refused += status == 1
                if not fine:
                    failures += 1
                    kept = f"damage{number}{suffix}"
                    with open(kept, "wb") as file:
                        file.write(damaged)
                    print(f"FAIL {suffix} {number} ({os.path.abspath(kept)}): exit {status}: {message}", flush=True)
        print(f"{suffix}: {count} damaged, {refused} refused", flush=True)
        assert refused > count // 4, "the damage is not damage"
    sys.exit(failures > 0)


main()
