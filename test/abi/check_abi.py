"""Compares what the libraries and public headers offer with what is recorded beside this file.

Usage: check_abi.py [--record] BUILD CLANG [FOLDER]

FOLDER: of the lists; default: that of this file.
symbols-LIBRARY.txt: a line per public symbol, with its version: AFT_1 for the C API, AFT_0.1 for
C++. layouts-LIBRARY.txt: sizes, alignments and offsets of the public records, the virtual functions
of public classes and the enumerators, in order. On x86-64 Linux.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
HEADERS = {"runtime": ["runtime/include/aft"],
           "compiler": ["runtime/include/aft", "frontends/builder/include/aft"],
           "torch": ["frontends/torch/include/aft"]}
ADVICE = """
If this is meant, record it: `cmake --build build --target record-abi`, and commit test/abi.
What is only added needs no more; of aft/aft.h it raises AFT_API_VERSION there.
What is removed or changed breaks programs that are compiled already:
  AFT_1 and records named aft_*    raise AFT_C_ABI in CMakeLists.txt, which is the SONAME of
                                   libaft_runtime; of aft/abi.h also AFT_ABI_VERSION there
  all else                         raise MINOR of the project's version in CMakeLists.txt, which
                                   AFT_CXX_ABI and the SONAMEs of the other libraries follow
"""


def output(*command, given=None):
    return subprocess.run([str(word) for word in command], check=True, text=True, input=given,
                          stdout=subprocess.PIPE).stdout


def demangle(lines):
    return output("c++filt", given="\n".join(lines)).splitlines() if lines else []


def exported(library):
    """(version, symbol) of all that a library defines for others."""
    found = []
    for line in output("nm", "-D", "--defined-only", "--with-symbol-versions",
                       library).splitlines():
        kind, name = line.split()[-2:]
        symbol, _, version = name.partition("@")
        if kind != "A":  # the versions themselves
            found.append((version.lstrip("@"), symbol))
    return sorted(found)


def declared(component):
    """The names that carry AFT_API in the headers of a component."""
    names = set()
    for folder in HEADERS[component]:
        for header in (SOURCE / folder).glob("*.h"):
            text = header.read_text()
            names |= set(re.findall(r"\bclass AFT_API (\w+)", text))
            names |= set(re.findall(r"(?m)^AFT_API [^;(]*?(\w+)\(", text))
    return names


def check_versions(component, symbols):
    """What has no place in the lists: symbols without a version, public ones that exports.map.in
    leaves to AFT_INTERNAL."""
    wrong = [f"{symbol} has no version" for version, symbol in symbols
             if not version.startswith("AFT_")]
    names = declared(component)
    for plain in demangle([symbol for version, symbol in symbols
                           if version.startswith("AFT_INTERNAL")]):
        match = re.match(r"(?:(?:vtable|typeinfo|typeinfo name) for )?aft::(?:nn::)?(\w+)"
                         r"(?:::|\(|\[|$)", plain)
        if match and match[1] in names:
            wrong.append(f"{plain} carries AFT_API and is not in exports.map.in")
    return wrong


def records_of(dump):
    """The records in what clang says of layouts, with their bases and members."""
    found = {}
    for block in dump.split("*** Dumping AST Record Layout")[1:]:
        lines = [line for line in block.splitlines() if "|" in line]
        head = lines[0].split("|", 1)[1].strip()
        match = re.fullmatch(r"(?:struct|class|union) (aft(?:::|_).*)", head)
        if not match or re.search(r"detail::|lambda|<|Impl::|::Impl\b", head):
            continue
        members = []
        for line in lines[1:]:
            offset, text = line.split("|", 1)
            depth = len(text) - len(text.lstrip())
            if depth == 3:
                members.append(f"  {offset.strip():>4}  {text.strip()}")
            elif text.strip().startswith("[sizeof"):
                size = re.search(r"sizeof=(\d+),.*?\balign=(\d+)", text)
                members.append(f"  size {size[1]}, alignment {size[2]}")
                break
        found[match[1]] = members
    return found


def vtables_of(dump):
    """The virtual functions, in order, of the classes of AFT in what clang says of vtables."""
    found = {}
    for block in re.split(r"(?m)^(?=Vtable for )", dump)[1:]:
        name = re.match(r"Vtable for '([^']+)'", block)[1]
        lines = re.findall(r"(?m)^ +\d+ \| (.*)$", block.split("\n\n")[0])
        if re.match(r"aft::", name) and "::Impl" not in name:
            found[f"{name}, virtual functions"] = [f"  {number:>4}  {line}"
                                                   for number, line in enumerate(lines)]
    return found


def enums_of(folders):
    found = {}
    for folder in folders:
        for header in sorted((SOURCE / folder).glob("*.h")):
            text = re.sub(r"/\*.*?\*/|//[^\n]*", "", header.read_text(), flags=re.S)
            for name, body in re.findall(r"\benum (?:class )?(\w+)[^{;]*\{([^}]*)\}", text):
                items = [item.strip() for item in body.split(",") if item.strip()]
                found[f"enum {name}"] = [f"  {number:>4}  {item}"
                                         for number, item in enumerate(items)]
    return found


def compiler_says(component, build, clang):
    """What clang says of the layouts that the headers of a component add. For torch in the words
    of the build's own command, whose precompiled header makes it quick."""
    if component == "torch":
        source = HERE / "layouts-torch.cpp"
        entries = json.loads((build / "compile_commands.json").read_text())
        words = next(shlex.split(entry["command"]) for entry in entries
                     if entry["file"].endswith("frontends/torch/capture/Compile.cpp"))
        flags = words[1:words.index("-o")]
    else:
        source = HERE / "layouts.cpp"
        flags = ["-std=c++20"] + [f"-I{SOURCE / folder / '..'}" for folder in HEADERS[component]]
    questions = [word for name in ("-disable-llvm-passes", "-fdump-record-layouts-complete",
                                   "-fdump-vtable-layouts") for word in ("-Xclang", name)]
    return output(clang, *flags, "-S", "-emit-llvm", "-o", "/dev/null", *questions, source)


