"""Makes the Debian packages, reads what they say of themselves and uses what they hold.

Usage: check_deb.py BUILD
"""
import gzip
import os
import pathlib
import re
import shutil
import sys

import harness
from harness import expect, packed_runpath, run


def control_of(package):
    """The fields of a package; those of several lines with all of them."""
    text = run("dpkg-deb", "--field", package)
    return {name: value.strip() for name, value in
            re.findall(r"(?m)^([\w-]+): (.*(?:\n .*)*)", text)}


def depends(control):
    """Name to version, for each package that is asked for."""
    return {re.match(r"[\w.+-]+", part)[0]: part for part in control["Depends"].split(", ")}


def check_controls(packages, build):
    same = f"(= {build.version})"
    for name, (path, control) in packages.items():
        assert control["Package"] == name and control["Version"] == build.version, control
        assert re.fullmatch(r".+ <.+@.+>", control["Maintainer"]), control
        assert control["Description"].count("\n ") >= 1, control["Description"]
        assert all(len(line) <= 80 for line in control["Description"].splitlines()), control
        libraries = "lib/libaft_" in run("dpkg-deb", "--contents", path) and "-dev" not in name
        triggers = run("dpkg-deb", "--info", path, "triggers") if libraries else ""
        assert not libraries or triggers == "activate-noawait ldconfig\n", triggers
        assert control["Section"] in ("libs", "libdevel", "devel"), control
        assert int(control["Installed-Size"]) > 0
        for line in run("dpkg-deb", "--contents", path).splitlines():
            assert re.search(r" root/root .* \./($|usr/)", line), f"{name}: {line}"
    runtime = depends(packages["libaft-runtime1"][1])
    assert set(runtime) <= {"libc6", "libstdc++6", "libgcc-s1"}, runtime
    expect(depends(packages["libaft-runtime-dev"][1])["libaft-runtime1"], same)
    compiler = depends(packages["aft-compiler"][1])
    for wanted in ("libmlir-19", "libllvm19", "libc6", "libstdc++6"):
        assert wanted in compiler, compiler
    expect(compiler["libaft-runtime1"] + compiler["libaft-runtime-dev"], same)
    expect(compiler["lld-19"], "| binutils")
    if build.torch:
        expect(depends(packages["aft-torch"][1])["aft-compiler"], same)


def check_documents(packages, build):
    """What each package says of its licence and its changes."""
    license = pathlib.Path(build.source) / "LICENSE"
    wanted = license.read_text() if license.exists() else "No licence has been granted"
    for name, (path, control) in packages.items():
        folder = build.work / "documents" / name
        folder.parent.mkdir(exist_ok=True)
        run("dpkg-deb", "--extract", path, folder)
        documents = folder / "usr/share/doc" / name
        expect((documents / "copyright").read_text(), wanted, control["Maintainer"])
        with gzip.open(documents / "changelog.gz", "rt") as file:
            changes = file.read()
        assert re.match(rf"aft \({re.escape(build.version)}\) unstable; urgency=medium\n\n  \* .+\n"
                        rf"\n -- {re.escape(control['Maintainer'])}  \w{{3}}, \d\d \w{{3}} \d{{4}} ",
                        changes), changes


def check_lintian(packages):
    """Where lintian is, it finds no error but the placeholder of a maintainer."""
    if not shutil.which("lintian"):
        return
    found = run("lintian", "--allow-root", "--fail-on", "none", *[path for path, _ in packages.values()])
    errors = [line for line in found.splitlines() if line.startswith("E:") and "bogus-mail-host" not in line]
    assert not errors, errors


def unpack(packages, build):
    """All packages in one root: by dpkg where that may be, which also finds files that are in
    two packages, and else by hand."""
    root = build.work / "root"
    paths = [path for path, _ in packages.values()]
    if os.geteuid() != 0:
        for path in paths:
            run("dpkg-deb", "--extract", path, root)
        return root
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    # Configured they are not: the scripts call ldconfig, which that root does not have.
    run("dpkg", f"--root={root}", "--force-depends", "--unpack", *paths,
        PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    expect(run("dpkg", f"--root={root}", "--status", "aft-compiler"), "install ok unpacked")
    return root


def main():
    build = harness.Build(sys.argv[1], "deb")
    text = run("cpack", "-G", "DEB", "-B", build.work, "--config",
               build.folder / "CPackConfig.cmake")
    if "localhost" in build.cache["AFT_MAINTAINER"]:
        expect(text, "AFT developers <aft@localhost>", "-DAFT_MAINTAINER=")
    packages = {}
    for path in build.work.glob("*.deb"):
        control = control_of(path)
        packages[control["Package"]] = path, control
    names = {"libaft-runtime1", "libaft-runtime-dev", "aft-compiler"}
    names |= {"aft-torch"} if build.torch else set()
    assert set(packages) == names, packages
    check_controls(packages, build)
    check_documents(packages, build)
    check_lintian(packages)

    tree = unpack(packages, build) / "usr"
    libraries = build.cache["CMAKE_INSTALL_LIBDIR"]
    harness.check_names(tree, [build.source, build.folder], [])
    harness.check_runpaths(tree, libraries, packed_runpath(build), packed=True)
    for name in harness.PROGRAMS + (harness.TORCH_PROGRAMS if build.torch else ()):
        with gzip.open(tree / f"share/man/man1/{name}.1.gz", "rt") as file:
            expect(file.read(), name.replace("-", r"\-"), build.version)
    harness.use_programs(tree)
    artifact = harness.use_artifact(tree, build.work)
    harness.build("runtime", build.work / "runtime", tree)
    assert run(build.work / "runtime" / "main", artifact) == f"{build.version}: 2 4 6\n"


main()
