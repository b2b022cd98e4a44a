"""Runs all checks and benchmarks that need an NVIDIA GPU, and prints one JSON object.

Needs NVIDIA's driver, Python with NumPy, and for the benchmarks PyTorch with CUDA. Runs in a
source tree (--bin=build/bin) or in what `make gpu-package` packs, which brings bin and lib.
Checks come first. What fails does not stop the rest; exit 1 when something failed or was left
out, or there is no GPU.
"""
import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEST, ROOT = HERE.parent, HERE.parent.parent
sys.path[:0] = [str(HERE), str(TEST / "bench")]

import gpu_cases  # noqa: E402
from gpu_machine import describe  # noqa: E402


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "bin",
                        help="folder of aft-run, aftc, aft-opt, aft-bench")
    parser.add_argument("--target", default="cuda",
                        help="cuda, cuda:sm_XX, or cuda-emulated: the checks alone, on the CPU")
    parser.add_argument("--minutes", type=float, default=60, help="for all of it")
    parser.add_argument("--small", action="store_true", help="few and small checks")
    parser.add_argument("--races", action="store_true",
                        help="looks for races and wrong addresses, too: takes long")
    parser.add_argument("--only", default="", help="steps whose name contains this")
    parser.add_argument("--dry-run", action="store_true", help="says what would run")
    parser.add_argument("--out", type=Path, help="file for the JSON, too")
    return parser.parse_args(argv)


def environment():
    """Our programs find their libraries beside them, LibTorch and CUDA's where Python has them."""
    folders = [ROOT / "lib"]
    found = subprocess.run([sys.executable, "-c", "import importlib.util as u;"
                            "print(u.find_spec('torch').submodule_search_locations[0])"],
                           capture_output=True, text=True)
    if found.returncode == 0:
        torch = Path(found.stdout.strip())
        folders += [torch / "lib", *sorted((torch.parent / "nvidia").glob("*/lib"))]
    paths = [str(f) for f in folders if f.is_dir()] + [os.environ.get("LD_LIBRARY_PATH", "")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(p for p in paths if p)}


SANITIZER = "compute-sanitizer"


def find_sanitizer(env):
    """NVIDIA's compute-sanitizer, which comes with a CUDA toolkit; None where it is not found."""
    toolkits = [env[name] for name in ("CUDA_HOME", "CUDA_PATH") if env.get(name)]
    toolkits.append("/usr/local/cuda")
    folders = [f"{toolkit}/{folder}" for toolkit in toolkits for folder in ("bin", SANITIZER)]
    return shutil.which(SANITIZER, path=":".join([env.get("PATH", ""), *folders]))


def write_sanitized(folder, sanitizer, tool, program):
    """A program that runs another under a tool, and fails where the tool finds something."""
    script = Path(folder) / f"{program.name}-{tool}"
    words = [sanitizer, "--tool", tool, "--error-exitcode", "9", str(Path(program).resolve())]
    script.write_text("#!/bin/sh\nexec " + shlex.join(words) + ' "$@"\n')
    script.chmod(0o755)
    return script


