"""Measures one case: checks every worker's result, then times them in turns."""
import os
import statistics
import tempfile
from pathlib import Path

import arrays
import cases
import check
from workers import Failed, Worker

HERE = Path(__file__).resolve().parent
BUDGET, MOST_ROUNDS, LEAST_ROUNDS = 5e3, 15, 3   # ms for all turns; rounds


def summary(samples):
    return {"ms": statistics.median(samples), "ms_min": min(samples), "ms_max": max(samples),
            "samples": len(samples)}


def take_turns(workers, budget=BUDGET):
    """Asks the workers {name: function giving ms} in turns; returns ({name: samples},
    {name: why it failed})."""
    samples, failed, spent, rounds = {name: [] for name in workers}, {}, 0.0, 0
    while rounds < LEAST_ROUNDS or (spent < budget and rounds < MOST_ROUNDS):
        for name, turn in workers.items():
            if name in failed:
                continue
            try:
                ms = turn()
            except Failed as why:
                failed[name] = str(why)
                continue
            samples[name].append(ms)
            spent += ms
        rounds += 1
        if len(failed) == len(workers):
            break
    return samples, failed


class Bench:
    """The processes and folders of a run."""

    def __init__(self, program, python, folder, rounds=None):
        self.program, self.python, self.folder = program, python, Path(folder)
        self.peers = {}      # (peer, threads): Worker that is kept between cases
        self.budget = BUDGET
        self.log = open(self.folder / "workers.log", "ab")

    def peer(self, name, threads):
        key = (name, threads)
        if name != "truth":
            for other in [k for k in self.peers if k[1] != threads and k[0] != "truth"]:
                self.peers.pop(other).stop()
        if key not in self.peers or not self.peers[key].alive():
            cache = str(self.folder / "inductor")
            self.peers[key] = Worker([self.python, str(HERE / "worker.py"), name], threads,
                                     {"TORCHINDUCTOR_CACHE_DIR": cache}, self.log)
        return self.peers[key]

    def close(self):
        for worker in self.peers.values():
            worker.stop()
        self.peers = {}
        self.log.close()

    # --- ours ---

    def ours(self, case, threads, folder):
        outputs = folder / "ours"
        outputs.mkdir()
        command = [self.program, *cases.flags(case.spec), f"--threads={threads}", "--serve"]
        if case.group not in ("roofs", "compilation"):
            command += [f"--inputs={folder}", f"--outputs={outputs}"]
        with open(folder / "ours.log", "wb") as log:
            worker = Worker(command, threads, log=log)
        try:
            facts = worker.read(600)
            if case.group == "compilation":
                facts.update(error=facts["max_error"], limit=facts["max_error_limit"], of="loss")
            elif case.group != "roofs":
                error = check.errors(case.spec, folder, check.read(case.spec, outputs))
                facts.update(error)
                if not error["error"] <= error["limit"]:
                    raise Failed(f"{error['of']} is off by {error['error']:.2e}, "
                                 f"more than {error['limit']:.2e}; no timing of a wrong result")
        except Exception:
            worker.stop()
            raise
        return worker, facts

    # --- a case ---

    def run(self, case, threads):
        """A row: what is known of the case, ours and every peer, or why that failed."""
        row = {"group": case.group, "name": case.name, "spec": case.spec, "threads": threads,
               "peers": {}}
        ours = None
        with tempfile.TemporaryDirectory(prefix="aft-bench-") as place:
            folder = Path(place)
            try:
                if case.group != "roofs":
                    arrays.make(case.spec, folder)
                if case.group not in ("roofs", "compilation"):
                    self.peer("truth", len(os.sched_getaffinity(0))).ask(
                        {"do": "truth", "spec": case.spec, "folder": str(folder)})
                ours, row["ours"] = self.ours(case, threads, folder)
                if case.group == "compilation":
                    self.compile_peers(case, threads, folder, row)
                    return row
                self.load_peers(case, threads, folder, row)
                if case.group == "memory":
                    return row
                self.time(ours, threads, row)
            except (Failed, OSError, ValueError) as why:
                row["failed"] = str(why)
            finally:
                if ours:
                    ours.stop()
        return row

    def load_peers(self, case, threads, folder, row):
        for name in case.peers:
            message = {"do": "memory" if case.group == "memory" else "load", "spec": case.spec,
                       "folder": str(folder), "threads": threads}
            try:
                worker = self.peer(name, threads)
                row["peers"][name] = worker.ask(message, 900)
            except Failed as why:
                row["peers"][name] = {"failed": str(why)}
            if case.group == "memory" and (name, threads) in self.peers:
                self.peers.pop((name, threads)).stop()

    def compile_peers(self, case, threads, folder, row):
        """Each in a process of its own: cold, then from the cache that the first has filled."""
        for name in case.peers:
            cache = {"TORCHINDUCTOR_CACHE_DIR": str(folder / f"{name}-cache")}
            facts = []
            for shapes in (True, False):
                worker = Worker([self.python, str(HERE / "worker.py"), name], threads, cache,
                                self.log)
                try:
                    facts.append(worker.ask({"do": "compile", "spec": case.spec,
                                             "folder": str(folder), "threads": threads,
                                             "shapes": shapes}, 900))
                except Failed as why:
                    row["peers"][name] = {"failed": str(why)}
                    break
                finally:
                    worker.stop()
            else:
                row["peers"][name] = {**facts[0], "cached_compile_ms": facts[1]["compile_ms"]}

    def time(self, ours, threads, row):
        turns = {"ours": lambda: ours.ask("run")["ms"]}
        for name, facts in row["peers"].items():
            if "failed" not in facts:
                worker = self.peers[name, threads]
                turns[name] = lambda worker=worker: worker.ask({"do": "run"})["ms"]
        samples, failed = take_turns(turns, self.budget)
        if "ours" in failed:
            raise Failed(failed["ours"])
        row["ours"].update(summary(samples["ours"]))
        for name in set(turns) - {"ours"}:
            if name in failed:
                row["peers"][name] = {"failed": failed[name]}
            else:
                row["peers"][name].update(summary(samples[name]))
        compare(row)


def compare(row):
    """Adds the best peer that computes the same, and the ratio to it."""
    times = {name: facts["ms"] for name, facts in row["peers"].items()
             if name in cases.SAME and "ms" in facts}
    if times:
        row["best"] = min(times, key=times.get)
        row["ratio"] = times[row["best"]] / row["ours"]["ms"]


def failures(row):
    """[(who, why)] of what could not be measured."""
    found = [("ours", row["failed"])] if "failed" in row else []
    return found + [(name, facts["failed"]) for name, facts in row["peers"].items()
                    if "failed" in facts]
