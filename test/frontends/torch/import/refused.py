"""Gives the programs damaged, foreign and hostile model files: each must be refused with one
message and exit status 1, without running anything of it and without a crash.

usage: refused.py AFT_RUN AFTC
"""
import io
import json
import os
import pickle
import subprocess
import sys
import warnings
import zipfile

import torch
from torch import nn
from torch.export import Dim, export

import zoo
from harness import Checker

warnings.simplefilter("ignore")
aftc = sys.argv[2]
checker = Checker(sys.argv[1])


def compile_file(path, *flags):
    done = subprocess.run([aftc, path, "--compile-to=graph", "-o", path + ".mlir", *flags],
                          capture_output=True, text=True, timeout=500)
    return done.returncode, done.stdout + done.stderr


def refuse(name, path, wanted, *flags):
    """`wanted`: parts of the message, in any order."""
    status, message = compile_file(path, *flags)
    good = status == 1 and message.startswith("aftc: " + path) and all(w in message for w in wanted)
    checker.check(name, good and message.count("\n") <= 2, f"exit {status}: {message}")


def write(name, content):
    path = checker.path(name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def rewritten(name, source, change):
    """A copy of an archive with other records: change(name, bytes) -> bytes or None."""
    path = checker.path(name)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for record in old.namelist():
            content = change(record, old.read(record))
            if content is not None:
                new.writestr(record, content)
    return path


def edited(name, source, change):
    """A copy of a .pt2 with another program: change(the JSON, in place)."""
    def apply(record, content):
        if not record.endswith("models/model.json"):
            return content
        program = json.loads(content)
        change(program)
        return json.dumps(program).encode()
    return rewritten(name, source, apply)


def good_files():
    torch.manual_seed(3)
    mlp = zoo.Mlp().eval()
    x = torch.randn(3, 12)
    exported, scripted = checker.path("good.pt2"), checker.path("good.pt")
    torch.export.save(export(mlp, (x,), dynamic_shapes=({0: Dim("B", min=1, max=64)},)), exported)
    torch.jit.script(mlp).save(scripted)
    return exported, scripted


TYPE = "--input-type=3x12xf32"


def node(program, target):
    return next(n for n in program["graph_module"]["graph"]["nodes"] if target in n["target"])


def check_edits(source):
    """Programs that lie."""
    def sizes(program, value):
        program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][1] = {"as_int": value}

    def weight(change):
        def apply(record, content):
            if not record.endswith("weights_config.json"):
                return content
            config = json.loads(content)
            change(config["config"]["net.0.weight"])
            return json.dumps(config).encode()
        return apply

    def meta(**entries):
        return weight(lambda payload: payload["tensor_meta"].update(entries))

    def target(name):
        return lambda program: node(program, "relu").update(target=name)

    edits = {
        "size": (lambda p: sizes(p, 1 << 50), ["too large"]),
        "negative": (lambda p: sizes(p, -4), ["too large"]),
        "other size": (lambda p: sizes(p, 13), ["aten.linear"]),
        "schema": (lambda p: p["schema_version"].update(major=9), ["version 9", "expected 8"]),
        "operator": (target("torch.ops.aten.from_file.default"),
                     ["no rule", "aten.from_file", "module 'net.1'"]),
        "namespace": (target("torch.ops.mylib.run.default"), ["no rule", "mylib.run"]),
        "python": (target("os.system"), ["no rule", "os.system"]),
        "unknown name": (lambda p: node(p, "relu")["inputs"][0]["arg"]["as_tensor"].update(name="z"),
                         ["'z'"]),
        "number": (lambda p: node(p, "relu")["inputs"][0].update(arg={"as_int": 3}), ["linear"]),
        "kind": (lambda p: node(p, "relu")["inputs"][0].update(arg={"as_code": 3}), ["as_code"]),
        "argument": (lambda p: node(p, "relu")["inputs"][0].update(name="y"), ["'y'"]),
        "no graph": (lambda p: p["graph_module"].pop("graph"), ["'graph'"]),
        "range": (lambda p: [r.update(min_val=50) for r in p["range_constraints"].values()],
                  ["range"]),
        "mutation": (lambda p: p["graph_module"]["signature"]["output_specs"].insert(
            0, {"buffer_mutation": {"arg": {"name": "relu"}, "buffer_name": "n"}}),
            ["changes its buffer 'n'"]),
    }
    for name, (change, wanted) in edits.items():
        refuse(name, edited(name.replace(" ", "_") + ".pt2", source, change), wanted)
    records = {
        "weight is large": (meta(sizes=[{"as_int": 24}, {"as_int": 1200}]), ["takes", "bytes"]),
        "weight overflows": (meta(sizes=[{"as_int": 1 << 62}, {"as_int": 8}]), ["net.0.weight"]),
        "weight before": (meta(storage_offset={"as_int": -8}), ["net.0.weight"]),
        "weight strides": (meta(strides=[{"as_int": 1 << 40}, {"as_int": 1}]), ["bytes"]),
        "weight type": (meta(dtype=99), ["element type number 99"]),
        "weight pickled": (weight(lambda p: p.update(use_pickle=True)), ["pickled"]),
        "weight elsewhere": (weight(lambda p: p.update(path_name="../../x")), ["no record"]),
        "no weights": (lambda r, c: None if r.endswith("weights_config.json") else c,
                       ["no numbers for 'net.0.weight'"]),
        "no model": (lambda r, c: None if "/models/" in r else c, ["holds neither"]),
        "not JSON": (lambda r, c: c[:900] if "/models/" in r else c, ["not JSON"]),
        "deep JSON": (lambda r, c: b"[" * 1000000 if "/models/" in r else c,
                      ["expected at most 100 lists and objects inside each other at byte 100, found more"]),
    }
    for name, (change, wanted) in records.items():
        refuse(name, rewritten(name.replace(" ", "_") + ".pt2", source, change), wanted)


