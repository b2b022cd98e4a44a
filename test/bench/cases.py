"""What the suite measures: one Case per row and number of threads.

A specification (`spec`) has the keys of aft-bench's flags, so that one dictionary
says the same thing to aft-bench and to every peer.
"""
from dataclasses import dataclass, field, replace
import fnmatch

import machine

SAME = ("eager", "inductor", "jax")   # compute the same function as ours
FLAGS = ("op", "pass", "batch", "length", "dim", "heads", "window", "grid", "causal", "layers",
         "vocab", "mixer", "rank", "image", "mib", "dtype", "memory")


@dataclass(frozen=True)
class Case:
    group: str            # operations, scaling, training, memory, compilation, inference,
                          # decoding or roofs
    name: str
    spec: dict = field(hash=False)
    peers: tuple = SAME   # "sdpa" and "softmax" stand for a Transformer of the same size
    threads: tuple = (1, 2)
    seconds: float = 20   # expected for one number of threads, to tell the time left
    quick: bool = False   # also part of --quick

    def with_peers(self, names):
        return replace(self, peers=tuple(name for name in self.peers if name in names))


def flags(spec):
    """The command line of aft-bench."""
    words = []
    for key in FLAGS:
        value = spec.get(key)
        if value is True:
            words.append(f"--{key}")
        elif value not in (None, False):
            words.append(f"--{key}={value}")
    return words


def _name(spec):
    words = [spec["op"] + (f"-{spec['window']}" if "window" in spec else "")]
    words += [f"h{spec['heads']}"] if "heads" in spec else []
    words += [spec["pass"]] if spec["op"] != "mlp" else []
    words += ["causal"] if spec.get("causal") else []
    words += [f"B{spec['batch']}", spec.get("grid") or f"T{spec['length']}", f"d{spec['dim']}"]
    return " ".join(words + ([spec["dtype"]] if spec["dtype"] != "f32" else []))


def _op(op, batch, length, dim, way="fwd", dtype="f32", **more):
    return {"op": op, "pass": way, "batch": batch, "length": length, "dim": dim, "dtype": dtype,
            **more}


def _row(spec, group="operations", **more):
    return Case(group, _name(spec), spec, **more)


def roofs():
    """Memory also at the sizes of the models' weights, which a large cache may hold in part."""
    rows = [("FMA peak", {"op": "fma"})]
    if "avx512_bf16" in machine.features():
        rows.append(("pairs of bf16", {"op": "fma", "dtype": "bf16"}))
    rows += [("read bandwidth", {"op": "read"})]
    rows += [(f"read bandwidth, {mib} MiB", {"op": "read", "mib": mib}) for mib in (144, 72)]
    rows += [("copy bandwidth", {"op": "copy"})]
    return [Case("roofs", name, spec, peers=(), seconds=4, quick=True) for name, spec in rows]


def products():
    rows = []
    for dtype in ("f32", "bf16"):
        for size in (512, 1024, 2048):
            rows.append(_row(_op("matmul", 1, size, size, dtype=dtype), peers=("eager", "jax"),
                             seconds=10, quick=size == 1024 and dtype == "f32"))
        for tokens, dim in ((1024, 512), (1024, 256)):
            rows.append(_row(_op("mlp", 1, tokens, dim, dtype=dtype), seconds=8,
                             quick=dim == 512 and dtype == "f32"))
    return rows


def mixers():
    rows = []
    for way in ("fwd", "fwdbwd"):
        rows += [
            _row(_op("full", 4, 1024, 512, way, causal=True), seconds=30, quick=way == "fwd"),
            _row(_op("full", 4, 1024, 512, way), seconds=30, threads=(2,)),
            _row(_op("full", 4, 1024, 512, way, "bf16", causal=True), seconds=30, threads=(2,)),
            _row(_op("full", 4, 1024, 512, way, "bf16"), seconds=30, threads=(2,)),
            _row(_op("local", 4, 1024, 512, way, window=32, causal=True), quick=True),
            _row(_op("local", 2, 4096, 256, way, window=32, causal=True), threads=(2,)),
            _row(_op("local", 1, 3072, 256, way, window=256, causal=True), threads=(2,)),
            _row(_op("simple", 4, 1024, 512, way, causal=True), quick=True),
            _row(_op("simple", 1, 16384, 512, way, causal=True), threads=(2,)),
            _row(_op("conv", 16, 196, 384, way, heads=384, window=11, grid="14x14"),
                 threads=(2,), quick=way == "fwd"),
            _row(_op("conv", 16, 196, 384, way, heads=16, window=11, grid="14x14")),
        ]
    return rows


