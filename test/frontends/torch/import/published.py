"""Exports the models of public.py, images.py, strangers.py, tables.py and variants.py in every form that PyTorch has,
runs the files through aft-run, compares with PyTorch, and looks at what each became.

usage: published.py AFT_RUN [FORM...]
"""
import json
import sys
import warnings

import torch
from torch.export import Dim, export

import images
import public
import strangers
import tables
import variants
from harness import Checker

warnings.simplefilter("ignore")
MIXERS = {"full", "simple", "local", "conv"}


def raised(report):
    """The kinds of the mixers by the name of the model that they are in."""
    with open(report) as file:
        content = json.load(file)
    kinds = {kernel["name"]: kernel["kind"] for kernel in content["kernels"]}
    found = {}
    for entry in content["entries"]:
        for launch in entry["launches"]:
            kind = kinds.get(launch["kernel"])
            for place in launch["places"] if kind in MIXERS else []:
                parts = place.split(":")[0].split(".")
                found.setdefault(parts[1] if len(parts) > 1 else "", set()).add(kind)
    return found


def forms(model, x, dynamic):
    """The model as files: what writes one, and the flags that the file needs."""
    program = export(model, (x,), dynamic_shapes=(dynamic,))
    sizes = [("?" if dim in dynamic else str(size)) for dim, size in enumerate(x.shape)]
    flags = ["--input-type=" + "x".join(sizes) + "xf32"]
    yield "exported", ".pt2", lambda path: torch.export.save(program, path), []
    core = program.run_decompositions()
    yield "decomposed", ".pt2", lambda path: torch.export.save(core, path), []
    traced = torch.jit.trace(model, (x,), check_trace=False)
    yield "traced", ".pt", lambda path: torch.jit.save(traced, path), flags


def scripted(model):
    module = torch.jit.script(model)
    return "scripted", ".pt", lambda path: torch.jit.save(module, path), ["--input-type=?x?x16xf32"]


B, T = Dim("B", min=1, max=64), Dim("T", min=2, max=31)
H, W = Dim("H", min=2, max=16), Dim("W", min=2, max=16)
GROUPS = {
    "free": (public.FREE, {0: B, 1: T}, [(2, 9, 16), (3, 31, 16), (1, 2, 16)], True),
    "fixed": (public.FIXED, {0: B}, [(2, public.LENGTH, 16), (1, public.LENGTH, 16)], False),
    "strangers": (strangers.FREE, {0: B, 1: T}, [(2, 9, 16), (1, 31, 16)], False),
    "strangers_fixed": (strangers.FIXED, {0: B}, [(3, public.LENGTH, 16), (1, public.LENGTH, 16)], False),
    "tables": (tables.FREE, {0: B, 1: T}, [(2, 9, 16), (1, 31, 16)], False),
    "tables_fixed": (tables.FIXED, {0: B}, [(3, public.LENGTH, 16), (1, public.LENGTH, 16)], False),
    "variants": (variants.FREE, {0: B, 1: T}, [(2, 9, 16), (1, 31, 16)], False),
    "variants_fixed": (variants.FIXED, {0: B}, [(3, public.LENGTH, 16), (1, public.LENGTH, 16)], False),
    "images": (images.KINDS, {0: B, 2: H, 3: W}, [(2, 16, 4, 6), (1, 16, 5, 3)], False),
    "images_fixed": (images.KINDS, {0: B}, [(2, 16, 4, 6), (1, 16, 4, 6)], False),
    "images_last": (images.LAST, {0: B, 1: H, 2: W}, [(2, 4, 6, 16), (1, 5, 3, 16)], False),
    "image": ([public.Image], {0: B}, [(2, 16, 6, 6), (1, 16, 6, 6)], False),
}


def main():
    checker = Checker(sys.argv[1])
    for name, (kinds, dynamic, shapes, scripts) in GROUPS.items():
        torch.manual_seed(5)
        model = public.All(kinds).eval()
        inputs = [torch.randn(shape) for shape in shapes]
        files = list(forms(model, inputs[0], dynamic))
        if scripts and (len(sys.argv) == 2 or "scripted" in sys.argv):
            files.append(scripted(model))
        for form, suffix, save, flags in files:
            if len(sys.argv) > 2 and form not in sys.argv[2:]:
                continue
            path, report = checker.path(name + suffix), checker.path("report.json")
            save(path)
            for i, x in enumerate(inputs):
                checker.compare(f"{name} {form}", path, model, [x],
                                [*flags, "--report=" + report] if i == 0 else flags)
            found = raised(report)
            for kind in kinds:
                wanted = {getattr(kind, "raised_" + form, kind.raised)} - {""}
                own = found.get(kind.__name__, set())
                checker.check(f"{kind.__name__} {form}", own == wanted, f"became {own or 'none'}")
    checker.finish()


main()
