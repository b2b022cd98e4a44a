"""table.py AFT_BENCH: a fixed set of measurements as a Markdown table.

Every operation beside eager LibTorch, with one thread and with two. The ratio
of the minima says more where other programs keep the machine busy. A
measurement that fails gives a row that says so, and exit status 1.
"""
import json
import os
import subprocess
import sys

MIXERS = [
    ["--op=full", "--causal"],
    ["--op=local", "--causal"],
    ["--op=simple", "--causal"],
    ["--op=conv", "--grid=32x32"],
]
# T and d of the performance targets; one sequence and few layers keep it short.
SET = [["--op=matmul", "--length=1024", "--dim=1024", "--repeat=7"]]
SET += [mixer + ["--batch=1", "--pass=" + way, "--repeat=7"]
        for mixer in MIXERS for way in ("fwd", "fwdbwd")]
SET += [["--op=" + op, "--layers=2", "--repeat=3"] for op in ("model", "train", "decode")]

HEADER = ["operation", "B, T, d", "threads", "ms", "eager ms", "ratio", "of minima", "GFLOP/s", "max error",
          "compile ms", "cached ms"]


def name(r):
    mixer = r.get("mixer", r["op"])
    text = r["op"] + (f" {mixer}" if "mixer" in r else "")
    text += f"-{r['window']}" if "window" in r else ""
    text += f" x{r['layers']}" if "layers" in r else f" {r['pass']}"
    return text + (" causal" if r.get("causal") and "layers" not in r else "")


def row(r):
    length = "x".join(map(str, r["grid"])) if "grid" in r else r["length"]
    return [name(r), f"{r['batch']}, {length}, {r['dim']}", r["threads"], f"{r['ms']:.3g}",
            f"{r['eager_ms']:.3g}", f"{r['ratio']:.2f}x",
            f"{r['eager_ms_min'] / r['ms_min']:.2f}x", f"{r['gflops']:.3g}", f"{r['max_error']:.1e}", f"{r['compile_ms']:.0f}", f"{r['cached_compile_ms']:.1f}"]


def show(cells):
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main():
    program, failed = sys.argv[1], False
    show(HEADER)
    show(["---"] * len(HEADER))
    for flags in SET:
        for threads in sorted({1, min(2, len(os.sched_getaffinity(0)))}):
            command = [program, *flags, f"--threads={threads}", "--vs=eager", "--json"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                show(row(json.loads(done.stdout)))
                continue
            failed = True
            show([" ".join(flags), done.stderr.strip().replace("\n", " ")] + [""] * (len(HEADER) - 2))
    return 1 if failed else 0


sys.exit(main())
