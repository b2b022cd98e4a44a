"""A result as a run gives it, with round numbers and failures, for the tests."""
import cases


def row(case, threads, **peers):
    ours = {"ms": 2.0, "ms_min": 1.5, "ms_max": 3.0, "flops": 4e9, "bytes": 1e8, "error": 1e-7,
            "limit": 2e-6, "of": "y", "scratch_bytes": 100_000_000,
            "compile_ms": 1500.0, "cached_compile_ms": 12.0, "compile_peak_rss_mb": 300.0,
            "recompilations": 0}
    return {"group": case.group, "name": case.name, "spec": case.spec, "threads": threads,
            "ours": ours, "peers": peers}


def peer(ms, error=1e-7):
    return {"ready": True, "form": "some_form", "ms": ms, "ms_min": ms, "ms_max": ms,
            "error": {"error": error, "limit": 2e-6, "of": "y"}}


def find(text):
    return next(case for case in cases.every_case() if text in f"{case.group} {case.name}")


def result():
    from measure import compare
    local, train = find("operations local-32 fwd causal"), find("training train local-32 12")
    rows = [row(find("roofs FMA"), 2), row(find("roofs read"), 2)]
    rows[0]["ours"].update(flops=1e11, bytes=0)
    rows[1]["ours"].update(flops=0, bytes=1e8)
    rows.append(row(local, 2, eager=peer(8.0), inductor=peer(5.0, error=1e-4),
                    jax={"failed": "no answer within 600 s"}))
    rows.append(row(train, 2, eager=peer(6.0), sdpa={**peer(4.0), "error": None}))
    rows.append(row(train, 1, eager=peer(12.0)))
    rows[-1]["ours"]["ms"] = 3.0
    scaled = [case for case in cases.scaling() if case.spec["op"] == "local"]
    rows += [row(case, 2, eager=peer(10.0 + i)) for i, case in enumerate(scaled)]
    memory = row(find("memory train"), 2, eager={"bytes": 250_000_000}, softmax={"bytes": 900_000_000})
    rows.append(memory)
    rows.append(row(find("memory train local-32 12 x d512 B1 T512, low"), 2))
    rows.append(row(find("compilation"), 2, inductor={"compile_ms": 40e3, "cached_compile_ms": 9e3,
                                                      "peak_rss_mb": 800.0, "recompilations": 1}))
    rows.append(row(find("operations matmul fwd B1 T512"), 2, eager=peer(1.0)))
    rows.append(row(find("decoding decode local"), 2, eager=peer(9.0)))
    for length, ms in ((256, 2.0), (4096, 2.1)):
        rows.append(row(find(f"decoding decode simple 12 x d512 B1 T{length}"), 2))
        rows[-1]["ours"]["ms"] = ms
    rows.append({**row(find("decoding"), 1), "failed": "logits is off by 1.00e+00"})
    for one in rows:
        if one["group"] not in ("memory", "compilation"):
            compare(one)
    machine = {"cpu": "Some CPU", "cpus": 2, "features": ["avx2"], "memory_gib": 24.0,
               "versions": {"torch": "2.13.0", "jax": "0.10.2"}}
    return {"machine": machine, "date": "2026-01-02", "rows": rows}
