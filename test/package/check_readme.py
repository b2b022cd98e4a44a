"""Does what README.md shows, in its order, with the programs and the package of the build tree.

usage: check_readme.py BUILD
"""
import re
import shlex
import sys

import harness
from harness import expect, run

BLOCK = re.compile(r"(?ms)^```(\w*)\n(.*?)^```")


def without_numbers(text):
    return re.sub(r"\d[\d.e+-]*", "#", text)


def run_line(build, line):
    """A command of the build tree; the output. What follows # is a comment."""
    return run(*shlex.split(line, comments=True), cwd=build.work)


def run_session(build, block):
    """Commands behind $, each followed by what it prints, but for numbers."""
    for part in re.split(r"(?m)^\$ ", block)[1:]:
        command, _, printed = part.partition("\n")
        expect(without_numbers(run_line(build, command)), without_numbers(printed))


def run_python(build, block):
    (build.work / "block.py").write_text(block)
    run(sys.executable, "block.py", cwd=build.work)


def run_programs(build, cmake, programs):
    """C++ programs of the README as one that runs them in turn, built as the README says: linking
    LibTorch takes longer than compiling a few lines more."""
    calls, parts = "", []
    for number, (text, runs) in enumerate(programs):
        parts.append(text.replace("int main()", f"int main{number}()"))
        assert parts[-1] != text, text
        calls += f"  main{number}();\n" if runs else f"  (void)main{number};\n"
    (build.work / "CMakeLists.txt").write_text(cmake)
    (build.work / "mine.cpp").write_text("\n".join(parts) + "\nint main() {\n" + calls + "}\n")
    folder, prefix = build.work / "mine", f"{build.folder};{build.cache['Torch_DIR']}"
    run("cmake", "-S", build.work, "-B", folder, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
        *harness.launcher())
    run("cmake", "--build", folder)
    return run(folder / "mine")


def main():
    build = harness.Build(sys.argv[1], "readme")
    (build.work / "build").symlink_to(build.folder)
    (build.work / "examples").symlink_to(f"{build.source}/examples")
    readme = open(f"{build.source}/README.md").read()
    programs, seen = [], []
    for kind, block in BLOCK.findall(readme):
        needs_torch = "torch" in block or ".pt" in block
        if needs_torch and not build.torch and kind != "cmake":
            continue
        if kind == "python":
            run_python(build, block)
        elif kind == "mlir":
            name = re.match(r"// (\S+\.mlir):", block)[1]
            (build.work / name).write_text(block)
        elif block.startswith("$ "):
            run_session(build, block)
        elif block.startswith("build/bin/"):
            for line in block.splitlines():
                run_line(build, line)
        elif kind == "cpp":
            # Nobody has the weights of GPT-2 here.
            programs.append((block, "gpt2" not in block))
        elif kind == "cmake":
            cmake = block
        else:
            continue
        seen.append(kind)
    for kind in ("mlir", "python", "", "sh", "cpp", "cmake"):
        assert kind in seen, f"README has no block of kind {kind!r} that is checked"
    if build.torch:
        expect(run_programs(build, cmake, programs), "0.731059")


main()
