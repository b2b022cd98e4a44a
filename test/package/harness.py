"""What the tests of packages share: installed trees and outside projects that use them."""
import os
import pathlib
import re
import shutil
import subprocess

OUTSIDE = pathlib.Path(__file__).resolve().parent / "outside"
PROGRAMS = ("aftc", "aft-run", "aft-opt", "aft-reduce", "aft-lsp-server")
TORCH_PROGRAMS = ("aft-bench", "char-lm")


class Build:
    """The build tree: BUILD, its CMake cache and a folder for a test's files, made anew."""

    def __init__(self, folder, name):
        self.folder = pathlib.Path(folder).resolve()
        self.work = self.folder / "test" / "package" / name
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        text = (self.folder / "CMakeCache.txt").read_text()
        self.cache = dict(re.findall(r"(?m)^([A-Za-z_]+):[A-Z]+=(.*)$", text))
        self.source = self.cache["CMAKE_HOME_DIRECTORY"]
        self.torch = self.cache["AFT_ENABLE_TORCH"] == "ON"
        self.version = self.cache["CMAKE_PROJECT_VERSION"]


def environment(**changes):
    """Programs start without what would help them to find libraries, and without a cache."""
    result = {name: value for name, value in os.environ.items()
              if name not in ("LD_LIBRARY_PATH", "CMAKE_PREFIX_PATH", "PKG_CONFIG_PATH")}
    return {**result, "AFT_CACHE_DIR": "", **changes}


def run(*command, status=0, cwd=None, **changes):
    """The output of a command, standard error too, which must end with `status`."""
    command = [str(word) for word in command]
    result = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, stdin=subprocess.DEVNULL, env=environment(**changes))
    assert result.returncode == status, \
        f"{' '.join(command)}: exit status {result.returncode}, expected {status}\n{result.stdout}"
    return result.stdout


def expect(text, *parts):
    for part in parts:
        assert part in text, f"expected {part!r} in\n{text}"


def files(tree):
    """Relative names of all files and links."""
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*")
                  if path.is_symlink() or not path.is_dir())


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def dynamic(path):
    """The dynamic section of an ELF file: its tags, each with its values."""
    found = {}
    for tag, value in re.findall(r"\((\w+)\)[^\[\n]*\[(.*)\]", run("readelf", "-d", path)):
        found.setdefault(tag, []).append(value)
    return found


def check_names(tree, forbidden, runpaths):
    """No file names a forbidden folder, but for the RUNPATHs in `runpaths`."""
    for name in files(tree):
        path = tree / name
        if path.is_symlink():
            assert not os.path.isabs(os.readlink(path)), f"{name} is a link to {os.readlink(path)}"
            continue
        data = path.read_bytes()
        for runpath in runpaths:
            data = data.replace(runpath.encode(), b"")
        for folder in forbidden:
            place = data.find(str(folder).encode())
            assert place < 0, f"{name} names {folder}: {data[max(0, place - 80):place + 120]}"


def check_runpaths(tree, libraries, extra, packed=False):
    """RUNPATHs are relative, but for `extra` (where it is packed: of what uses LLVM); what runs artifacts needs no
    other library."""
    for name in files(tree):
        path = tree / name
        if path.is_symlink() or not is_elf(path):
            continue
        found = dynamic(path)
        llvm = any(needed.startswith(("libMLIR", "libLLVM")) for needed in found["NEEDED"])
        wanted = ["$ORIGIN/../" + libraries + (extra if llvm or not packed else "")]
        if name.startswith(f"{libraries}/libaft_runtime"):
            wanted = []
            for needed in found["NEEDED"]:
                assert re.match(r"(libc|libm|libstdc\+\+|libgcc_s|ld-linux.*)\.so", needed), \
                    f"{name} needs {needed}"
        assert found.get("RUNPATH", []) == wanted, \
            f"{name}: RUNPATH {found.get('RUNPATH')}, expected {wanted}"


def packed_runpath(build):
    """What packages add to their RUNPATHs: folders of the system only."""
    folders = [name for name in build.cache["AFT_PACKED_RUNPATH"].split(";") if name]
    assert all(folder.startswith("/usr/lib") for folder in folders), folders
    return "".join(":" + folder for folder in folders)


def configure(project, folder, tree, *definitions, status=0):
    """Configures an outside project; the package must be that of the tree. The output, in one
    line."""
    text = run("cmake", "-S", OUTSIDE / project, "-B", folder, "-G", "Ninja",
               f"-DCMAKE_PREFIX_PATH={tree}", "-DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF",
               *definitions, status=status)
    if status == 0:
        cache = (folder / "CMakeCache.txt").read_text()
        expect(cache, f"AFT_DIR:PATH={tree}/")
    return " ".join(text.split())


def launcher():
    """What makes CMake use ccache, where it is."""
    ccache = shutil.which("ccache")
    return [f"-DCMAKE_CXX_COMPILER_LAUNCHER={ccache}"] if ccache else []


def build(project, folder, tree, *definitions):
    configure(project, folder, tree, *definitions, *launcher())
    return run("cmake", "--build", folder)


def readme_program(source, header, folder):
    """The first C++ program of the README that includes `header`, as a file."""
    text = (pathlib.Path(source) / "README.md").read_text()
    blocks = [block for block in re.findall(r"```cpp\n(.*?)```", text, re.S) if header in block]
    assert blocks, f"README.md has no program with {header}"
    path = folder / "readme.cpp"
    path.write_text(blocks[0])
    return path


def use_programs(tree):
    """Each program says something true where it lies now."""
    source = OUTSIDE / "graph" / "double.mlir"
    expect(run(tree / "bin" / "aft-opt", source, "-aft-graph"), "arith.addf")
    expect(run(tree / "bin" / "aftc", source, "--compile-to=kernels"), "aft.launch")
    expect(run(tree / "bin" / "aft-reduce", "--help"), "reduction")
    expect(run(tree / "bin" / "aft-lsp-server", "--help"), "LSP")


def use_artifact(tree, folder):
    """An artifact of the tree's aftc."""
    artifact = folder / "double.so"
    run(tree / "bin" / "aftc", OUTSIDE / "graph" / "double.mlir", "-o", artifact)
    expect(run(tree / "bin" / "aft-run", "--inspect", artifact), '"name": "main"')
    return artifact


def build_by_pkg_config(tree, libraries, folder, compiler):
    """The C program without CMake, in the words of the README."""
    path = str(tree / libraries / "pkgconfig")
    flags = run("pkg-config", "--cflags", "--libs", "aft-runtime", PKG_CONFIG_PATH=path).split()
    expect(" ".join(flags), "-laft_runtime")
    run(compiler, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
        OUTSIDE / "runtime" / "main.c", *flags, "-o", folder / "by-pkg-config")
    return folder / "by-pkg-config"
