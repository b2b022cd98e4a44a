"""Gives every bad array to aft-run as first input, compiled and with --reference.

Usage: bad_arrays.py AFT-RUN PROGRAM FOLDER. Prints one line per array: its name and
what is said of it. Exit status 1 and one line of message are expected each time.
"""
import os
import subprocess
import sys

NAMES = ("absent ints half big-endian fortran folder pipe truncated truncated-header nothing no-npy version "
         "huge-header huge-shape large-extent large-promise negative no-shape no-descr no-order "
         "odd-key odd-end narrow flat").split()

tool, program, folder = sys.argv[1:]
for name in NAMES:
    path = os.path.join(folder, name + ".npy")
    said = []
    for mode in [[], ["--reference"]]:
        done = subprocess.run(
            [tool, program, f"--input={path}", f"--input={folder}/bias.npy"] + mode,
            capture_output=True, text=True, timeout=60)
        lines = done.stderr.splitlines()
        if done.returncode != 1 or len(lines) != 1:
            sys.exit(f"{name} {mode}: exit status {done.returncode}, {done.stderr}")
        said.append(lines[0].removeprefix("aft-run: error: ").removeprefix(path + ": "))
    print(f"{name}.npy: {said[0]}")
    if said[1] != said[0]:
        print(f"{name}.npy, reference: {said[1]}")
