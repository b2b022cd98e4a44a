"""A saved language model, run from C, writes what char-lm writes.

usage: check_generate.py CHAR-LM GENERATE
"""
import os
import subprocess
import sys
import tempfile

CHAR_LM, GENERATE = sys.argv[1:3]
MODEL = ["--layers=2", "--dim=16", "--context=32", "--window=4", "--rank=4", "--batch=4",
         "--steps=8", "--threads=1", "--plain"]
PROMPT, LENGTH = "abc", 80  # beyond the context


def run(*command):
    done = subprocess.run(command, capture_output=True, timeout=300)
    assert done.returncode == 0 and not done.stderr, (command, done.returncode, done.stderr)
    return done.stdout


with tempfile.TemporaryDirectory() as folder:
    os.environ["AFT_CACHE_DIR"] = os.path.join(folder, "cache")
    data = os.path.join(folder, "data.txt")
    with open(data, "wb") as file:
        file.write(b"abcabd efg " * 2000)
    for mixer in ("local", "simple", "full", "conv"):
        directory, artifact = os.path.join(folder, mixer), os.path.join(folder, mixer + ".so")
        run(CHAR_LM, "train", f"--data={data}", f"--model-dir={directory}", f"--mixer={mixer}",
            *MODEL)
        run(CHAR_LM, "save", f"--model-dir={directory}", f"--output={artifact}", "--threads=1")
        expected = run(CHAR_LM, "generate", f"--model-dir={directory}", f"--prompt={PROMPT}",
                       f"--length={LENGTH}", "--temperature=0", "--threads=1")
        os.environ["AFT_NUM_THREADS"] = "1"
        found = PROMPT.encode() + run(GENERATE, artifact, PROMPT, str(LENGTH), "0")
        assert found == expected, (mixer, expected, found)
        assert len(found) == len(PROMPT) + LENGTH + 1
        print("ok  ", mixer)
