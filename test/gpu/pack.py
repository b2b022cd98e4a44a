"""Packs what run_gpu.py needs on a machine with a GPU: pack.py BUILD-FOLDER OUT.tar.gz

Programs, our libraries and all that these need but libc and LibTorch, which the machine's
Python has; stripped. With --folder the folder stays unpacked at OUT.
"""
import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent
PROGRAMS = ("aft-run", "aftc", "aft-opt", "aft-bench", "char-lm")
FILES = ("test/gpu/*.py", "test/bench/*.py", "test/e2e/check_cuda.py",
         "test/nvvm/*machine.py",
         "test/inputs/language-model.mlir")
# Of the system: they belong together with its dynamic linker.
SYSTEM = re.compile(r"(linux-vdso|ld-linux.*|libc|libm|libpthread|libdl|librt)\.so.*")
TORCH = re.compile(r"lib(torch.*|c10.*|gomp.*|shm.*)\.so.*")


def libraries(files, build):
    """Names and paths of what the dynamic linker loads for these files."""
    found = {}
    for file in files:
        done = subprocess.run(["ldd", file], capture_output=True, text=True, check=True,
                              env={"LD_LIBRARY_PATH": str(build / "lib")})
        for name, path in re.findall(r"^\s*(\S+) => (\S+)", done.stdout, re.M):
            if SYSTEM.fullmatch(name) or TORCH.fullmatch(name):
                continue
            if path == "not":
                sys.exit(f"pack.py: {file} needs {name}, which is not found")
            found[name] = path
    return found


def fill(folder, build):
    programs = [build / "bin" / name for name in PROGRAMS if (build / "bin" / name).exists()]
    if not programs:
        sys.exit(f"pack.py: no programs in {build / 'bin'}")
    (folder / "bin").mkdir(parents=True)
    (folder / "lib").mkdir()
    for program in programs:
        shutil.copy(program, folder / "bin")
    for name, path in libraries(programs, build).items():
        shutil.copy(path, folder / "lib" / name)
    for file in [*(folder / "bin").iterdir(), *(folder / "lib").iterdir()]:
        file.chmod(0o755)
        subprocess.run(["strip", "--strip-unneeded", file], check=True)
    for pattern in FILES:
        for path in SOURCE.glob(pattern):
            target = folder / path.relative_to(SOURCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--folder", action="store_true")
    args = parser.parse_args(argv)
    if args.folder:
        return fill(args.out, args.build.resolve())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "aft-gpu"
        fill(folder, args.build.resolve())
        with tarfile.open(args.out, "w:gz", compresslevel=6) as archive:
            archive.add(folder, "aft-gpu")
    print(f"{args.out}: {args.out.stat().st_size >> 20} MiB; on the machine with the GPU:\n"
          f"  tar xzf {args.out.name} && python3 aft-gpu/test/gpu/run_gpu.py --out=result.json")


if __name__ == "__main__":
    main(sys.argv[1:])
