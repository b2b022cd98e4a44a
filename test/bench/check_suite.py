"""check_suite.py AFT_BENCH: the benchmark suite without its timings and without network."""
import json
import math
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np

import arrays
import canned
import cases
import check
import plots
import table
import worker
from measure import Bench, compare, failures, take_turns
from progress import Progress
from workers import Failed, Worker

HERE = Path(__file__).resolve().parent
PROGRAM = None


def fake(how, threads=1, log=None):
    return Worker([sys.executable, str(HERE / "fake_worker.py"), how], threads, log=log)


class Protocol(unittest.TestCase):
    def fails(self, how, asked, message, seconds=30):
        with tempfile.NamedTemporaryFile() as log:
            worker = fake(how, log=log)
            with self.assertRaisesRegex(Failed, message):
                worker.read(30)
                for _ in range(asked):
                    worker.ask("run", seconds)
            worker.stop()
            self.assertFalse(worker.alive())

    def test_answers(self):
        worker = fake("well")
        self.assertEqual(worker.read(30), {"ready": True, "threads": 1})
        self.assertEqual([worker.ask("run")["ms"] for _ in range(3)], [1.0, 2.0, 3.0])
        worker.stop()
        self.assertFalse(worker.alive())

    def test_refused(self):
        self.fails("refuses", 0, "expected an op, found nothing")

    def test_failed(self):
        self.fails("fails", 2, "out of luck")

    def test_killed(self):
        self.fails("dies", 2, "ended by signal 9: out of memory")

    def test_garbage(self):
        self.fails("garbage", 1, "expected a line of JSON, found b'not JSON'")

    def test_hangs(self):
        self.fails("hangs", 1, "no answer within 0 s", seconds=0.2)


class Turns(unittest.TestCase):
    def test_in_turns(self):
        order = []

        def side(name, ms):
            return lambda: order.append(name) or ms
        samples, failed = take_turns({"ours": side("ours", 1.0), "eager": side("eager", 3.0)}, 10)
        self.assertEqual(failed, {})
        self.assertEqual(order, ["ours", "eager"] * 3)
        self.assertEqual(samples, {"ours": [1.0] * 3, "eager": [3.0] * 3})

    def test_others_go_on(self):
        calls = iter([5.0, Failed("gone")])

        def breaks():
            answer = next(calls)
            if isinstance(answer, Failed):
                raise answer
            return answer
        samples, failed = take_turns({"ours": lambda: 1.0, "jax": breaks}, 0)
        self.assertEqual(failed, {"jax": "gone"})
        self.assertEqual(samples["ours"], [1.0] * 3)

    def test_all_fail(self):
        def breaks():
            raise Failed("gone")
        self.assertEqual(take_turns({"ours": breaks}), ({"ours": []}, {"ours": "gone"}))


class Candidates(unittest.TestCase):
    """Which of several forms a peer keeps."""

    def best(self, *delays, errors=None):
        self.calls = {}

        def form(name, seconds):
            def work():
                self.calls[name] = self.calls.get(name, 0) + 1
                time.sleep(seconds)
            return name, lambda: (work, lambda: name)
        wrong = errors or {}
        return worker.best_form([form(str(i), s) for i, s in enumerate(delays)],
                                lambda name: {"error": wrong.get(name, 0.0), "limit": 1e-6})

    def test_fastest(self):
        name, _, _, tried = self.best(0.03, 0.01)
        self.assertEqual(name, "1")
        self.assertEqual(len(tried), 2)

    def test_hopeless(self):
        name, _, _, tried = self.best(0.01, 0.1)
        self.assertEqual((name, self.calls["1"]), ("0", 1))
        self.assertGreater(tried["1"], 50)

    def test_wrong_ones_do_not_count(self):
        """However fast, and what is right after them is tried."""
        name, _, _, _ = self.best(0.001, 0.05, errors={"0": 1.0})
        self.assertEqual(name, "1")