def scaling():
    """Time over T; "sdpa" is causal softmax attention with heads of 64 channels."""
    rows = []
    for op, more in (("local", {"window": 32}), ("simple", {})):
        for length in (512, 2048, 8192, 32768):
            peers = ("eager", "jax") + (("sdpa",) if length <= 8192 else ())
            rows.append(_row(_op(op, 1, length, 256, causal=True, **more), "scaling", peers=peers,
                             threads=(2,), seconds=10))
        for length, dim in ((65536, 256), (1 << 20, 64)):
            rows.append(_row(_op(op, 1, length, dim, causal=True, **more), "scaling",
                             peers=("eager",), threads=(2,), seconds=40))
    return rows


def _model(op, layers, dim, mixer, dtype="f32", batch=1, length=1024):
    spec = {"op": op, "batch": batch, "length": length, "dim": dim, "layers": layers,
            "mixer": mixer, "vocab": 256, "dtype": dtype}
    if mixer == "local":
        spec.update(window=32, rank=256)
    name = f"{op} {mixer}{'-32' if mixer == 'local' else ''} {layers} x d{dim} B{batch} T{length}"
    return name + (f" {dtype}" if dtype != "f32" else ""), spec


def _low(name, spec):
    return f"{name}, low memory", {**spec, "memory": "low"}


def training():
    """Beside torch.compile only the larger model; beside JAX, and with one thread, in f32."""
    rows = []
    for dtype in ("f32", "bf16"):
        for layers, dim in ((12, 512), (24, 256)) if dtype == "f32" else ((12, 512),):
            for mixer in ("local", "simple"):
                name, spec = _model("train", layers, dim, mixer, dtype)
                most = dtype == "f32" and layers == 12
                peers = SAME if most else ("eager", "inductor") if layers == 12 else ("eager",)
                threads = (1, 2) if most and mixer == "local" else (2,)
                rows.append(Case("training", name, spec, peers + ("sdpa",), threads,
                                 120 if layers == 12 else 70))
    name, spec = _low(*_model("train", 12, 512, "local"))
    rows.append(Case("training", name, spec, (), (2,), 30))
    name, spec = _model("train", 2, 512, "local")
    return [Case("training", name, spec, ("eager", "sdpa"), (2,), 30, True)] + rows


def compilation():
    """Of the largest training step: cold, from the cache, memory, and for other shapes."""
    name, spec = _model("train", 12, 512, "local")
    return [Case("compilation", name, spec, ("inductor",), (2,), 90)]


def memory():
    rows = []
    for length in (512, 1024, 2048):
        name, spec = _model("train", 12, 512, "local", length=length)
        rows.append(Case("memory", name, spec, ("eager", "sdpa", "softmax"), (2,), 60))
        rows.append(Case("memory", *_low(name, spec), (), (2,), 25))
    return rows


def inference():
    rows = []
    for mixer, more in (("conv", {"window": 15, "heads": 384}), ("full", {"rank": 128})):
        for batch in (1, 16):
            spec = {"op": "image", "batch": batch, "dim": 384, "layers": 12, "mixer": mixer,
                    "image": 224, "vocab": 1000, "dtype": "f32", **more}
            name = f"AFT-{mixer}{' 15-384' if mixer == 'conv' else ''} small B{batch}"
            rows.append(Case("inference", name, spec, ("eager", "inductor", "jax", "sdpa"),
                             (1, 2) if batch == 1 else (2,), 60))
    return rows


def decoding():
    rows = []
    for dtype in ("f32", "bf16"):
        for batch in (1, 32):
            for mixer in ("local", "simple"):
                name, spec = _model("decode", 12, 512, mixer, dtype, batch)
                main = dtype == "f32" and batch == 1
                peers = ("eager", "inductor", "sdpa") if dtype == "f32" else ("eager", "sdpa")
                rows.append(Case("decoding", name, spec, peers, (1, 2) if main else (2,), 45,
                                 quick=main and mixer == "local"))
    # A token costs as much after many as after few.
    for mixer in ("local", "simple"):
        for length in (256, 4096):
            name, spec = _model("decode", 12, 512, mixer, length=length)
            rows.append(Case("decoding", name, spec, (), (2,), 30))
    return rows


def every_case():
    return (roofs() + products() + mixers() + scaling() + training() + memory()
            + compilation() + inference() + decoding())


def select(patterns, quick, threads):
    """The cases that the command line asks for; a pattern is a part of "GROUP NAME" or a
    shell pattern for all of it. Each keeps the numbers of threads that were asked for;
    a quick run has only the largest."""
    chosen = []
    for case in every_case():
        title = f"{case.group} {case.name}"
        if patterns and not any(p in title or fnmatch.fnmatch(title, p) for p in patterns):
            continue
        if quick and not case.quick:
            continue
        counts = [t for t in case.threads if not threads or t in threads]
        if quick and not threads:
            counts = counts[-1:]
        chosen += [(case, count) for count in counts]
    return chosen
