"""The measurements as Markdown: one table per group, in the form of README's."""

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


def _title(group, rows):
    columns = [group if group != "operations" else "operation", "threads", "ms"]
    columns += [f"{PEER_NAMES[name]} ms" for name in _peers(rows)]
    columns += ["best other", "ratio"]
    if any("sdpa" in row["peers"] for row in rows):
        columns.append("to softmax")
    columns += [UNITS[group][0]] if group in UNITS else ["GFLOP/s"]
    return columns + (["GB/s", "of reading"] if group == "decoding" else []) + ["max error"]


def _line(row, rows, result):
    ours, peers = row["ours"], row["peers"]
    cells = [row["name"], row["threads"], number(ours["ms"])]
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
        speed, roof = ours["bytes"] / ours["ms"] * 1e-6, _read_speed(result, row["threads"])
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
        rates = [number(ours[key] / ours["ms"] * 1e-6) if ours[key] else ""
                 for key in ("flops", "bytes")]
        lines.append([row["name"], row["threads"], *rates])
    for threads in sorted({row["threads"] for row in rows}):
        best, whose = _best_product(others, threads)
        if best:
            lines.append([f"best matmul ({whose})", threads, number(best), ""])
    return lines


def _read_speed(result, threads):
    """GB/s, or None where that was not measured."""
    for row in result["rows"]:
        if row["group"] == "roofs" and row["spec"]["op"] == "read" and row["threads"] == threads:
            return None if "failed" in row else row["ours"]["bytes"] / row["ours"]["ms"] * 1e-6
    return None


def _memory(rows):
    names = _peers(rows)
    lines = [["peak memory of a step, MB", "ours"] + [PEER_NAMES[name] for name in names] +
             ["ratio to eager"]]
    for row in rows:
        ours = row["ours"]["scratch_bytes"]
        found = [row["peers"].get(name, {}).get("bytes") for name in names]
        eager = row["peers"].get("eager", {}).get("bytes")
        lines.append([row["name"], number(ours / 1e6)] +
                     [number(x / 1e6) if x else "failed" for x in found] +
                     [f"{eager / ours:.2f}x" if eager else ""])
    return lines


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
        else:
            lines = [_title(group, rows)] + [_line(row, rows, result) for row in rows]
        parts.append(_markdown(lines))
    bad = _failures(result["rows"])
    if bad:
        parts.append("Not measured:\n\n" + "\n".join(bad) + "\n")
    if result.get("interrupted"):
        parts.append("Interrupted: the rest was not measured.\n")
    return "\n".join(parts)
