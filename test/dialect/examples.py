"""Turns the examples of the operations' documentation into a program.

Usage: examples.py PAGE.md [PRINTED]. Each ```mlir block becomes a function of its
own whose arguments are the operands with the types the example gives; a block
with functions becomes a module. Prints the program; with PRINTED, what aft-opt
made of it, checks instead that every operation came out as it was written.
"""
import re
import sys


def split_types(text):
    """The types of a parenthesised list, or of a single type."""
    text = text.strip()
    if text.startswith("("):
        text = text[1:text.rindex(")")]
    types, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "<(") - (char in ">)")
        if char == "," and depth == 0:
            types.append(text[start:i].strip())
            start = i + 1
    return types + [text[start:].strip()] if text.strip() else []


def wrap(name, line):
    operation, types = line.rsplit(" : ", 1)
    operands = types.split(" -> ")[0]
    used = re.findall(r"%\w+", operation.split("=", 1)[1])
    found = split_types(operands)
    if len(used) != len(found):
        sys.exit(f"{name}: {len(used)} operands and {len(found)} types in: {line}")
    arguments = dict(zip(used, found))
    listed = ", ".join(f"{operand}: {kind}" for operand, kind in arguments.items())
    return f"func.func @{name}({listed}) {{\n  {line}\n  return\n}}"


def program(page):
    sections = re.split(r"^#{3,4} `aft\.(\w+)`.*$", page, flags=re.M)[1:]
    if not sections:
        sys.exit("no operation is documented")
    for name, body in zip(sections[::2], sections[1::2]):
        blocks = re.findall(r"^```mlir\n(.*?)^```", body, flags=re.S | re.M)
        if not any("aft." + name + " " in block for block in blocks):
            sys.exit(f"aft.{name} has no example")
        for block in blocks:
            if "func.func" in block:
                yield "module @" + name + " {\n" + block + "}"
            else:
                yield "\n".join(wrap(name, line) for line in block.splitlines())


def operations(text):
    """The aft operations, without the names of values."""
    lines = re.findall(r"= (aft\..*)", text)
    return [re.sub(r"%[\w#]+", "%", line) for line in lines]


def main():
    text = "\n".join(program(open(sys.argv[1]).read()))
    if len(sys.argv) < 3:
        return print(text)
    written, printed = operations(text), operations(open(sys.argv[2]).read())
    if len(written) != len(printed):
        sys.exit(f"{len(written)} operations are written, {len(printed)} printed")
    for one, other in zip(written, printed):
        if one != other:
            sys.exit(f"written: {one}\nprinted: {other}")


main()