class Run:
    def __init__(self, args):
        self.args, self.env = args, environment()
        gpu = describe(self.env)
        self.end = time.monotonic() + args.minutes * 60
        self.result = {"machine": gpu, "gpu": gpu["gpu"] is not None, "target": args.target,
                       "checks": [], "benchmarks": [], "left_out": []}

    def left(self):
        return self.end - time.monotonic()

    def wanted(self, name, needs_gpu=True, lacks=None):
        """Whether a step is to run now; notes why not. `lacks`: what it needs and is not there."""
        if self.args.only not in name:
            return False
        there = self.result["gpu"] or self.args.target == "cuda-emulated" or not needs_gpu
        reason = ("dry run" if self.args.dry_run else "no GPU" if not there else lacks or
                  ("out of time" if self.left() <= 0 else None))
        if reason:
            self.result["left_out"].append({"name": name, "reason": reason})
        else:
            print(f"{name} ({self.left() / 60:.0f} min left)", file=sys.stderr, flush=True)
        return reason is None

    def call(self, command, seconds, **variables):
        """(exit status or None where it took too long, output, errors)"""
        try:
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                                  env={**self.env, **variables}, timeout=max(1, min(seconds, self.left())))
            return done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            text = late.stdout or b""
            return None, text if isinstance(text, str) else text.decode(errors="replace"), "timeout"
        except OSError as error:
            return None, "", str(error)

    def check(self, name, command, seconds, needs_gpu=True, **variables):
        """A step whose lines "ok   NAME" and "FAIL NAME" are checks of their own."""
        if self.wanted(name, needs_gpu):
            self.check_now(name, command, seconds, **variables)

    def check_now(self, name, command, seconds, **variables):
        start = time.monotonic()
        status, output, errors = self.call(command, seconds, **variables)
        lines = [line for line in output.splitlines() if line[:5] in ("ok   ", "FAIL ")]
        failed = [line[5:] for line in lines if line.startswith("FAIL")]
        good = status == 0 and not failed and bool(lines)
        row = {"name": name, "ok": good, "seconds": round(time.monotonic() - start, 2),
               "passed": len(lines) - len(failed), "failed": failed}
        if not good:
            row["message"] = ((errors or output)[-2000:] or f"exit status {status}").strip()
        self.result["checks"].append(row)

    def ours(self, case):
        command = [self.args.bin / "aft-bench", f"--target={self.args.target}", "--json",
                   *gpu_cases.flags(case)]
        status, output, errors = self.call(command, case.seconds)
        try:
            return json.loads(output) if status == 0 else {"error": (errors or output)[-500:]}
        except ValueError:
            return {"error": "no JSON: " + output[-500:]}

    def peer(self, case, name, folder):
        status, output, errors = self.call(
            [sys.executable, HERE / "torch_times.py", json.dumps(case.spec), folder, name],
            case.seconds)
        try:
            return json.loads(output.splitlines()[-1])
        except (ValueError, IndexError):
            return {"error": errors[-500:] or f"exit status {status}"}

    def benchmark(self, case):
        if not self.wanted(case.name):
            return
        row = {"name": case.name, "spec": case.spec, "ours": self.ours(case), "peers": {}}
        with tempfile.TemporaryDirectory() as folder:
            import arrays
            arrays.make(case.spec, Path(folder))
            for name in case.peers:
                row["peers"][name] = self.peer(case, name, folder)
        gpu_cases.judge(case, row)
        self.result["benchmarks"].append(row)

    def check_races(self):
        """Without a GPU by a machine that runs PTX, with one by what comes with CUDA."""
        bin = self.args.bin
        self.check("races, by a machine of our own",
                   [sys.executable, TEST / "nvvm" / "check_machine.py", bin / "aftc", bin / "aft-run",
                    "--all"], 3600, needs_gpu=False)
        if self.args.target == "cuda-emulated":
            return
        sanitizer = find_sanitizer(self.env)
        lacks = None if sanitizer else "no compute-sanitizer in PATH, CUDA_HOME, CUDA_PATH, /usr/local/cuda"
        for tool in ("racecheck", "synccheck", "memcheck", "initcheck"):
            name = f"{tool} of kernels"
            if not self.wanted(name, lacks=lacks):
                continue
            with tempfile.TemporaryDirectory() as folder:
                run = write_sanitized(folder, sanitizer, tool, bin / "aft-run")
                command = [sys.executable, TEST / "e2e" / "check_cuda.py", run, bin / "aftc",
                           bin / "aft-opt", f"--target={self.args.target}", "--small"]
                self.check_now(name, command, 1800, AFT_CUDA_PRODUCTS="kernels")

    def steps(self):
        args = self.args
        small = ["--small"] if args.small else []
        name = "kernels, gradients and a training step against the reference"
        command = [sys.executable, TEST / "e2e" / "check_cuda.py", args.bin / "aft-run",
                   args.bin / "aftc", args.bin / "aft-opt", f"--target={args.target}", *small]
        self.check(name, command, 1800)
        if args.target != "cuda-emulated":
            self.check(name + ", without cuBLASLt", command, 1800, AFT_CUDA_PRODUCTS="kernels")
            self.check(name + ", every kernel waited for", command, 1800, CUDA_LAUNCH_BLOCKING="1")
        if args.races:
            self.check_races()
        if args.target != "cuda-emulated":
            for case in gpu_cases.every_case():
                self.benchmark(case)

    def finish(self):
        result = self.result
        rows = result["checks"] + result["benchmarks"]
        result["ok"] = bool(rows) and all(r["ok"] for r in rows) and not result["left_out"]
        text = json.dumps(result, indent=1)
        print(text)
        if self.args.out:
            self.args.out.write_text(text + "\n")
        return 0 if result["ok"] else 1


def main(argv):
    run = Run(arguments(argv))
    if not run.result["gpu"] and run.args.target != "cuda-emulated":
        print("no GPU: " + run.result["machine"]["reason"], file=sys.stderr)
    run.steps()
    return run.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
