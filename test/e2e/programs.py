"""Writes small programs on tensors, for the end-to-end tests.

A Value is an SSA name with its extents: numbers, or the SSA names of indices.
"""
import numpy as np

ELEMENT = {"f32": np.float32, "f64": np.float64, "bf16": np.float32, "i32": np.int32,
           "i64": np.int64, "i1": np.bool_}


class Value:
    def __init__(self, name, dims, element):
        self.name, self.dims, self.element = name, list(dims), element

    @property
    def type(self):
        return tensor(self.dims, self.element)

    @property
    def rank(self):
        return len(self.dims)


def tensor(dims, element):
    return "tensor<" + "".join(f"{d if isinstance(d, int) else '?'}x" for d in dims) + element + ">"


def dims_map(loops, which):
    names = [f"d{i}" for i in range(loops)]
    return f"affine_map<({', '.join(names)}) -> ({', '.join(names[i] for i in which)})>"


class Program:
    def __init__(self, entry="main"):
        self.entry, self.arguments, self.lines, self.arrays = entry, [], [], []
        self.results, self.count, self.indices = [], 0, {}

    def fresh(self):
        self.count += 1
        return f"%v{self.count}"

    def emit(self, text):
        self.lines.append("  " + text)

    def let(self, text, dims, element):
        value = Value(self.fresh(), dims, element)
        self.emit(f"{value.name} = {text}")
        return value

    # Arguments and results.

    def arg(self, array, element="f32", dynamic=(), attrs=""):
        """An argument; `dynamic` are its dimensions that the program does not know."""
        array = np.asarray(array)
        name = f"%a{len(self.arguments)}"
        shown = [f"{name}_{i}" if i in dynamic else n for i, n in enumerate(array.shape)]
        value = Value(name, shown, element)
        self.arguments.append(f"{name}: {value.type}" + (f" {{{attrs}}}" if attrs else ""))
        self.arrays.append(array.astype(ELEMENT[element]))
        for i in dynamic:
            self.emit(f"{name}_{i} = tensor.dim {name}, {self.index(i)} : {value.type}")
        return value

    def give(self, *values, attrs=None):
        for value in values:
            self.results.append((value, attrs))

    def text(self):
        types = [v.type + (f" {{{a}}}" if a else "") for v, a in self.results]
        names = ", ".join(v.name for v, _ in self.results)
        plain = ", ".join(v.type for v, _ in self.results)
        constants = [f"  {name} = arith.constant {n} : index" for n, name in self.indices.items()]
        return "\n".join([f"func.func @{self.entry}({', '.join(self.arguments)}) -> "
                          f"({', '.join(types)}) {{", *constants, *self.lines,
                          f"  return {names} : {plain}", "}", ""])

    # Extents and numbers.

    def index(self, n):
        if not isinstance(n, int):
            return n
        return self.indices.setdefault(n, f"%c{n}")

    def product(self, dims):
        if all(isinstance(d, int) for d in dims):
            return int(np.prod(dims))
        result = None
        for d in dims:
            if result is None:
                result = self.index(d)
                continue
            name = self.fresh()
            self.emit(f"{name} = arith.muli {result}, {self.index(d)} : index")
            result = name
        return result

    def sum(self, a, b):
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        name = self.fresh()
        self.emit(f"{name} = arith.addi {self.index(a)}, {self.index(b)} : index")
        return name

    def number(self, value, element):
        name = self.fresh()
        self.emit(f"{name} = arith.constant {float(value):.17e} : {element}")
        return name

    def constant(self, value, dims, element):
        """A tensor of one number."""
        return self.fill(self.number(value, element), dims, element)

    # Tensors.

    def empty(self, dims, element):
        sizes = ", ".join(d for d in dims if not isinstance(d, int))
        return self.let(f"tensor.empty({sizes}) : {tensor(dims, element)}", dims, element)

    def fill(self, scalar, dims, element):
        init = self.empty(dims, element)
        return self.let(f"linalg.fill ins({scalar} : {element}) outs({init.name} : {init.type}) "
                        f"-> {init.type}", dims, element)

    def generic(self, inputs, dims, element, iterators, body, out_map, init=None, neutral=0.0):
        """`inputs`: (value, loops that index it); `body`: function of names to lines and result."""
        loops = len(iterators)
        if init is None:
            init = (self.constant(neutral, dims, element) if "reduction" in iterators
                    else self.empty(dims, element))
        maps = [dims_map(loops, which) for _, which in inputs] + [dims_map(loops, out_map)]
        tag = self.count = self.count + 1
        names = [f"%b{tag}_{i}" for i in range(len(inputs))] + [f"%o{tag}"]
        elements = [v.element for v, _ in inputs] + [element]
        lines, result = body(*names)
        ins = (f" ins({', '.join(v.name for v, _ in inputs)} : "
               f"{', '.join(v.type for v, _ in inputs)})" if inputs else "")
        head = ", ".join(f"{n}: {e}" for n, e in zip(names, elements))
        quoted = ", ".join(f'"{i}"' for i in iterators)
        inner = "\n".join("    " + line for line in lines)
        return self.let(
            f"linalg.generic {{indexing_maps = [{', '.join(maps)}], iterator_types = [{quoted}]}}"
            f"{ins} outs({init.name} : {init.type}) {{\n  ^bb0({head}):\n{inner}\n"
            f"    linalg.yield {result} : {element}\n  }} -> {init.type}", dims, element)

    def op(self, name, *operands, element=None):
        """An arith or math operation on whole tensors."""
        first = operands[0]
        return self.let(f"{name} {', '.join(v.name for v in operands)} : {first.type}"
                        + (f" to {tensor(first.dims, element)}" if element else ""),
                        first.dims, element or first.element)

    def scaled(self, value, factor):
        return self.op("arith.mulf", value, self.constant(factor, value.dims, value.element))

    def broadcast(self, name, value, other, which):
        """value <op> other, where `which` are the dimensions of value that other has."""
        tag = self.fresh()[1:]
        every = list(range(value.rank))
        return self.generic([(value, every), (other, which)], value.dims, value.element,
                            ["parallel"] * value.rank,
                            lambda a, b, o: ([f"%r{tag} = {name} {a}, {b} : {value.element}"],
                                             f"%r{tag}"), every)

    def reduce(self, name, value, over, neutral=0.0):
        tag = self.fresh()[1:]
        kept = [i for i in range(value.rank) if i not in over]
        return self.generic([(value, list(range(value.rank)))], [value.dims[i] for i in kept],
                            value.element,
                            ["reduction" if i in over else "parallel" for i in range(value.rank)],
                            lambda a, o: ([f"%r{tag} = {name} {o}, {a} : {value.element}"],
                                          f"%r{tag}"), kept, neutral=neutral)

    def paired(self, value, axis, condition, element):
        """At each place p along an axis the sum over the s where condition(s, p) holds."""
        tag, rank = self.fresh()[1:], value.rank
        add = "arith.addi" if element.startswith("i") else "arith.addf"
        read = [rank if i == axis else i for i in range(rank)]
        zero = f"%z{tag} = arith.constant {0 if element.startswith('i') else '0.0'} : {element}"
        init = self.constant(0, value.dims, element) if not element.startswith("i") else None
        if init is None:
            self.emit(f"%n{tag} = arith.constant 0 : {element}")
            init = self.fill(f"%n{tag}", value.dims, element)

        def body(a, o):
            lines = [zero, f"%s{tag} = linalg.index {rank} : index",
                     f"%p{tag} = linalg.index {axis} : index"]
            wide = a
            if value.element != element:
                lines.append(f"%w{tag} = arith.extf {a} : {value.element} to {element}")
                wide = f"%w{tag}"
            lines += condition(f"%s{tag}", f"%p{tag}", f"%c{tag}")
            lines += [f"%x{tag} = arith.select %c{tag}, {wide}, %z{tag} : {element}",
                      f"%r{tag} = {add} {o}, %x{tag} : {element}"]
            return lines, f"%r{tag}"

        return self.generic([(value, read)], value.dims, element, ["parallel"] * rank + ["reduction"], body,
                         list(range(rank)), init=init)

    def transpose(self, value, order):
        dims = [value.dims[i] for i in order]
        init = self.empty(dims, value.element)
        return self.let(f"linalg.transpose ins({value.name} : {value.type}) "
                        f"outs({init.name} : {init.type}) permutation = {list(order)}",
                        dims, value.element)

    def matmul(self, a, b, kind="matmul", element=None, init=None):
        """kind: matmul, matmul_transpose_a, matmul_transpose_b, batch_matmul, …"""
        batch = a.dims[:1] if kind.startswith("batch") else []
        m = a.dims[-1] if kind.endswith("_a") else a.dims[-2]
        n = b.dims[-2] if kind.endswith("_b") else b.dims[-1]
        element = element or a.element
        init = init or self.constant(0, batch + [m, n], element)
        return self.let(f"linalg.{kind} ins({a.name}, {b.name} : {a.type}, {b.type}) "
                        f"outs({init.name} : {init.type}) -> {init.type}", init.dims, element)

    def collapse(self, value, groups):
        dims = [self.product([value.dims[i] for i in g]) for g in groups]
        return self.let(f"tensor.collapse_shape {value.name} {groups} : {value.type} into "
                        f"{tensor(dims, value.element)}", dims, value.element)

    def expand(self, value, groups, dims):
        return self.let(f"tensor.expand_shape {value.name} {groups} output_shape "
                        f"[{', '.join(str(d) for d in dims)}] : {value.type} into "
                        f"{tensor(dims, value.element)}", dims, value.element)

    def slice(self, value, offsets, sizes, strides=None):
        strides = strides or [1] * value.rank
        show = lambda values: "[" + ", ".join(str(v) for v in values) + "]"
        return self.let(f"tensor.extract_slice {value.name}{show(offsets)} {show(sizes)} "
                        f"{show(strides)} : {value.type} to {tensor(sizes, value.element)}",
                        sizes, value.element)

    def insert(self, source, into, offsets, strides=None):
        strides = strides or [1] * into.rank
        show = lambda values: "[" + ", ".join(str(v) for v in values) + "]"
        return self.let(f"tensor.insert_slice {source.name} into {into.name}{show(offsets)} "
                        f"{show(source.dims)} {show(strides)} : {source.type} into {into.type}",
                        into.dims, into.element)

    def aft(self, name, operands, attrs, results):
        """One operation of the dialect; `results`: (dims, element) each. A clause such as
        `seed(%s)` is part of `attrs`, its values come last in `operands`, in a list."""
        clause = operands[-1] if isinstance(operands[-1], list) else []
        plain = [v for v in operands if isinstance(v, Value)]
        values = [Value(self.fresh(), dims, element) for dims, element in results]
        types = ", ".join(v.type for v in plain + clause)
        out = ", ".join(v.type for v in values)
        self.emit(f"{', '.join(v.name for v in values)} = aft.{name} "
                  f"{', '.join(v.name for v in plain)} {attrs} : ({types}) -> "
                  + (out if len(values) == 1 else f"({out})"))
        return values[0] if len(values) == 1 else values

    # What transformer blocks are made of.

    def linear(self, x, weight, bias=None):
        """Rows of x times weight transposed, plus bias."""
        flat = x
        if x.rank > 2:
            flat = self.collapse(x, [list(range(x.rank - 1)), [x.rank - 1]])
        y = self.matmul(flat, weight, "matmul_transpose_b")
        if bias:
            y = self.broadcast("arith.addf", y, bias, [1])
        if x.rank > 2:
            y = self.expand(y, [list(range(x.rank - 1)), [x.rank - 1]],
                            x.dims[:-1] + [weight.dims[0]])
        return y

    def gelu(self, x, tanh=False):
        if tanh:
            cube = self.op("arith.mulf", self.op("arith.mulf", x, x), x)
            inner = self.op("arith.addf", x, self.scaled(cube, 0.044715))
            curve = self.op("math.tanh", self.scaled(inner, 0.7978845608028654))
        else:
            curve = self.op("math.erf", self.scaled(x, 0.7071067811865476))
        one = self.constant(1, x.dims, x.element)
        return self.scaled(self.op("arith.mulf", x, self.op("arith.addf", curve, one)), 0.5)
