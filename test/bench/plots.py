"""Time over T, memory over T, and the roofline, as SVG."""
from svg import Chart
from table import PEER_NAMES


def _good(result, group):
    return [row for row in result["rows"] if row["group"] == group and "failed" not in row]


def time_over_length(result):
    """Forward pass of local and simple, d = 256, with the most threads."""
    rows = [row for row in _good(result, "scaling") if row["spec"]["dim"] == 256]
    lengths = sorted({row["spec"]["length"] for row in rows})
    chart = Chart("Causal forward pass, d = 256", "T", "ms", lengths)
    for op in ("local", "simple"):
        own = [row for row in rows if row["spec"]["op"] == op]
        chart.line(f"AFT-{op}", [(r["spec"]["length"], r["ours"]["ms"]) for r in own])
        for name in PEER_NAMES:
            points = [(r["spec"]["length"], r["peers"][name]["ms"]) for r in own
                      if "ms" in r["peers"].get(name, {})]
            if name != "sdpa" or op == "local":
                chart.line("softmax attention" if name == "sdpa" else
                           f"{op}, {PEER_NAMES[name]}", points)
    return chart.svg()


def memory_over_length(result):
    rows = _good(result, "memory")
    lengths = sorted({row["spec"]["length"] for row in rows})
    chart = Chart("Peak memory of a training step", "T", "MB beyond parameters, gradients, moments",
                  lengths)
    for label, low in (("AFT-local, compiled", False), ("the same, low memory", True)):
        chart.line(label, [(r["spec"]["length"], r["ours"]["scratch_bytes"] / 1e6) for r in rows
                           if ("memory" in r["spec"]) == low])
    for name, label in PEER_NAMES.items():
        chart.line(label, [(r["spec"]["length"], r["peers"][name]["bytes"] / 1e6) for r in rows
                           if r["peers"].get(name, {}).get("bytes")])
    return chart.svg()


def _roof(result, threads, key):
    """Of f32, and of memory that no cache holds."""
    rates = [row["ours"][key] / row["ours"]["ms_min"] * 1e-6 for row in _good(result, "roofs")
             if row["threads"] == threads and row["ours"].get(key)
             and not {"dtype", "mib"} & row["spec"].keys()]
    return max(rates, default=0)


def roofline(result):
    """f32 rows with the most threads below the roofs that were measured."""
    chart = Chart("Roofline", "flops per byte that must be moved", "GFLOP/s")
    threads = max((row["threads"] for row in result["rows"]), default=1)
    peak, speed = (_roof(result, threads, key) for key in ("flops", "bytes"))
    rows = [row for row in _good(result, "operations")
            if row["threads"] == threads and row["spec"]["dtype"] == "f32"]
    if peak and speed:
        chart.line(f"roofs, {threads} threads",
                   [(0.25, 0.25 * speed), (peak / speed, peak), (1000, peak)])
    for row in rows:
        ours = row["ours"]
        words = row["name"].split()
        chart.point(" ".join(words[:2]), ours["flops"] / ours["bytes"],
                    ours["flops"] / ours["ms"] * 1e-6)
    return chart.svg()


def files(result):
    """{file name: content}"""
    return {"time.svg": time_over_length(result), "memory.svg": memory_over_length(result),
            "roofline.svg": roofline(result)}
