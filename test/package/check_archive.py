"""Makes the .tar.gz, unpacks it and uses it.

Usage: check_archive.py BUILD C-COMPILER
"""
import sys
import tarfile

import harness
from harness import expect, packed_runpath, run


def use_torch(tree, libraries, build):
    """LibTorch is loaded already where the library is: in Python, and in programs that link it."""
    code = (f"import torch; torch.ops.load_library('{tree}/{libraries}/libaft_torch.so'); "
            "print(torch.ops.aft.simple(*[torch.zeros(1, 2, 3)] * 3).shape)")
    expect(run(build.cache["AFT_PYTHON"], "-c", code), "[1, 2, 3]")
    path = f"{build.cache['Torch_DIR']}/../../../lib"
    expect(run(tree / "bin" / "aftc", "--list-operators", LD_LIBRARY_PATH=path), "aten::add")


def main():
    build = harness.Build(sys.argv[1], "archive")
    run("cpack", "-G", "TGZ", "-B", build.work, "--config", build.folder / "CPackConfig.cmake")
    archives = list(build.work.glob("*.tar.gz"))
    assert len(archives) == 1, archives
    with tarfile.open(archives[0]) as archive:
        archive.extractall(build.work / "unpacked")
    tree = build.work / "unpacked" / archives[0].name.removesuffix(".tar.gz")
    libraries = build.cache["CMAKE_INSTALL_LIBDIR"]
    harness.check_names(tree, [build.source, build.folder], [])
    harness.check_runpaths(tree, libraries, packed_runpath(build), packed=True)

    harness.use_programs(tree)
    artifact = harness.use_artifact(tree, build.work)
    program = harness.build_by_pkg_config(tree, libraries, build.work, sys.argv[2])
    three = f"{build.version}: 2 4 6\n"
    assert run(program, artifact, LD_LIBRARY_PATH=str(tree / libraries)) == three
    harness.build("graph", build.work / "graph", tree)
    text = run(build.work / "graph" / "main", build.work / "graph" / "double.so")
    assert text == "2 4 6\n2 4 6\n", text
    if build.torch:
        use_torch(tree, libraries, build)


main()
