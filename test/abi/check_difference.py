"""A changed interface is found and explained: check_abi.py with lists that were changed.

Usage: check_difference.py BUILD CLANG
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CHANGES = [  # in a list, what it has, what it gets, what is said
    ("symbols-runtime.txt", "AFT_1 aft_run\n", "AFT_1 aft_walk\n",
     ["symbols-runtime.txt: removed  AFT_1 aft_walk",
      "symbols-runtime.txt: added    AFT_1 aft_run"]),
    ("symbols-compiler.txt", "AFT_0.1 _ZN3aft5GraphD1Ev\n", "",
     ["symbols-compiler.txt: added    AFT_0.1 aft::Graph::~Graph()"]),
    ("layouts-compiler.txt", "aft_buffer\n     0  void * data\n",
     "aft_buffer\n     8  void * data\n",
     ["layouts-compiler.txt: removed  aft_buffer: 8  void * data",
      "layouts-compiler.txt: added    aft_buffer: 0  void * data"]),
    ("layouts-compiler.txt", "enum DType\n     0  f32\n     1  f64\n",
     "enum DType\n     0  f64\n     1  f32\n",
     ["layouts-compiler.txt: added    enum DType: 0  f32"]),
]
ADVICE = ["record-abi", "raise AFT_C_ABI", "raise MINOR", "AFT_API_VERSION", "SONAME"]

with tempfile.TemporaryDirectory() as folder:
    lists = pathlib.Path(folder)
    for path in HERE.glob("*.txt"):
        shutil.copy(path, lists)
    for name, old, new, _ in CHANGES:
        text = (lists / name).read_text()
        assert old in text, f"{name} lacks {old!r}"
        (lists / name).write_text(text.replace(old, new))
    done = subprocess.run([sys.executable, HERE / "check_abi.py", *sys.argv[1:], folder],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 1, done.stdout
    for line in [line for change in CHANGES for line in change[3]] + ADVICE:
        assert line in done.stdout, f"expected {line!r} in\n{done.stdout}"
