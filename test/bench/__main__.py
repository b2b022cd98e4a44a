"""python test/bench [OPTIONS] AFT_BENCH: measures compiled code beside its alternatives.

Every worker's result is checked against one double-precision result before anything is
timed; then ours and all peers are timed in turns. Writes DIR/bench.json, DIR/bench.md and
plots. An interrupted run keeps what it has. Exit status 1 where a measurement failed.
"""
import argparse
import datetime
import json
import os
import shlex
import sys
from pathlib import Path

import cases
import install
import machine
import plots
import table
from measure import Bench, failures
from progress import Progress, clock

ROOT = Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.split("\n\n")[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", metavar="AFT_BENCH")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN",
                        help="only cases with this in 'GROUP NAME' (repeat for more)")
    parser.add_argument("--quick", action="store_true", help="few cases")
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")],
                        metavar="N[,N]", help="numbers of threads (1,2)")
    parser.add_argument("--peers", type=lambda text: text.split(","), metavar="NAME[,NAME]",
                        help="only these of eager, inductor, jax, sdpa, softmax")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="DIR",
                        help="where results go (build/bench)")
    parser.add_argument("--deps", type=Path, default=ROOT / ".deps/bench", metavar="DIR",
                        help="the peers' Python environment (.deps/bench)")
    parser.add_argument("--list", action="store_true", help="the cases, without measuring")
    return parser.parse_args(sys.argv[1:] + shlex.split(os.environ.get("AFT_BENCH_FLAGS", "")))


def save(result, out):
    """Writes all results so far; a reader never finds half a file."""
    for name, content in [("bench.json", json.dumps(result, indent=1) + "\n"),
                          ("bench.md", table.text(result)), *plots.files(result).items()]:
        part = out / (name + ".part")
        part.write_text(content)
        os.replace(part, out / name)


def show(row):
    """One line about a row, as soon as it is known."""
    if "failed" in row:
        return f"    failed: {row['failed']}"
    if row["group"] == "memory":
        peers = {n: f"{f['bytes'] / 1e6:.0f}" for n, f in row["peers"].items() if "bytes" in f}
        return f"    {row['ours']['scratch_bytes'] / 1e6:.0f} MB; " + str(peers)
    if row["group"] == "compilation":
        peers = {n: f"{f['compile_ms']:.0f}" for n, f in row["peers"].items() if "failed" not in f}
        return f"    {row['ours']['compile_ms']:.0f} ms; " + str(peers)
    text = f"    {row['ours']['ms']:.4g} ms"
    for name, facts in row["peers"].items():
        text += f", {name} {table.cell(facts)}"
        text += f" ({facts['form']})" if "form" in facts else ""
    return text + (f"; {row['ratio']:.2f}x" if "ratio" in row else "")


def measure(args, chosen, result):
    bench = Bench(args.program, result["python"], args.out)
    progress = Progress([case.seconds for case, _ in chosen])
    try:
        for case, threads in chosen:
            progress.show(f"{case.group} {case.name}, {threads} threads")
            row = bench.run(case, threads)
            result["rows"].append(row)
            print(show(row), flush=True)
            for who, why in failures(row):
                print(f"    {who}: {why}", flush=True)
            progress.finished()
            save(result, args.out)
    except KeyboardInterrupt:
        result["interrupted"] = True
        print("interrupted: keeping what was measured", flush=True)
    finally:
        bench.close()
        save(result, args.out)


def main():
    args = arguments()
    cpus = len(os.sched_getaffinity(0))
    chosen = [(case, n) for case, n in cases.select(args.only, args.quick, args.threads)
              if n <= cpus]
    if args.peers:
        chosen = [(case.with_peers(args.peers), n) for case, n in chosen]
    if args.list:
        for case, threads in chosen:
            print(f"{case.group} {case.name}, {threads} threads")
        return 0
    if not chosen:
        print("bench: error: no case was chosen; --list names all", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    python, versions, missing = install.environment(args.deps)
    result = {"machine": machine.facts(versions), "date": str(datetime.date.today()),
              "python": python, "rows": []}
    print(f"bench: {len(chosen)} rows, about {clock(sum(c.seconds for c, _ in chosen))} minutes; "
          f"results in {args.out}", flush=True)
    measure(args, chosen, result)
    print(table.text(result))
    bad = [row for row in result["rows"] if failures(row)]
    if result.get("interrupted"):
        return 130
    return 1 if bad or missing else 0


if __name__ == "__main__":
    sys.exit(main())
