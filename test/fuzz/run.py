"""Runs fuzz targets that are built one after the other. What they find lies in BUILD/test/fuzz/found,
what they learned in BUILD/test/fuzz/corpus. Flags come from AFT_FUZZ_FLAGS too: names of targets
(default: all that are built), -runs=N (default: 1000000), and any flag of libFuzzer.

usage: run.py --build=FOLDER [TARGET...] [-FLAG=VALUE...]
"""
import os
import shlex
import subprocess
import sys

SOURCE = os.path.dirname(os.path.abspath(__file__))
TARGETS = ["json", "manifest", "artifact", "safetensors", "npy", "cache", "program", "exported", "script"]
# Tests whose programs are taken apart; the other seeds are made by fuzz-make-seeds and make_models.py.
PROGRAMS = [os.path.join(SOURCE, "..", folder) for folder in ("dialect", "graph")]
# LibTorch and MLIR are not instrumented: containers that cross over are no overflow. Who allocated
# is asked of an input that was found, not of all: that takes longer than the reader, as filling
# what is allocated does.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_container_overflow=0:detect_leaks=0:malloc_context_size=1:"
                               "quarantine_size_mb=16:max_malloc_fill_size=0",
               "UBSAN_OPTIONS": "print_stacktrace=1"}


def make_seeds(build, seeds, targets):
    subprocess.run([os.path.join(build, "test", "fuzz-make-seeds"), seeds, *PROGRAMS], check=True)
    if {"exported", "script"} & set(targets):
        subprocess.run([sys.executable, os.path.join(SOURCE, "make_models.py"), seeds], check=True)


def run(build, target, flags):
    place = os.path.join(build, "test", "fuzz")
    corpus, found = os.path.join(place, "corpus", target), os.path.join(place, "found")
    seeds = os.path.join(place, "seeds", target)
    regressions = os.path.join(SOURCE, "regressions", target)
    dictionary = os.path.join(SOURCE, target + ".dict")
    for folder in (corpus, found):
        os.makedirs(folder, exist_ok=True)
    command = [os.path.join(build, "test", "fuzz-" + target), corpus, seeds,
               *([regressions] if os.path.isdir(regressions) else []),
               *(["-dict=" + dictionary] if os.path.exists(dictionary) else []),
               f"-artifact_prefix={found}/{target}-", "-timeout=60", "-rss_limit_mb=6000",
               "-print_final_stats=1", *flags]
    return subprocess.run(command, env={**os.environ, **ENVIRONMENT}, cwd=found).returncode


def main():
    arguments = sys.argv[1:] + shlex.split(os.environ.get("AFT_FUZZ_FLAGS", ""))
    build = next(a[len("--build="):] for a in arguments if a.startswith("--build="))
    chosen = [a for a in arguments if not a.startswith("-")]
    flags = [a for a in arguments if a.startswith("-") and not a.startswith("--build=")]
    if not any(a.startswith("-runs=") for a in flags):
        flags.append("-runs=1000000")
    unknown = set(chosen) - set(TARGETS)
    if unknown:
        sys.exit(f"run.py: expected any of {', '.join(TARGETS)}, found {', '.join(unknown)}")
    built = [t for t in TARGETS if os.path.exists(os.path.join(build, "test", "fuzz-" + t))]
    targets = [t for t in TARGETS if t in (chosen or built)]
    absent = [t for t in targets if t not in built]
    if absent or not targets:
        sys.exit("run.py: not built yet: " + " ".join("fuzz-" + t for t in absent or TARGETS))
    make_seeds(build, os.path.join(build, "test", "fuzz", "seeds"), targets)
    failed = [target for target in targets if run(build, target, flags) != 0]
    if failed:
        sys.exit("run.py: findings in " + ", ".join(failed))


main()