class Cases(unittest.TestCase):
    def test_flags(self):
        spec = {"op": "local", "pass": "fwd", "batch": 4, "causal": True, "window": 32}
        self.assertEqual(cases.flags(spec), ["--op=local", "--pass=fwd", "--batch=4",
                                             "--window=32", "--causal"])

    def test_names_differ(self):
        names = [(case.group, case.name) for case in cases.every_case()]
        self.assertEqual(len(names), len(set(names)))

    def test_select(self):
        rows = cases.select(["local-32 fwd causal B4"], False, [2])
        self.assertEqual([(c.name, n) for c, n in rows], [("local-32 fwd causal B4 T1024 d512", 2)])
        self.assertTrue(0 < len(cases.select([], True, None)) < len(cases.select([], False, None)))
        self.assertEqual(cases.select(["nothing has this name"], False, None), [])


class Checks(unittest.TestCase):
    def test_bf16(self):
        x = np.array([1.0, 1.00390625, 1.01171875, -3.14159274], np.float32)
        self.assertEqual(arrays.to_bf16(x).tolist(), [1.0, 1.0, 1.015625, -3.140625])

    def test_errors(self):
        spec = {"op": "simple", "pass": "fwdbwd", "batch": 1, "length": 3, "dim": 2, "dtype": "f32"}
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "truth").mkdir()
            for name in "qkv":
                np.save(folder / f"{name}.npy", np.full((1, 3, 2), 4.0, np.float32))
            for name in ("y", "dq"):
                np.save(folder / "truth" / f"{name}.npy", np.full((1, 3, 2), 2.0))
            found = {"y": np.full((1, 3, 2), 2.0), "dq": np.full((1, 3, 2), 2.0)}
            self.assertEqual(check.errors(spec, folder, found)["error"], 0)
            found["y"][0, 1, 1] += 4e-6                       # of v = 4: 1e-6
            worst = check.errors(spec, folder, found)
            self.assertEqual(worst["of"], "y")
            self.assertAlmostEqual(worst["error"], 1e-6)
            self.assertAlmostEqual(worst["limit"], 2e-6 + 3e-7 * 4)
            found["dq"][0, 0, 0] = np.nan
            self.assertEqual(check.errors(spec, folder, found),
                             {"error": math.inf, "limit": 50 * worst["limit"], "of": "dq"})
            with self.assertRaisesRegex(ValueError, "expected shape"):
                check.errors(spec, folder, {"y": np.zeros((1, 2, 2))})


class Reports(unittest.TestCase):
    def test_ratio(self):
        row = canned.row(canned.find("operations local-32"), 1, eager=canned.peer(8.0),
                         jax=canned.peer(5.0), sdpa=canned.peer(1.0))
        compare(row)
        self.assertEqual((row["best"], row["ratio"]), ("jax", 2.5))   # softmax is not the same

    def test_table(self):
        text = table.text(canned.result())
        self.assertIn("Some CPU, 2 CPUs (avx2); torch 2.13.0, jax 0.10.2; 2026-01-02.", text)
        self.assertIn("| local-32 fwd causal B4 T1024 d512 | 2 | 2 | 8 | 5 (error 1e-04) | "
                      "failed | torch.compile | 2.50x | 2 000 | 1.0e-07 |", text)
        self.assertIn("| train local-32 12 x d512 B1 T1024 | 2 | 2 | 1.50x | 6 | 4 | eager | 3.00x "
                      "| 2.00x | 512 000 | 1.0e-07 |", text)
        self.assertIn("| 100 | 250 | 900 | 2.50x |", text)
        self.assertIn("| best matmul (eager, matmul fwd B1 T512 d512) | 2 | 4 000 |  |", text)
        self.assertIn("| 4.50x | 500 | 50 | 75% | 1.0e-07 |", text)       # of 66.7 GB/s
        self.assertIn("T512, low memory | 100 |  |  | 2.50x |", text)      # of the eager row's
        self.assertIn("| ours | 1 500 | 12 | 300 | 0 |", text)
        self.assertIn("| torch.compile | 40 000 | 9 000 | 800 | 1 |", text)
        self.assertIn("- simple, f32, B = 1, 2 threads: 1.05x at T = 4096 of that at T = 256", text)
        self.assertIn("2 threads: jax: no answer within 600 s", text)
        self.assertIn("1 threads: ours: logits is off by 1.00e+00", text)
        for block in text.split("\n\n"):
            lines = [line for line in block.splitlines() if line.startswith("|")]
            self.assertEqual(len({line.count("|") for line in lines} or {0}), 1, block)

    def test_failures(self):
        bad = [found for row in canned.result()["rows"] for found in failures(row)]
        self.assertEqual([who for who, _ in bad], ["jax", "ours"])

    def test_plots(self):
        result = canned.result()
        files = plots.files(result)
        self.assertEqual(set(files), {"time.svg", "memory.svg", "roofline.svg"})
        for name, content in files.items():
            root = xml.fromstring(content)
            words = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
            self.assertGreater(len(words), 5, name)
        self.assertIn("AFT-local", files["time.svg"])
        self.assertIn("softmax, weights kept", files["memory.svg"])
        self.assertIn("local-32 fwd", files["roofline.svg"])
        for content in plots.files({**result, "rows": []}).values():
            self.assertIn("nothing was measured", content)

    def test_progress(self):
        time = iter([0.0, 100.0, 100.0])
        progress = Progress([70, 70], now=lambda: next(time))
        progress.finished()
        self.assertAlmostEqual(progress.left(), 70 * 130 / 100)


