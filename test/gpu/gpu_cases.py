"""What is measured on a GPU, beside what, and how fast it should be."""
from dataclasses import dataclass, field, replace

import cases

PEERS = ("eager", "inductor")


@dataclass(frozen=True)
class GpuCase:
    name: str
    spec: dict = field(hash=False)
    target: float        # of the best peer's time over ours
    peers: tuple = PEERS
    seconds: float = 300  # for each peer, with its compilation


def _op(op, batch, length, dim, target, dtype="bf16", **more):
    spec = {"op": op, "pass": "fwdbwd", "batch": batch, "length": length, "dim": dim,
            "dtype": dtype, "causal": True, **more}
    return GpuCase(cases._name(spec), spec, target, PEERS + ("sdpa",))


def _model(op, layers, dim, mixer, dtype, batch, length, target, **more):
    name, spec = cases._model(op, layers, dim, mixer, dtype, batch, length)
    return GpuCase(name, {**spec, **more}, target, PEERS + ("sdpa",), 600)


def _in_tf32(case):
    """The same where products of f32 may be rounded to TF32, by everybody."""
    return replace(case, name=case.name + " tf32", spec={**case.spec, "f32_products": "tf32"})


def every_case():
    """Operations; training at the paper's settings of enwik8 and CIFAR-10, with a batch that
    eager PyTorch has memory for; decoding. What multiplies matrices of f32 also in TF32."""
    rows = [_op("full", 8, 1024, 512, 1.0), _op("full", 8, 2048, 512, 1.0),
            _op("full", 8, 1024, 512, 1.0, "f32"), _op("simple", 8, 1024, 512, 5), _op("simple", 8, 1024, 512, 5, "f32"),
            _op("local", 8, 1024, 512, 5, window=32), _op("local", 8, 1024, 512, 5, "f32", window=32)]
    for dtype, target in (("bf16", 2.0), ("f32", 1.3)):
        rows += [_model("train", 12, 512, "local", dtype, 32, 1024, target),
                 _model("train", 12, 512, "simple", dtype, 32, 1024, target),
                 _model("train", 24, 256, "local", dtype, 8, 3072, target, window=256, rank=64)]
    rows += [_model("decode", 12, 512, mixer, "bf16", batch, 1024, 2.0)
             for mixer in ("local", "simple") for batch in (1, 32)]
    return rows + [_in_tf32(case) for case in rows
                   if case.spec["dtype"] == "f32" and case.spec["op"] in ("full", "train")]


def may_use_tf32(spec):
    return spec.get("f32_products") == "tf32"


def flags(case):
    return cases.flags(case.spec) + (["--f32-products=tf32"] if may_use_tf32(case.spec) else [])


def tell_torch(torch, spec):
    """Has PyTorch multiply f32 as ours does. By default convolutions are in TF32 already."""
    torch.backends.cuda.matmul.allow_tf32 = may_use_tf32(spec)
    torch.backends.cudnn.allow_tf32 = may_use_tf32(spec)


def judge(case, row):
    """Adds the best peer that computes the same, the ratio, and whether it is as wanted. A
    benchmark is all right when ours was measured; `met` says whether it is fast enough."""
    times = {name: peer["ms"] for name, peer in row["peers"].items()
             if "ms" in peer and name != "sdpa"}
    ours = row["ours"].get("ms_per_token", row["ours"].get("ms"))
    row["ok"], row["target"] = ours is not None, case.target
    if times:
        row["best_peer"] = min(times, key=times.get)
    row["ratio"] = times[row["best_peer"]] / ours if ours and times else None
    row["met"] = row["ratio"] is not None and row["ratio"] >= case.target
    if ours and "ms" in row["peers"].get("sdpa", {}):
        row["ratio_to_sdpa"] = row["peers"]["sdpa"]["ms"] / ours
