"""Reports, as data and as pages that a browser shows: check_report.py DRIVER AFTC AFT-RUN [CHAR-LM].
DRIVER: the folder of a CUDA driver that needs no GPU; its kernels do nothing.

Every page must show without a fault and without asking a network, hold as many rows as its
data, count as the C++ side does, and plan the memory that the runtime was asked for.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from browser import Browser

MODEL = """
func.func @main(%x: tensor<?x?x64xf32> {aft.name = "<i id=evil>x</i>"}, %g: tensor<64xf32>, %b: tensor<64xf32>,
                %band: tensor<?x8xf32>, %w: tensor<64x64xf32>) -> tensor<?x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %B = tensor.dim %x, %c0 : tensor<?x?x64xf32>
  %T = tensor.dim %x, %c1 : tensor<?x?x64xf32>
  %n = aft.layer_norm %x, %g, %b : (tensor<?x?x64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<?x?x64xf32> loc("block</script><i id=evil>.norm")
  %y = aft.local %n, %n, %n, %band window = 8 causal : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x8xf32>) -> tensor<?x?x64xf32> loc("block.mixer")
  %flat = tensor.collapse_shape %y [[0, 1], [2]] : tensor<?x?x64xf32> into tensor<?x64xf32>
  %rows = arith.muli %B, %T : index
  %e = tensor.empty(%rows) : tensor<?x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
  %m = linalg.matmul ins(%flat, %w : tensor<?x64xf32>, tensor<64x64xf32>) outs(%f : tensor<?x64xf32>) -> tensor<?x64xf32> loc("block.out")
  %out = tensor.expand_shape %m [[0, 1], [2]] output_shape [%B, %T, 64] : tensor<?x64xf32> into tensor<?x?x64xf32>
  %z = arith.addf %x, %out : tensor<?x?x64xf32> loc("block.residual")
  return %z : tensor<?x?x64xf32>
}
"""
EMPTY = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  return %x : tensor<4xf32>\n}\n"


def fail(message):
    raise SystemExit("check_report: " + message)


def expect(found, wanted, what):
    if found != wanted:
        fail(f"{what}: expected {wanted!r}, found {found!r}")


def run(*command, **environment):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env={**os.environ, **environment}, check=False)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def evaluate(expression, symbols):
    """A second reading of the expressions: null is not expected here."""
    if isinstance(expression, int):
        return expression
    if isinstance(expression, str):
        return symbols[int(expression[1:])]
    operator, left, right = expression
    left, right = evaluate(left, symbols), evaluate(right, symbols)
    return {"+": lambda: left + right, "*": lambda: left * right, "//": lambda: left // right,
            "ceil": lambda: -(-left // right), "%": lambda: left % right,
            "min": lambda: min(left, right), "max": lambda: max(left, right)}[operator]()


def check_plan(entry, symbols):
    """No two buffers that live at once overlap, and all lie in the arena. Its bytes."""
    arena = evaluate(entry["arena"], symbols)
    buffers = [(evaluate(b["offset"], symbols), evaluate(b["bytes"], symbols), b["first"], b["last"])
               for b in entry["buffers"]]
    top = max([offset + size for offset, size, _, _ in buffers], default=0)
    expect(top, arena, f"{entry['name']}: the end of the highest buffer")
    for i, (offset, size, first, last) in enumerate(buffers):
        if not 0 <= first <= last < len(entry["launches"]):
            fail(f"{entry['name']}: buffer {i} lives from launch {first} to {last}")
        for other, size2, first2, last2 in buffers[:i]:
            if first <= last2 and first2 <= last and offset < other + size2 and other < offset + size:
                fail(f"{entry['name']}: buffer {i} overlaps an earlier one")
    return arena


def check_run(report):
    """What was measured fits what was compiled."""
    for total in report["run"]["entries"]:
        entry = next(e for e in report["entries"] if e["name"] == total["entry"])
        expect(check_plan(entry, total["extents"]), total["arenaBytes"], "bytes of the arena")
    roof = report["run"]["roof"]
    peak, bandwidths = max([roof["peak"], *roof.get("peaks", {}).values()]), roof["bandwidths"]
    most = 1e17 if "peaks" in roof else 1e15
    if not 1e8 < peak < most or any(not 1e7 < b["perSecond"] < 1e14 for b in bandwidths):
        fail(f"the roof makes no sense: {peak}, {bandwidths}")
    for kernel in report["run"]["kernels"]:
        if kernel["flops"] is None or not kernel["bytes"]:
            fail(f"{kernel['kernel']}: its work is not known")
        if kernel["flops"] / (kernel["ms"] * 1e-3) > 1e3 * peak * len(report["entries"]):
            fail(f"{kernel['kernel']} is faster than the machine")


def check_page(browser, path):
    """Shows a page and compares it with its own data; gives that back."""
    browser.open(path)
    expect(browser.faults, [], f"{path.name}: faults")
    expect([url for url in browser.requests if not url.startswith("file:")], [],
           f"{path.name}: requests")
    expect(browser.evaluate("document.getElementById('error').hidden"), True, "no error is shown")
    expect(browser.evaluate("document.querySelectorAll('#evil').length"), 0, "markup from names")
    report = json.loads(browser.evaluate("document.getElementById('data').textContent"))
    shown = browser.evaluate("state.entry.name")
    entry = next(e for e in report["entries"] if e["name"] == shown)
    rows = lambda place: browser.evaluate(f"document.querySelectorAll('#{place} tbody tr').length")
    expect(rows("kernels"), len({launch["kernel"] for launch in entry["launches"]}), "kernel rows")
    expect(rows("objects"), len(report["objects"]), "object rows")
    expect(rows("passes"), sum(len(phase["passes"]) for phase in report["phases"]), "pass rows")
    expect(rows("remarks"), sum(not remark["fused"] for remark in report["remarks"]), "remark rows")
    expect(browser.evaluate("document.querySelectorAll('#memory .buffer').length"),
           len(entry["buffers"]), "buffers drawn")
    symbols = browser.evaluate("state.symbols")
    arena = check_plan(entry, symbols)
    expect(browser.evaluate("planMemory(state.entry, state.symbols).arena"), arena, "arena")
    if arena:
        peak = browser.evaluate("document.querySelector('#memory .peak-text').textContent")
        if browser.evaluate(f"inBytes({arena})") not in peak:
            fail(f"the drawn peak is '{peak}', expected {arena} bytes")
    for what in ("flops", "bytes"):
        expect(browser.evaluate(f"sum(summarize().map(row => row.{what}))"),
               sum(evaluate(launch[what], symbols) for launch in entry["launches"]), what)
    if path.stem.startswith("run"):
        check_run(report)
        for kernel in report["run"]["kernels"]:
            if kernel["entry"] == shown:
                row = f"summarize().find(row => row.name === '{kernel['kernel']}')"
                expect(browser.evaluate(row + ".flops"), kernel["flops"], kernel["kernel"])
                expect(browser.evaluate(row + ".bytes"), kernel["bytes"], kernel["kernel"])
        drawn = browser.evaluate("document.querySelectorAll('#roofline .point').length")
        expect(drawn, browser.evaluate("summarize().filter(r => r.flops > 0).length"), "points")
    for width in (1280, 390):
        browser.open(path, width=width, mobile=width < 600)
        expect(browser.faults, [], f"{path.name} at {width} pixels: faults")
        wide = browser.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            fail(f"{path.name} is {wide} pixels wide on a screen of {width}")
    return report


def check_sorting(browser, path):
    browser.open(path)
    column = ("[...document.querySelectorAll('#kernels tbody tr')]"
              ".map(row => row.children[2].textContent)")
    press = "document.querySelectorAll('#kernels th button')[2].click()"
    browser.evaluate(press)
    down = [int(text) for text in browser.evaluate(column)]
    browser.evaluate(press)
    up = [int(text) for text in browser.evaluate(column)]
    expect(down, sorted(down, reverse=True), "launches from the most")
    expect(up, sorted(up), "launches from the fewest")


def check_extents(browser, path, report):
    """The numbers follow the assumed extents."""
    browser.open(path)
    browser.evaluate("""
      document.querySelectorAll('#controls input').forEach((input, index) => {
        input.value = index + 3;
        input.dispatchEvent(new Event('change'));
      })""")
    symbols = browser.evaluate("state.symbols")
    expect(symbols[:2], [3, 4], "extents")
    arena = evaluate(report["entries"][0]["arena"], symbols)
    text = browser.evaluate("document.getElementById('tiles').textContent")
    if browser.evaluate(f"inBytes({arena})") not in text:
        fail(f"the summary does not follow the extents: {text}")


def check_faults_are_seen(browser, path, folder):
    """A page with a fault in its script must not pass."""
    text = path.read_text(encoding="utf-8")
    for name, broken in (("throws", text.replace("\nstart();", "\nstart();\nmissing();")),
                         ("parse", text.replace("\nstart();", "\nstart(;")),
                         ("fetch", text.replace("</body>", "<img src='http://127.0.0.1:9/x'></body>"))):
        if broken == text:
            fail("the page has another form than the check of faults expects")
        page = folder / (name + ".html")
        page.write_text(broken, encoding="utf-8")
        browser.open(page)
        if not browser.faults:
            fail(f"a page whose script is broken ({name}) shows no fault")


def check_gpu(browser, folder, driver, aftc, aft_run, inputs, char_lm):
    """What is computed in TF32 is named and held against tensor cores, on the GPU's own roof."""
    gpu = {"LD_LIBRARY_PATH": str(driver), "AFT_PTXAS": "", "AFT_CACHE_DIR": ""}

    def text_of(page):
        browser.open(folder / page)
        return browser.evaluate("document.body.innerText")

    for products, precision, words in (("exact", "f32", "products of f32 exact"),
                                       ("tf32", "tf32", "products of f32 in TF32")):
        flags = ["--target=cuda:sm_90a", f"--f32-products={products}"]
        run(aftc, "model.mlir", *flags, f"--report=gpu-{products}.html", AFT_PTXAS="")
        report = check_page(browser, folder / f"gpu-{products}.html")
        expect((report["target"]["gpu"], report["target"]["f32Products"]), ("sm_90a", products), "target")
        expect({kernel["precision"] for kernel in report["kernels"] if kernel["kind"] == "matmul"},
               {precision}, "the precision of products")
        expect({kernel["precision"] for kernel in report["kernels"] if kernel["kind"] != "matmul"},
               {"f32"}, "the precision of others")
        for wanted in (words, "compiled for sm_90a, not run"):
            if wanted not in text_of(f"gpu-{products}.html"):
                fail(f"the page on a program for a GPU does not say '{wanted}'")

        run(aft_run, "model.mlir", *flags, *inputs, f"--report=run-gpu-{products}.html", **gpu)
        report = check_page(browser, folder / f"run-gpu-{products}.html")
        roof = report["run"]["roof"]
        expect(report["run"]["machine"], "GPU 0 (Fake GPU)", "the machine")
        # 132 multiprocessors at 1980 MHz, of compute capability 9.0; 5120 bits at 2619 MHz.
        expect({name: round(peak / 1e9) for name, peak in roof["peaks"].items()},
               {"f32": 66908, "tf32": 535265, "bf16": 1070531}, "peaks in GFLOP/s")
        expect(round(roof["bandwidths"][0]["perSecond"] / 1e6), 3352320, "MB/s")
        bound = browser.evaluate("1e-3 * boundOf(summarize().find(row => row.kind === 'matmul'), 1e15, 1)")
        expect(round(bound * roof["peaks"][precision] / 1e15, 6), 1.0, "the roof of a product")
        text = text_of(f"run-gpu-{products}.html")
        for wanted in (words, "what the GPU's clocks allow", "GPU 0 (Fake GPU)"):
            if wanted not in text:
                fail(f"the page on a run on a GPU does not say '{wanted}': {text[:300]}")
        expect("TF32 (tensor cores)" in text, products == "tf32", "that the page names TF32's peak")
    if char_lm:
        # Emulated: what a driver without kernels leaves in memory is no loss to train with.
        run(char_lm[0], "train", "--data=text", "--model-dir=gpu-model", "--steps=3", "--layers=1", "--dim=32",
            "--context=32", "--batch=2", "--window=4", "--rank=4", "--target=cuda-emulated",
            "--f32-products=tf32", "--report=run-emulated-train.html", AFT_CACHE_DIR="")
        report = check_page(browser, folder / "run-emulated-train.html")
        expect(report["target"]["f32Products"], "tf32", "products of f32 of a training step")
        for wanted in ("kernels of a GPU, emulated", "products of f32 in TF32"):
            if wanted not in text_of("run-emulated-train.html"):
                fail(f"the page on emulated training does not say '{wanted}'")


