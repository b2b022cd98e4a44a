"""Runs an artifact in a root folder that has nothing but the artifact, libaft_runtime, a C program
and the system's C and C++ libraries: no LLVM, no LibTorch, no shell.

Usage: check_minimal.py BUILD LOAD-ARTIFACTS. Exit status 77: another root may not be had here.
"""
import os
import re
import shutil
import subprocess
import sys

import harness
from harness import expect, run


def libraries_of(program):
    """What the loader finds for a program, itself too: names to paths."""
    found = dict(re.findall(r"(\S+) => (/\S+)", run("ldd", program)))
    loader = re.search(r"^\s*(/\S*ld-linux\S*)", run("ldd", program), re.M)[1]
    return found, loader


def call_within(root, loader, mount):
    """Exit status and output; as root of a user namespace where this user is not root."""
    command = f"mount -t proc proc {root}/proc && " if mount else ""
    command += f"exec chroot {root} {loader} --library-path /lib /program"
    namespaces = ["--mount", "--pid", "--fork"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    done = subprocess.run(["unshare", *namespaces, "sh", "-c", command], input="/model.so\n", text=True,
                          capture_output=True, env=harness.environment(), timeout=120)
    return done.returncode, done.stdout + done.stderr


def main():
    build, program = harness.Build(sys.argv[1], "minimal"), sys.argv[2]
    root = build.work / "root"
    for folder in ("lib", "proc"):
        (root / folder).mkdir(parents=True)
    found, loader = libraries_of(program)
    for name, path in found.items():
        assert re.match(r"lib(aft_runtime|c|m|stdc\+\+|gcc_s|pthread|dl)\.so", name), \
            f"what runs artifacts needs {name}"
        shutil.copy(path, root / "lib" / name)
    shutil.copy(loader, root / "lib" / "loader")
    shutil.copy(program, root / "program")
    run(build.folder / "bin" / "aftc", harness.OUTSIDE / "graph" / "double.mlir", "-o", root / "model.so")
    needed = harness.dynamic(root / "model.so").get("NEEDED", [])
    assert all(re.match(r"lib[cm]\.so", name) for name in needed), needed

    status, text = call_within(root, "/lib/loader", mount=True)
    if status != 0 and re.search(r"unshare|mount|chroot", text):
        print("another root may not be had here:", text)
        sys.exit(77)
    assert status == 0 and text.startswith("taken "), text
    status, text = call_within(root, "/lib/loader", mount=False)
    assert status == 0, text
    expect(text, "refused 7 /model.so: expected /proc, through which its code is loaded from memory, "
                 "found none mounted there")


main()