class Forms(unittest.TestCase):
    """Every formulation of PyTorch gives what the double-precision one gives."""

    SPECS = [
        {"op": "full", "length": 70, "causal": True}, {"op": "full", "length": 70},
        {"op": "local", "length": 150, "window": 32, "causal": True},
        {"op": "local", "length": 30, "window": 70, "causal": True},
        {"op": "local", "length": 70, "window": 8},
        {"op": "simple", "length": 150, "causal": True}, {"op": "simple", "length": 70},
        {"op": "conv", "length": 42, "grid": "6x7", "window": 4, "heads": 4},
        {"op": "conv", "length": 42, "grid": "6x7", "window": 5, "heads": 8},
        {"op": "matmul", "length": 33}, {"op": "mlp", "length": 33},
    ]

    def test_forms(self):
        import torch_ops
        import torch_peer
        import truth
        for sizes in self.SPECS:
            for way in ("fwd", "fwdbwd") if sizes["op"] != "mlp" else ("fwd",):
                spec = {"batch": 2, "dim": 8, "pass": way, "dtype": "f32", **sizes}
                with tempfile.TemporaryDirectory() as folder:
                    arrays.make(spec, Path(folder))
                    truth.write(spec, folder)
                    for form in torch_ops.candidates(spec, compiled=True):
                        found = torch_peer.operation(spec, folder, form, lambda f: f)[1]()
                        worst = check.errors(spec, folder, found)
                        self.assertLess(worst["error"], worst["limit"], (form.__name__, worst))

    def test_bf16_without_kernels_for_it(self):
        import torch_ops
        import torch_peer
        spec = {"batch": 2, "dim": 8, "length": 33, "pass": "fwd", "dtype": "bf16", "mixer": "simple",
                "layers": 1, "causal": True}
        for native in (True, False):
            with mock.patch.object(torch_ops, "has_bf16_products", lambda: native):
                for op in ("matmul", "mlp", "full", "train", "decode"):
                    names = [n for n, _ in torch_peer.forms({**spec, "op": op}, "", "eager")]
                    in_bf16 = [n for n in names if not n.endswith("_f32")]
                    self.assertTrue(names, op)
                    self.assertEqual(bool(in_bf16), native, (op, names))


