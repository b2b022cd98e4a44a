"""bench_keys.py AFT_BENCH: runs every operation at small sizes and checks the JSON."""
import json
import math
import subprocess
import sys

COMMON = ["ms", "ms_min", "ms_max", "flops", "bytes", "gflops", "gbps", "compile_ms",
          "cached_compile_ms", "peak_rss_mb", "max_error", "threads", "scratch_bytes"]
SMALL = ["--batch=2", "--dim=8", "--window=3", "--heads=2", "--repeat=2", "--threads=1", "--json"]
MODEL = ["--layers=1", "--vocab=11", "--rank=4"]


def measure(op, *flags):
    command = [sys.argv[1], "--op=" + op, *SMALL, *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and not done.stderr, (command, done.returncode, done.stderr)
    result = json.loads(done.stdout)
    eager = "--vs=eager" in flags
    numbers = COMMON + (["tokens_per_s"] if op == "train" else [])
    numbers += (["ms_per_token"] if op == "decode" else []) + (["eager_ms", "ratio"] if eager else [])
    for key in numbers:
        number = result[key]
        assert math.isfinite(number) and number >= 0, (command, key, number)
        assert number > 0 or key in ("max_error", "scratch_bytes"), (command, key, number)
    assert result["op"] == op and result["target"] == "cpu", result
    assert ("ratio" in result) == eager, result
    assert result["ms_min"] <= result["ms"] <= result["ms_max"], result
    assert result["max_error"] <= result["max_error_limit"], result
    assert result["cached_compile_ms"] < result["compile_ms"], result
    return result


def close(found, expected, what):
    assert abs(found - expected) <= 1e-6 * abs(expected), (what, found, expected)


# The numbers that a reader can work out: B = 2, T = 12, d = 8.
r = measure("full", "--length=12", "--threads=2", "--vs=eager")
close(r["flops"], 4 * 2 * 12 * 12 * 8 + 8 * 2 * 12 * 8, "full")
close(r["bytes"], 4 * (4 * 2 * 12 * 8 + 12 * 12), "full")
close(r["gflops"], r["flops"] / r["ms"] * 1e-6, "gflops")
close(r["ratio"], r["eager_ms"] / r["ms"], "ratio")
assert r["threads"] == 2 and r["dtype"] == "f32" and r["checked_against"] == "reference", r
r = measure("full", "--length=12", "--causal", "--pass=fwdbwd", "--vs=eager")
close(r["flops"], 3 * (4 * 2 * 78 * 8 + 8 * 2 * 12 * 8), "full causal")
close(r["bytes"], 4 * (8 * 2 * 12 * 8 + 2 * 12 * 12), "full causal")
assert r["threads"] == 1, r
r = measure("local", "--length=12", "--causal", "--dtype=bf16", "--vs=eager")
close(r["flops"], 4 * 2 * (12 + 11 + 10) * 8 + 8 * 2 * 12 * 8, "local")
close(r["bytes"], 2 * (4 * 2 * 12 * 8 + 12 * 3), "local")
assert r["dtype"] == "bf16", r
r = measure("conv", "--grid=3x4", "--pass=fwdbwd", "--vs=eager")
assert r["length"] == 12 and r["grid"] == [3, 4], r
close(r["flops"], 3 * (2 * 2 * (3 + 2 * 2) * (4 + 2 * 3) * (8 + 2) + 8 * 2 * 12 * 8), "conv")
r = measure("matmul", "--length=12", "--pass=fwdbwd", "--vs=eager")
close(r["flops"], 3 * 2 * 2 * 12 * 8 * 8, "matmul")

for op, passes in (("local", "fwdbwd"), ("simple", "fwd"), ("simple", "fwdbwd"), ("conv", "fwd")):
    measure(op, "--length=12", "--pass=" + passes, "--vs=eager")
# Too large for the interpreter: a shorter sequence of the same program.
r = measure("simple", "--length=2000", "--pass=fwdbwd", "--causal")
assert r["checked_against"] == "reference+libtorch-f64", r

# The check by parts: sequence by sequence with one band, and some channels at a time.
for op, sizes in (("local", ["--length=600", "--dim=64", "--pass=fwdbwd"]),
                  ("conv", ["--grid=24x25", "--dim=64", "--heads=16", "--pass=fwdbwd"]),
                  ("simple", ["--length=70000", "--dim=64"])):
    r = measure(op, *sizes, *([] if op == "conv" else ["--causal"]))
    assert r["checked_against"].endswith("libtorch-f64"), r
r = measure("mlp", "--length=12", "--vs=eager")
close(r["flops"], 8 * 2 * 12 * 8 * 8, "mlp")
close(r["bytes"], 4 * (5 * 2 * 12 * 8 + 4 * 8 * 8 + 4 * 8), "mlp")
measure("mlp", "--length=12", "--dtype=bf16")

for mixer in ("conv", "full"):
    r = measure("image", "--mixer=" + mixer, "--image=48", "--vs=eager", *MODEL)
    close(r["images_per_s"], 2 / r["ms"] * 1e3, "images_per_s")
    assert r["length"] == 9 + (mixer == "full"), r
for mixer in ("full", "local", "simple", "conv"):
    measure("decode", "--length=20", "--mixer=" + mixer, *MODEL)
measure("decode", "--length=20", "--dtype=bf16", "--vs=eager", *MODEL)
measure("model", "--length=12", "--mixer=conv", "--vs=eager", *MODEL)
r = measure("train", "--length=12", "--mixer=simple", "--vs=eager", *MODEL)
assert r["scratch_bytes"] > 0, r
close(r["tokens_per_s"], 2 * 12 / r["ms"] * 1e3, "tokens_per_s")
measure("train", "--length=12", "--mixer=local", "--dtype=bf16", *MODEL)
print("all as expected")
