"""Configures a build without LibTorch, in which nothing may ask for it: neither what is built nor
the Python programs that tests run. Building it is for whoever has no LibTorch.

Usage: check_without_torch.py BUILD
"""
import json
import re
import sys

import harness
from harness import run


def main():
    build = harness.Build(sys.argv[1], "without-torch")
    folder = build.work / "build"
    # As this one, but for what LibTorch's own files say.
    same = [f"-D{name}={build.cache[name]}" for name in
            ("CMAKE_BUILD_TYPE", "CMAKE_C_COMPILER", "CMAKE_CXX_COMPILER", "MLIR_DIR", "AFT_PYTHON")]
    run("cmake", "-S", build.source, "-B", folder, "-G", "Ninja", "-DAFT_ENABLE_TORCH=OFF",
        "-DCMAKE_DISABLE_FIND_PACKAGE_Torch=ON", *same)
    # Every file that is needed is there or made.
    run("cmake", "--build", folder, "--", "-n")
    rules = (folder / "build.ninja").read_text()
    for word in ("libtorch", "libc10", "torch/include", "frontends/torch"):
        line = next((line for line in rules.splitlines() if word in line), None)
        assert line is None, f"a build without LibTorch needs {word}: {line[:300]}"
    tests = json.loads(run("ctest", "--test-dir", folder, "--show-only=json-v1"))["tests"]
    assert len(tests) > 30, tests
    for test in tests:
        for argument in test.get("command", []):
            if not argument.endswith(".py"):
                continue
            with open(argument) as file:
                assert not re.search(r"(?m)^(import|from) torch\b", file.read()), \
                    f"test {test['name']} needs LibTorch: {argument}"


main()