class Marker:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


def check_code(exported, scripted):
    """Files that would run something."""
    mark = checker.path("mark")
    bomb = pickle.dumps(Marker(mark), protocol=2)
    refuse("pickle", write("pickle.pt", bomb), ["zip"], TYPE)
    refuse("pickle in zip", rewritten("bomb.pt", scripted,
                                      lambda r, c: bomb if r.endswith("/data.pkl") else c), [], TYPE)
    for name, instruction in [("objects", b"N" + b"r\xff\xff\xff\xff"), ("text", b"X\xff\xff\xff\xff"),
                              ("text of 64 bits", b"\x8d" + b"\xff" * 8)]:
        path = rewritten("ask.pt", scripted, lambda r, c: b"\x80\x02" + instruction + b"."
                         if r.endswith("/data.pkl") else c)
        refuse("a pickle that asks for much memory: " + name, path, ["damaged: data.pkl"], TYPE)
    state = io.BytesIO()
    torch.save({"a": torch.ones(3)}, state)
    refuse("state dict", write("state.pt", state.getvalue()), ["torch.jit.save"], TYPE)
    refuse("sample inputs", edited("samples.pt2", exported, lambda p: p.update(graph_module=3)), [])
    # What is in the samples is never read.
    status, message = compile_file(rewritten(
        "unread.pt2", exported, lambda r, c: bomb if "sample_inputs" in r else c))
    checker.check("samples are not read", status == 0, message)

    def code(text):
        return lambda r, c: c.replace(b"  training : bool\n", text, 1) if r.endswith("zoo.py") else c
    setstate = (b"  training : bool\n  def __setstate__(self: __torch__.zoo.Mlp, s: int) -> NoneType:\n"
                b"    return None\n")
    refuse("__setstate__", rewritten("setstate.pt", scripted, code(setstate)), ["__setstate__"], TYPE)
    default = (b"  training : bool\n  def more(self: __torch__.zoo.Mlp,\n"
               b"    x: Tensor=torch.from_file(\"/etc/passwd\", False, 4)) -> Tensor:\n    return x\n")
    refuse("default", rewritten("default.pt", scripted, code(default)), ["default value", "'x'"], TYPE)
    refuse("nesting", rewritten("nesting.pt", scripted, code(b"  training : bool\n  x : " +
                                                             b"(" * 100000 + b"\n")),
           ["nests too deeply"], TYPE)
    for name, line, wanted in [  # "net" is what follows in forward
            ("file", b"None\n    x0 = torch.add(x, torch.from_file(\"/etc/passwd\", False, 4))\n"
             b"    return x0", "aten::from_file"),
            ("save", b"torch.save(x, \"%s\")" % mark.encode(), "aten::save"),
            ("print", b"print(x)", "prim::Print")]:
        def call(r, c, line=line):
            return c.replace(b"    net = self.net\n",
                             b"    net = self.net\n    _9 = " + line + b"\n", 1) if r.endswith(
                                 "code/__torch__/zoo.py") else c
        path = rewritten(name + ".pt", scripted, call)
        refuse(name, path, ["no rule", wanted], TYPE)
    checker.check("nothing was run", not os.path.exists(mark))