class Whole(unittest.TestCase):
    """aft-bench and eager PyTorch on one case, from inputs to the row."""

    SPEC = {"op": "local", "pass": "fwdbwd", "batch": 2, "length": 40, "dim": 8, "window": 4,
            "causal": True, "dtype": "f32"}
    MODEL = {"batch": 2, "length": 40, "dim": 64, "layers": 2, "mixer": "local", "window": 8,
             "rank": 4, "vocab": 17, "dtype": "f32"}

    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.bench = Bench(PROGRAM, sys.executable, cls.place.name)
        cls.bench.budget = 0

    @classmethod
    def tearDownClass(cls):
        cls.bench.close()
        cls.place.cleanup()

    def row(self, spec, peers, program=None, group="operations"):
        self.bench.program = program or PROGRAM
        return self.bench.run(cases.Case(group, "one", spec, peers), 1)

    def good(self, row):
        self.assertEqual(failures(row), [])
        self.assertGreater(row["ours"]["ms"], 0)
        self.assertLessEqual(row["ours"]["error"], row["ours"]["limit"])
        error = row["peers"]["eager"]["error"]
        self.assertLessEqual(error["error"], error["limit"])
        self.assertEqual(row["best"], "eager")

    def test_operation(self):
        row = self.row(self.SPEC, ("eager", "sdpa"))
        self.good(row)
        self.assertEqual(row["ours"]["samples"], 3)
        self.assertGreater(row["peers"]["sdpa"]["ms"], 0)
        json.dumps(row)

    def test_training(self):
        self.good(self.row({"op": "train", **self.MODEL}, ("eager", "sdpa"), group="training"))

    def test_decoding(self):
        for mixer in ("local", "simple"):
            self.good(self.row({"op": "decode", **self.MODEL, "mixer": mixer}, ("eager", "sdpa"),
                               group="decoding"))

    def test_images(self):
        for mixer in ("conv", "full"):
            spec = {"op": "image", "batch": 1, "dim": 64, "layers": 1, "mixer": mixer, "image": 64,
                    "vocab": 10, "rank": 4, "window": 3, "heads": 16, "dtype": "f32"}
            self.good(self.row(spec, ("eager", "sdpa"), group="inference"))

    def test_memory(self):
        spec = {"op": "train", **self.MODEL, "length": 256}
        row = self.row(spec, ("eager", "softmax"), group="memory")
        self.assertEqual(failures(row), [])
        self.assertGreater(row["ours"]["scratch_bytes"], 1 << 17)
        self.assertGreater(row["peers"]["eager"]["bytes"], 1 << 18)

    def test_low_memory(self):
        spec = {"op": "train", **self.MODEL, "length": 256}
        rows = [self.row({**spec, "memory": memory}, (), group="memory")
                for memory in ("normal", "low")]
        self.assertEqual([failures(row) for row in rows], [[], []])
        normal, low = (row["ours"]["scratch_bytes"] for row in rows)
        self.assertLess(low, normal)

    def test_compilation(self):
        row = self.row({"op": "train", **self.MODEL}, (), group="compilation")
        self.assertEqual(failures(row), [])
        self.assertGreater(row["ours"]["compile_ms"], row["ours"]["cached_compile_ms"])
        self.assertGreater(row["ours"]["compile_peak_rss_mb"], 1)
        self.assertEqual((row["ours"]["shapes"], row["ours"]["recompilations"]), (8, 0))

    def test_wrong_result(self):
        """A program that writes other results than it should is not timed."""
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "liar"
            program.write_text(f"""#!{sys.executable}
import sys, numpy as np
flags = dict(word.lstrip('-').partition('=')[::2] for word in sys.argv[1:])
for name in ('y', 'dq', 'dk', 'dv'):
    np.save(flags['outputs'] + f'/{{name}}.npy', np.ones((2, 40, 8), np.float32))
np.save(flags['outputs'] + '/dw.npy', np.ones((40, 4), np.float32))
print('{{"ready": true}}', flush=True)
sys.stdin.readline()
""")
            program.chmod(0o755)
            row = self.row(self.SPEC, (), str(program))
        self.assertRegex(row["failed"], "off by .* no timing of a wrong result")

    def test_refused(self):
        row = self.row({**self.SPEC, "op": "attention", "pass": "fwd"}, ())
        self.assertIn("failed", row)


class Command(unittest.TestCase):
    def test_interrupted(self):
        """What was measured before an interruption is kept."""
        with tempfile.TemporaryDirectory() as folder:
            code = f"""
import sys, signal, os
sys.path.insert(0, {str(HERE)!r})
import canned, install, measure
install.environment = lambda place: (sys.executable, {{"torch": "2.13.0"}}, [])
rows = iter(canned.result()["rows"][2:3])
def run(self, case, threads):
    try: return next(rows)
    except StopIteration: os.kill(os.getpid(), signal.SIGINT)
measure.Bench.run = run
import runpy
sys.argv = ["bench", "--quick", "--out={folder}", "no-program"]
runpy.run_path({str(HERE / '__main__.py')!r}, run_name="__main__")
"""
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            self.assertEqual(done.returncode, 130, done.stderr)
            result = json.loads((Path(folder) / "bench.json").read_text())
            self.assertTrue(result["interrupted"])
            self.assertEqual(len(result["rows"]), 1)
            self.assertIn("Interrupted", (Path(folder) / "bench.md").read_text())

    def test_nothing_chosen(self):
        done = subprocess.run([sys.executable, str(HERE), "--only=no such case", "no-program"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no case was chosen", done.stderr)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=1)