def layouts(component, build, clang):
    """Lines of layouts-COMPONENT.txt."""
    dump = compiler_says(component, build, clang)
    found = {**records_of(dump), **vtables_of(dump), **enums_of(HEADERS[component])}
    return [line for name in sorted(found) for line in [name] + found[name]]


def difference(recorded, found):
    """What was removed and added, line by line; of layouts with the record's name."""
    def named(lines):
        name, result = "", []
        for line in lines:
            if not line.startswith("  "):
                name = line
            result.append(line if line == name else f"{name}: {line.strip()}")
        return result
    before, after = named(recorded), named(found)
    return ([f"removed  {line}" for line in before if line not in after] +
            [f"added    {line}" for line in after if line not in before])


def tables_of(build, clang, problems):
    """The lists by their files' names."""
    tables = {}
    for name in HEADERS:
        library = build / f"lib/libaft_{name}.so"
        if library.exists():  # LibTorch may be left out
            symbols = exported(library)
            problems += [f"libaft_{name}: {text}" for text in check_versions(name, symbols)]
            tables[f"symbols-{name}.txt"] = [f"{version} {symbol}" for version, symbol in symbols
                                             if not version.startswith("AFT_INTERNAL")]
            if name != "runtime":  # whose headers are the compiler's, too
                tables[f"layouts-{name}.txt"] = layouts(name, build, clang)
    return tables


def main():
    arguments = [word for word in sys.argv[1:] if word != "--record"]
    build, clang = pathlib.Path(arguments[0]), arguments[1]
    lists = pathlib.Path(arguments[2]) if len(arguments) > 2 else HERE
    problems = []
    for name, lines in tables_of(build, clang, problems).items():
        if "--record" in sys.argv:
            (lists / name).write_text("\n".join(lines) + "\n")
        changes = difference((lists / name).read_text().splitlines(), lines)
        problems += [f"{name}: {change}" for change in demangle(changes)]
    if problems:
        sys.exit("The interface is not the recorded one:\n" + "\n".join(problems) + "\n" + ADVICE)


main()