class Forever(nn.Module):
    def forward(self, x):
        n = 0
        while x.size(0) > 0:
            n += 1
        return x * n


class Asks(nn.Module):
    def forward(self, x):
        if bool(x.sum() > 0):
            x = x + 1
        return x


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen += 1
        return x * self.seen


def check_models():
    """Models that are sound, but not supported: the message says what and where."""
    x = torch.randn(3, 12)
    path = checker.path("svd.pt2")
    torch.export.save(export(zoo.Unsupported(), (x,)), path)
    refuse("unsupported", path, ["svd", "module 'outer.inner'", "zoo.py:"])
    path = checker.path("train.pt2")
    torch.export.save(export(zoo.Mlp().train(), (x,)), path)
    refuse("dropout", path, ["dropout", "module 'net.2'"])
    path = checker.path("counts.pt2")
    torch.export.save(export(Counts(), (x,)), path)
    refuse("buffer", path, ["buffer 'seen'"])
    path = checker.path("wide.pt2")
    torch.export.save(export(zoo.SelectsWide(), (torch.randn(4), torch.tensor([1, 3, 0]))), path)
    status, message = compile_file(path)
    checker.check("wide", status == 1 and "aten::expand: needs more memory than there can be" in message,
                  f"exit {status}: {message}")
    path = checker.path("half.pt2")
    torch.export.save(export(nn.Sequential(nn.Embedding(5, 4).half()), (torch.tensor([1, 3]),)), path)
    refuse("half", path, ["element type of '0.weight' must be float", "found Half"])
    path = checker.path("part.pt2")
    torch.export.save(export(zoo.StridesOfPart(), (x,)), path)
    refuse("strides", path, ["as_strided", "outermost module", "zoo.py:", "reads more memory"])
    for name, model, wanted in [("forever", Forever(), "steps"), ("asks", Asks(), "numbers"),
                                ("svd", zoo.Unsupported(), "svd"), ("counts", Counts(), "'seen'")]:
        path = checker.path(name + ".pt")
        module = torch.jit.trace(model, (x,)) if name == "svd" else torch.jit.script(model)
        module.save(path)
        refuse(name, path, [wanted], TYPE)


def check_usage(exported, scripted):
    refuse("no types", scripted, ["x: Tensor", "found 0"])
    refuse("types", exported, ["says itself"], TYPE)
    refuse("wrong type", scripted, ["'3x12xf33'"], "--input-type=3x12xf33")
    refuse("not there", checker.path("none.pt2"), [])
    refuse("a folder", os.path.dirname(exported) + "/.pt2", [])
    refuse("text", write("text.pt2", b"module {}\n" * 50), ["zip"])
    os.mkfifo(checker.path("pipe.pt2"))
    refuse("pipe", checker.path("pipe.pt2"), ["expected a file, found a pipe or a device"])
    os.mkdir(checker.path("folder.pt2"))
    refuse("folder", checker.path("folder.pt2"), ["expected a file, found a folder"])


def main():
    exported, scripted = good_files()
    check_usage(exported, scripted)
    check_edits(exported)
    check_code(exported, scripted)
    check_models()
    checker.finish()


main()
