# How lit finds and runs the tests of this folder.
import os
import lit.formats

config.name = "AFT"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["fuzz", "inputs", "outside"]
config.environment["PATH"] = os.pathsep.join(
    [config.aft_bin, config.llvm_bin, os.environ.get("PATH", "")])
config.environment["AFT_CACHE_DIR"] = ""
config.substitutions.append(("%python", config.python))
config.substitutions.append(("%inputs", os.path.join(config.test_source_root, "inputs")))
config.substitutions.append(("%project", os.path.dirname(config.test_source_root)))
config.substitutions.append(("%libraries", os.path.join(os.path.dirname(config.aft_bin), "lib")))
config.substitutions.append(("%plugin", config.plugin))
# What links with an instrumented library in C++, and for programs that leak what nobody can free.
sanitize = "-fsanitize=" + config.sanitize if config.sanitize else ""
if "undefined" in config.sanitize:
    sanitize += " -fsanitize-link-c++-runtime -lstdc++"
config.substitutions.append(("%sanitize", sanitize))
config.substitutions.append(
    ("%leaking", "env ASAN_OPTIONS=detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")))
