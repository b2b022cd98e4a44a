"""Installs the build, moves the tree, and uses each component from outside.

Usage: check_install.py BUILD
"""
import sys

import harness
from harness import expect, run


def expected_files(build, libraries):
    version, short = build.version, build.version.rsplit(".", 1)[0]
    names = [f"bin/{name}" for name in harness.PROGRAMS]
    names += [f"share/man/man1/{name}.1" for name in harness.PROGRAMS]
    names += [f"{libraries}/libaft_{name}" for name in
              ("runtime.so", "runtime.so.1", f"runtime.so.1.{version}", "compiler.so",
               f"compiler.so.{short}", f"compiler.so.{version}")]
    names += [f"include/aft/{name}.h" for name in
              ("abi", "aft", "export", "graph", "profile", "program", "report")]
    names += [f"{libraries}/cmake/AFT/AFT{name}.cmake" for name in
              ("Config", "ConfigVersion", "-runtime", "-compiler", "-dialect")]
    names += [f"{libraries}/pkgconfig/aft-runtime.pc", "include/aft-mlir/dialect/ir/AFT.h",
              "include/aft-mlir/dialect/ir/AFTOps.h.inc", "share/doc/aft/README.md"]
    if build.torch:
        names += [f"bin/{name}" for name in harness.TORCH_PROGRAMS]
        names += [f"share/man/man1/{name}.1" for name in harness.TORCH_PROGRAMS]
        names += [f"{libraries}/libaft_{name}" for name in
                  ("torch.so", f"torch.so.{short}", f"torch.so.{version}", "import.so")]
        names += ["include/aft/nn.h", "include/aft/torch.h",
                  f"{libraries}/cmake/AFT/AFT-torch.cmake"]
    return names


def check_refusals(build, tree):
    """What find_package says where something is missing."""
    text = harness.configure("missing", build.work / "unknown", tree, "-DPARTS=runtime;cuda",
                             status=1)
    expect(text, "AFT component cuda: there is no such component")
    text = harness.configure("missing", build.work / "version", tree, "-DWANTED=9.1",
                             "-DPARTS=runtime", status=1)
    expect(text, '"9.1"', f"version: {build.version}")
    text = harness.configure("missing", build.work / "optional", tree, "-DPARTS=runtime",
                             "-DMAYBE=cuda")
    expect(text, "runtime: TRUE, cuda: FALSE")
    if build.torch:
        targets = next(tree.glob("lib*/**/AFT-torch.cmake"))
        away = targets.rename(targets.with_suffix(".away"))
        text = harness.configure("missing", build.work / "no-torch", tree, "-DPARTS=torch",
                                 status=1)
        away.rename(targets)
        expect(text, "AFT component torch: it is not installed in", "package aft-torch")


def main():
    build = harness.Build(sys.argv[1], "install")
    first, tree = build.work / "first", build.work / "moved tree"
    run("cmake", "--install", build.folder, "--prefix", first)
    first.rename(tree)
    libraries = build.cache["CMAKE_INSTALL_LIBDIR"]

    found = set(harness.files(tree))
    missing = [name for name in expected_files(build, libraries) if name not in found]
    assert not missing, f"not installed: {missing}"
    runpath = build.cache["AFT_INSTALLED_RUNPATH"].replace(";", ":")
    harness.check_names(tree, [build.source, build.folder, first], [runpath])
    harness.check_runpaths(tree, libraries, ":" + runpath)

    harness.use_programs(tree)
    artifact = harness.use_artifact(tree, build.work)
    three = f"{build.version}: 2 4 6\n"
    harness.build("runtime", build.work / "runtime", tree)
    assert run(build.work / "runtime" / "main", artifact) == three
    program = harness.readme_program(build.source, "aft/graph.h", build.work)
    harness.build("graph", build.work / "graph", tree, f"-DREADME_PROGRAM={program}")
    assert run(build.work / "graph" / "readme") == "0.731059\n"
    text = run(build.work / "graph" / "main", build.work / "graph" / "double.so")
    assert text == "2 4 6\n2 4 6\n", text
    source = harness.OUTSIDE.parent.parent / "inputs" / "Plugin.cpp"
    harness.build("plugin", build.work / "plugin", tree, f"-DPLUGIN_SOURCE={source}")
    expect(run(tree / "bin" / "aft-opt", f"--load-pass-plugin={build.work}/plugin/libplugin.so",
               "--pass-pipeline=builtin.module(test-count-mixers)",
               harness.OUTSIDE / "plugin" / "mixer.mlir"), "mixers: 1")
    check_refusals(build, tree)
    if build.torch:
        program = harness.readme_program(build.source, "aft/torch.h", build.work)
        harness.build("torch", build.work / "torch", tree, f"-DREADME_PROGRAM={program}",
                      f"-DTorch_DIR={build.cache['Torch_DIR']}")
        run(build.work / "torch" / "readme")
        expect(run(build.work / "torch" / "main"), "error below 1e-5: 1")
        expect(run(tree / "bin" / "char-lm", "--help"), "train")
        expect(run(tree / "bin" / "aft-bench", "--list"), "full")
        # libaft_import is found, too.
        expect(run(tree / "bin" / "aftc", "--list-operators"), "aten::add")


main()
