"""The measurements as Markdown: one table per group, in the form of README's."""

import math

UNITS = {"training": ("tokens/s", lambda spec: spec["batch"] * spec["length"]),
         "inference": ("images/s", lambda spec: spec["batch"]),
         "decoding": ("tokens/s", lambda spec: spec["batch"])}
PEER_NAMES = {"eager": "eager", "inductor": "torch.compile", "jax": "JAX", "sdpa": "softmax",
              "softmax": "softmax, weights kept"}


def number(x):
    """Three digits."""
    if x is None:
        return ""
    return f"{x:.3g}" if abs(x) < 1000 else f"{x:,.0f}".replace(",", " ")


def cell(facts, value="ms"):
    """A peer's time, and its error where that is more than ours may be."""
    if facts is None:
        return ""
    if "failed" in facts:
        return "failed"
    error = facts.get("error")
    wrong = error and error["error"] > error["limit"]
    return number(facts[value]) + (f" (error {error['error']:.0e})" if wrong else "")


def rate(row, ms):
    unit, count = UNITS[row["group"]]
    return count(row["spec"]) / ms * 1e3


def _peers(rows):
    return [name for name in PEER_NAMES if any(name in row["peers"] for row in rows)]


def _pairs(rows):
    """{name: time with one thread over that with two} of what was measured with both."""
    times = {(row["name"], row["threads"]): row["ours"]["ms"] for row in rows}
    return {name: ms / times[name, 2] for (name, threads), ms in times.items()
            if threads == 1 and (name, 2) in times}


def _title(group, rows):
    columns = [group if group != "operations" else "operation", "threads", "ms"]
    columns += ["1 to 2 threads"] if _pairs(rows) else []
    columns += [f"{PEER_NAMES[name]} ms" for name in _peers(rows)]
    columns += ["best other", "ratio"]
    if any("sdpa" in row["peers"] for row in rows):
        columns.append("to softmax")
    columns += [UNITS[group][0]] if group in UNITS else ["GFLOP/s"]
    return columns + (["GB/s", "of reading"] if group == "decoding" else []) + ["max error"]


def _line(row, rows, result):
    ours, peers = row["ours"], row["peers"]
    cells = [row["name"], row["threads"], number(ours["ms"])]
    pairs = _pairs(rows)
    if pairs:
        own = pairs.get(row["name"]) if row["threads"] == 2 else None
        cells.append(f"{own:.2f}x" if own else "")
    cells += [cell(peers.get(name)) for name in _peers(rows)]
    cells += [PEER_NAMES.get(row.get("best"), ""), f"{row['ratio']:.2f}x" if "ratio" in row else ""]
    if any("sdpa" in other["peers"] for other in rows):
        softmax = peers.get("sdpa", {}).get("ms")
        cells.append(f"{softmax / ours['ms']:.2f}x" if softmax else "")
    if row["group"] in UNITS:
        cells.append(number(rate(row, ours["ms"])))
    else:
        cells.append(number(ours["flops"] / ours["ms"] * 1e-6))
    if row["group"] == "decoding":
        speed, roof = ours["bytes"] / ours["ms"] * 1e-6, _read_speed(result, row["threads"], ours["bytes"])
        cells += [number(speed), f"{speed / roof:.0%}" if roof else ""]
    return cells + [f"{ours['error']:.1e}"]


def _best_product(rows, threads):
    """(GFLOP/s, whose) of the fastest matmul that was measured."""
    best = (0, "")
    for row in rows:
        if row["spec"]["op"] != "matmul" or row["threads"] != threads:
            continue
        for name, facts in [("ours", row["ours"]), *row["peers"].items()]:
            if "ms" in facts:
                rate = row["ours"]["flops"] / facts["ms"] * 1e-6
                best = max(best, (rate, f"{PEER_NAMES.get(name, name)}, {row['name']}"))
    return best


def _roofs(rows, others):
    lines = [["roof", "threads", "GFLOP/s", "GB/s"]]
    for row in rows:
        ours = row["ours"]
        rates = [number(ours[key] / ours["ms_min"] * 1e-6) if ours[key] else ""
                 for key in ("flops", "bytes")]
        lines.append([row["name"], row["threads"], *rates])
    for threads in sorted({row["threads"] for row in rows}):
        best, whose = _best_product(others, threads)
        if best:
            lines.append([f"best matmul ({whose})", threads, number(best), ""])
    return lines