def without_times(report):
    drop = ("ms", "milliseconds")
    if isinstance(report, dict):
        return {key: without_times(value) for key, value in report.items() if key not in drop}
    return [without_times(value) for value in report] if isinstance(report, list) else report


def main():
    driver, aftc, aft_run, *char_lm = [pathlib.Path(argument).resolve() for argument in sys.argv[1:]]
    with tempfile.TemporaryDirectory(prefix="aft-report-") as name, Browser() as browser:
        folder = pathlib.Path(name)
        os.chdir(folder)
        pathlib.Path("model.mlir").write_text(MODEL, encoding="utf-8")
        pathlib.Path("empty.mlir").write_text(EMPTY, encoding="utf-8")
        run(aftc, "model.mlir", "--report=static.html")
        run(aftc, "model.mlir", "--report=static.json")
        run(aftc, "empty.mlir", "--report=empty.html")
        report = check_page(browser, folder / "static.html")
        saved = json.loads(pathlib.Path("static.json").read_text(encoding="utf-8"))
        expect(without_times(saved), without_times(report), "the data of page and file")
        expect(report["cache"], "off", "the cache of aftc")
        check_page(browser, folder / "empty.html")
        check_sorting(browser, folder / "static.html")
        check_extents(browser, folder / "static.html", report)
        check_faults_are_seen(browser, folder / "static.html", folder)

        random = np.random.default_rng(1)
        inputs = []
        for index, shape in enumerate([(2, 33, 64), (64,), (64,), (33, 8), (64, 64)]):
            np.save(f"{index}.npy", random.standard_normal(shape).astype(np.float32))
            inputs.append(f"--input={index}.npy")
        for cache in ("miss", "hit"):
            run(aft_run, "model.mlir", *inputs, "--compare", f"--report=run-{cache}.html",
                AFT_CACHE_DIR=str(folder / "cache"))
            measured = check_page(browser, folder / f"run-{cache}.html")
            expect(measured["cache"], cache, "the cache")
            expect(measured["run"]["entries"][0]["extents"][:2], [2, 33], "extents of the run")
            expect(without_times(measured["entries"]), without_times(report["entries"]),
                   "what aftc and the JIT compile")

        if char_lm:
            pathlib.Path("text").write_text(MODEL * 8, encoding="utf-8")
            out = run(char_lm[0], "train", "--data=text", "--model-dir=model", "--steps=3",
                      "--layers=2", "--dim=32", "--context=32", "--batch=2", "--window=4",
                      "--rank=4", "--report=run-train.html", AFT_CACHE_DIR="")
            if "report: run-train.html" not in out:
                fail("char-lm does not say where the report is")
            trained = check_page(browser, folder / "run-train.html")
            expect(trained["run"]["entries"][0]["runs"], 2, "training steps measured")
            places = {place for launch in trained["entries"][0]["launches"]
                      for place in launch["places"]}
            if not any("layers" in place or "blocks" in place for place in places):
                fail(f"no module path among the places: {sorted(places)[:10]}")
        check_gpu(browser, folder, driver, aftc, aft_run, inputs, char_lm)
    print("reports: all good")


main()
