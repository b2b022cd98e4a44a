"""Tests run_gpu.py without a GPU: check_run_gpu.py FOLDER-OF-PROGRAMS"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).resolve().parent
PROGRAMS = sys.argv.pop(1)
sys.path[:0] = [str(HERE), str(HERE.parent / "bench")]
import gpu_cases  # noqa: E402
import run_gpu  # noqa: E402


def run(*options, **variables):
    done = subprocess.run([sys.executable, HERE / "run_gpu.py", f"--bin={PROGRAMS}", *options],
                          capture_output=True, text=True,
                          env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **variables})
    return done.returncode, json.loads(done.stdout), done.stderr


class WithoutGpu(unittest.TestCase):
    def test_says_that_there_is_none(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "result.json"
            status, result, errors = run(f"--out={file}")
            self.assertEqual(json.loads(file.read_text()), result)
        self.assertEqual(status, 1)
        self.assertFalse(result["gpu"])
        self.assertTrue(result["machine"]["reason"])
        self.assertIn("no GPU", errors)
        self.assertEqual((result["checks"], result["benchmarks"]), ([], []))
        self.assertEqual({step["reason"] for step in result["left_out"]}, {"no GPU"})

    def test_dry_run_lists_all_steps(self):
        status, result, _ = run("--dry-run")
        names = " ".join(step["name"] for step in result["left_out"])
        self.assertEqual(status, 1)
        for part in ("training step against the reference", "full fwdbwd", "simple fwdbwd",
                     "local-32 fwdbwd", "train local-32 12 x d512 B32 T1024 bf16",
                     "24 x d256 B8 T3072", "decode simple"):
            self.assertIn(part, names)
        self.assertEqual({step["reason"] for step in result["left_out"]}, {"dry run"})

    def test_runs_checks_on_the_cpu(self):
        status, result, errors = run("--target=cuda-emulated", "--small")
        self.assertEqual(status, 0, errors)
        [check] = result["checks"]
        self.assertTrue(check["ok"])
        self.assertGreater(check["passed"], 3)

    def test_goes_on_after_failures(self):
        status, result, _ = run("--target=cuda-emulated", "--small", "--bin=/nowhere")
        self.assertEqual(status, 1)
        self.assertFalse(result["checks"][0]["ok"])
        self.assertIn("/nowhere", result["checks"][0]["message"])

    def test_ends_in_time(self):
        status, result, _ = run("--target=cuda-emulated", "--minutes=0.01")
        self.assertEqual(status, 1)
        self.assertEqual(result["checks"][0]["message"], "timeout")


class Races(unittest.TestCase):
    def test_lists_all_that_look_for_races(self):
        status, result, _ = run("--races", "--dry-run")
        names = [step["name"] for step in result["left_out"]]
        for name in ("races, by a machine of our own", "racecheck of kernels",
                     "synccheck of kernels", "memcheck of kernels", "initcheck of kernels"):
            self.assertIn(name, names)
        _, result, _ = run("--dry-run")
        self.assertFalse([s["name"] for s in result["left_out"] if "check of" in s["name"]])

    def test_machine_of_our_own_needs_no_gpu(self):
        """It begins, and is stopped in time."""
        status, result, _ = run("--races", "--only=races, by", "--minutes=0.05")
        self.assertEqual(status, 1)
        [check] = result["checks"]
        self.assertEqual((check["name"], check["message"]),
                         ("races, by a machine of our own", "timeout"))
        self.assertEqual(result["left_out"], [])

    def test_programs_run_under_a_tool(self):
        """Whatever it finds is the program's exit status."""
        with tempfile.TemporaryDirectory() as folder:
            tool = Path(folder) / "bin dir" / "compute-sanitizer"
            tool.parent.mkdir()
            self.assertIsNone(run_gpu.find_sanitizer({"PATH": "/nowhere", "CUDA_HOME": folder}))
            tool.write_text('#!/bin/sh\necho "$@"\nexit 9\n')
            tool.chmod(0o755)
            found = run_gpu.find_sanitizer({"PATH": str(tool.parent)})
            self.assertEqual(found, str(tool))
            program = run_gpu.write_sanitized(folder, found, "racecheck", Path(PROGRAMS) / "aft-run")
            done = subprocess.run([program, "a b", "c"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 9)
        self.assertEqual(done.stdout, "--tool racecheck --error-exitcode 9 "
                         f"{(Path(PROGRAMS) / 'aft-run').resolve()} a b c\n")


class Precision(unittest.TestCase):
    def test_measures_products_of_f32_with_and_without_tf32(self):
        names = [case.name for case in gpu_cases.every_case()]
        tf32 = [name for name in names if name.endswith(" tf32")]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreaterEqual(len(tf32), 4)
        for name in tf32:
            self.assertIn(name.removesuffix(" tf32"), names)
            self.assertTrue(name.startswith(("full ", "train ")), name)

    def test_tells_everybody_the_same(self):
        for case in gpu_cases.every_case():
            wanted = case.name.endswith(" tf32")
            self.assertEqual("--f32-products=tf32" in gpu_cases.flags(case), wanted, case.name)
            backend = lambda: SimpleNamespace(allow_tf32=None)
            torch = SimpleNamespace(backends=SimpleNamespace(
                cuda=SimpleNamespace(matmul=backend()), cudnn=backend()))
            gpu_cases.tell_torch(torch, case.spec)
            self.assertEqual(torch.backends.cuda.matmul.allow_tf32, wanted, case.name)
            self.assertEqual(torch.backends.cudnn.allow_tf32, wanted, case.name)

    def test_programs_know_all_flags(self):
        """aft-bench takes them, and goes on to ask for the driver, which is not there."""
        for case in gpu_cases.every_case():
            done = subprocess.run([f"{PROGRAMS}/aft-bench", "--target=cuda", "--json",
                                   *gpu_cases.flags(case)], capture_output=True, text=True,
                                  env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
            self.assertEqual(done.returncode, 1, case.name + done.stderr)


class Judging(unittest.TestCase):
    def test_compares_with_what_computes_the_same(self):
        case = gpu_cases.every_case()[0]
        row = {"ours": {"ms": 2.0}, "peers": {"eager": {"ms": 8.0}, "inductor": {"ms": 5.0},
                                              "sdpa": {"ms": 1.0}}}
        gpu_cases.judge(case, row)
        self.assertEqual((row["best_peer"], row["ratio"], row["ratio_to_sdpa"]),
                         ("inductor", 2.5, 0.5))
        self.assertTrue(row["ok"] and row["met"])
        row = {"ours": {"error": "refused"}, "peers": {"eager": {"error": "no form runs"}}}
        gpu_cases.judge(case, row)
        self.assertFalse(row["ok"] or row["met"])
        self.assertIsNone(row["ratio"])


if __name__ == "__main__":
    unittest.main()