def _read_speed(result, threads, size):
    """GB/s of reading about `size` bytes again and again, or None where that was not measured:
    caches may hold a part of them."""
    read = [row["ours"] for row in result["rows"]
            if row["group"] == "roofs" and row["spec"]["op"] == "read"
            and row["threads"] == threads and "failed" not in row]
    if not read:
        return None
    nearest = min(read, key=lambda ours: abs(math.log(ours["bytes"] / size)))
    return nearest["bytes"] / nearest["ms_min"] * 1e-6


def _memory(rows):
    names = _peers(rows)
    lines = [["peak memory of a step, MB", "ours"] + [PEER_NAMES[name] for name in names] +
             ["ratio to eager"]]
    for row in rows:
        ours = row["ours"]["scratch_bytes"]
        found = [row["peers"].get(name, {}).get("bytes") for name in names]
        eager = row["peers"].get("eager", {}).get("bytes") or _eager_bytes(rows, row)
        lines.append([row["name"], number(ours / 1e6)] +
                     [number(x / 1e6) if x else "failed" if name in row["peers"] else ""
                      for name, x in zip(names, found)] +
                     [f"{eager / ours:.2f}x" if eager else ""])
    return lines


def _eager_bytes(rows, low):
    """The eager step's of the row that is the same but for --memory."""
    spec = {key: value for key, value in low["spec"].items() if key != "memory"}
    return next((row["peers"]["eager"].get("bytes") for row in rows
                 if row["spec"] == spec and "eager" in row["peers"]), None)


def _compilation(rows):
    lines = [["compilation", "by", "cold ms", "from the cache ms", "peak memory MB",
              "recompilations over 8 pairs of B and T"]]
    for row in rows:
        ours = row["ours"]
        lines.append([row["name"], "ours", number(ours["compile_ms"]),
                      number(ours["cached_compile_ms"]), number(ours["compile_peak_rss_mb"]),
                      ours["recompilations"]])
        lines += [[row["name"], PEER_NAMES[name], number(facts["compile_ms"]),
                   number(facts["cached_compile_ms"]), number(facts["peak_rss_mb"]),
                   facts["recompilations"]]
                  for name, facts in row["peers"].items() if "failed" not in facts]
    return lines


def _token_cost(rows):
    """What a token costs at the largest T relative to the smallest, per model."""
    models, lines = {}, []
    for row in rows:
        spec = {key: value for key, value in row["spec"].items() if key != "length"}
        key = (row["threads"], tuple(sorted(spec.items())))
        models.setdefault(key, []).append((row["spec"]["length"], row["ours"]["ms"], row))
    for found in models.values():
        (short, first, row), (long, last, _) = (pick(found, key=lambda one: one[0])
                                                for pick in (min, max))
        if short < long:
            lines.append(f"- {row['spec']['mixer']}, {row['spec']['dtype']}, "
                         f"B = {row['spec']['batch']}, {row['threads']} threads: "
                         f"{last / first:.2f}x at T = {long} of that at T = {short}")
    return "Time per token:\n\n" + "\n".join(lines) + "\n" if lines else ""


def _markdown(lines):
    lines = [lines[0], ["---"] * len(lines[0])] + lines[1:]
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in lines) + "\n"


def _failures(rows):
    from measure import failures
    return [f"- {row['name']}, {row['threads']} threads: {who}: {why}"
            for row in rows for who, why in failures(row)]


def describe(machine, date):
    threads = f"{machine['cpus']} CPUs"
    vectors = ", ".join(machine["features"]) or "no vector extensions named"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['cpu']}, {threads} ({vectors}); {versions}; {date}."


def text(result):
    """All of it: machine, tables, what failed."""
    parts = [describe(result["machine"], result["date"]) + "\n"]
    for group in dict.fromkeys(row["group"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["group"] == group and "failed" not in row]
        if not rows:
            continue
        if group == "roofs":
            lines = _roofs(rows, [row for row in result["rows"] if "failed" not in row])
        elif group == "memory":
            lines = _memory(rows)
        elif group == "compilation":
            lines = _compilation(rows)
        else:
            lines = [_title(group, rows)] + [_line(row, rows, result) for row in rows]
        parts.append(_markdown(lines))
        if group == "decoding" and _token_cost(rows):
            parts.append(_token_cost(rows))
    bad = _failures(result["rows"])
    if bad:
        parts.append("Not measured:\n\n" + "\n".join(bad) + "\n")
    if result.get("interrupted"):
        parts.append("Interrupted: the rest was not measured.\n")
    return "\n".join(parts)
