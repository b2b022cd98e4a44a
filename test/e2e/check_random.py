"""Random programs: compiled code against the interpreter, forward and differentiated.

usage: check_random.py AFT-RUN AFT-OPT AFTC [--first=SEED] [--count=N] [--keep=FOLDER] [--target=TARGET]

A program is made from its seed: a few tensors, some of whose extents only the run
knows, and up to twenty operations on what there is so far: arithmetic, broadcasts, sums, views,
products, norms, mixers, lookups. Every third is compiled as it is, every third's gradient
is, and of the last third the gradient with --memory=low, as an artifact. Extents and
operations meet in ways that nobody wrote down; what the numbers have to be says the
interpreter, which shares no code with what compiles. With --keep, programs that fail
are left there with their inputs.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

from cases import CACHE, RUN, difference
from programs import Program, tensor

OPT, AFTC = sys.argv[2:4]
FLAGS = dict(a[2:].split("=", 1) for a in sys.argv[4:])
FIRST, COUNT, KEEP = int(FLAGS.get("first", 0)), int(FLAGS.get("count", 24)), FLAGS.get("keep")
TARGET = "--target=" + FLAGS.get("target", "cpu")

EXTENTS = [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 24, 31, 32, 33, 48, 64, 65, 100, 129]
# Of the largest number of all results. What goes wrong in a compiler is usually all of it; chains
# of twenty operations amplify rounding, and the most by far that of bf16.
LIMIT = {"f64": 1e-9, "f32": 2e-3, "bf16": 0.25}
MOST = 40000  # elements of a value
LOW = {"f32": "0xFF800000", "f64": "0xFFF0000000000000", "bf16": "0xFF80"}  # -inf


def wider(element):
    return "f32" if element == "bf16" else element


class Random(Program):
    """A program that grows by one random operation at a time."""

    def __init__(self, seed, differentiable):
        super().__init__()
        self.differentiable = differentiable
        self.rng = np.random.default_rng(seed)
        self.element = self.pick(["f32", "f32", "f64", "bf16"])
        self.extents = [self.pick(EXTENTS) for _ in range(4)]
        self.sizes = {}  # of extents that only the run knows
        self.pool, self.parameters, self.losses = [], [], []
        for rank in (3, self.pick([1, 2, 3]), self.pick([2, 4])):
            self.parameter([self.pick(self.extents) for _ in range(rank)])
        for _ in range(self.pick(range(4, 21))):
            self.grow()

    def pick(self, options):
        return list(options)[self.rng.integers(len(options))]

    def chance(self, p):
        return self.rng.random() < p

    def size(self, dim):
        return dim if isinstance(dim, int) else self.sizes[dim]

    def shape(self, value):
        return [self.size(d) for d in value.dims]

    def fits(self, shape):
        return 0 < np.prod(shape) <= MOST

    def keep(self, value):
        self.pool.append(value)
        return value

    # Where values come from.

    def parameter(self, shape, dynamic=0.4):
        while not self.fits(shape):
            shape = [max(1, n // 2) for n in shape]
        free = [i for i in range(len(shape)) if self.chance(dynamic)]
        number = len(self.arguments)
        value = self.arg(self.rng.standard_normal(shape), self.element, free,
                         f'aft.param, aft.name = "p{number}"')
        self.sizes.update({f"{value.name}_{i}": shape[i] for i in free})
        self.parameters.append(number)
        return self.keep(value)

    def some(self, rank=None):
        """Of the last ones rather than of the first, so that programs become deep."""
        fitting = [v for v in self.pool if (rank is None and v.rank) or v.rank == rank]
        if not fitting:
            return self.parameter([self.pick(self.extents) for _ in range(rank or 2)])
        return fitting[-1 - min(int(self.rng.exponential(2)), len(fitting) - 1)]

    def weight(self, shape):
        """A parameter of this shape, or a value that has it."""
        same = [v for v in self.pool if self.shape(v) == list(shape)]
        if same and self.chance(0.4):
            return self.pick(same)
        if not self.fits(shape):
            return None
        return self.parameter(list(shape), dynamic=0.2)

    def like(self, x):
        return [v for v in self.pool if v.type == x.type and self.shape(v) == self.shape(x)]

    # Operations.

    def grow(self):
        made = self.pick(self.GROWTH)(self)
        if made is not None:
            self.keep(made)

    def bounded(self, value):
        return self.op("math.tanh", value)

    def any_unary(self):
        x = self.some()
        kind = self.pick(["tanh", "exp", "erf", "neg", "square", "root", "gelu", "sigmoid", "abs",
                          "sin", "log"])
        if kind == "exp":
            return self.op("math.exp", self.bounded(x))
        if kind == "neg":
            return self.op("arith.negf", x)
        if kind == "square":
            return self.bounded(self.op("arith.mulf", x, x))
        if kind in ("root", "log"):
            one = self.constant(1, x.dims, x.element)
            positive = self.op("arith.addf", self.op("arith.mulf", x, x), one)
            return self.op("math.sqrt" if kind == "root" else "math.log", positive)
        if kind == "gelu":
            return self.gelu(x, tanh=self.chance(0.5))
        if kind == "sigmoid":
            one = self.constant(1, x.dims, x.element)
            return self.op("arith.divf", one, self.op(
                "arith.addf", one, self.op("math.exp", self.op("arith.negf", self.bounded(x)))))
        return self.op({"abs": "math.absf"}.get(kind, "math." + kind), x)

    def any_binary(self):
        x = self.some()
        y = self.pick(self.like(x))
        return self.op(self.pick(["arith.addf", "arith.mulf", "arith.subf", "arith.maximumf",
                                  "arith.minimumf"]), x, y)

    def any_broadcast(self):
        """A value with one of fewer dimensions."""
        x = self.some()
        which = [i for i in range(x.rank) if self.chance(0.5)]
        other = self.weight([self.shape(x)[i] for i in which]) if which else None
        if other is None or other.rank != len(which):
            return None
        return self.broadcast(self.pick(["arith.addf", "arith.mulf", "arith.subf"]), x, other, which)

    def any_sum(self):
        x = self.some()
        over = [i for i in range(x.rank) if self.chance(0.5)] or [x.rank - 1]
        if self.chance(0.3):
            return self.reduce("arith.maximumf", x, over, neutral=-1e30)
        count = np.prod([self.shape(x)[i] for i in over])
        return self.reduce("arith.addf", self.scaled(x, 1 / np.sqrt(count)), over)

    def any_transpose(self):
        x = self.some()
        return self.transpose(x, self.rng.permutation(x.rank).tolist()) if x.rank > 1 else None

    def any_reshape(self):
        x = self.some()
        if x.rank > 1 and self.chance(0.5):
            at = self.pick(range(x.rank - 1))
            groups = [[i] for i in range(at)] + [[at, at + 1]] + [[i] for i in range(at + 2, x.rank)]
            y = self.collapse(x, groups)
            if not isinstance(y.dims[at], int):
                self.sizes[y.dims[at]] = self.size(x.dims[at]) * self.size(x.dims[at + 1])
            return y
        split = [i for i, d in enumerate(x.dims) if isinstance(d, int) and d % 2 == 0]
        if not split or x.rank > 4:
            return None
        at = self.pick(split)
        groups = [[i] for i in range(at)] + [[at, at + 1]] + [[i + 1] for i in range(at + 1, x.rank)]
        return self.expand(x, groups, x.dims[:at] + [2, x.dims[at] // 2] + x.dims[at + 1:])

    def any_slice(self):
        x = self.some()
        offsets, sizes, strides = [], [], []
        for n, d in zip(self.shape(x), x.dims):
            if self.chance(0.4):
                offsets.append(0), sizes.append(d), strides.append(1)
                continue
            first = self.pick(range(n))
            stride = self.pick([1, 1, 2, 3])
            offsets.append(first), strides.append(stride)
            sizes.append(self.pick(range(1, (n - first - 1) // stride + 2)))
        return self.slice(x, offsets, sizes, strides)

    def any_insert(self):
        """A value into a larger one, as concatenation and padding do."""
        x = self.some()
        more = [self.pick([0, 0, 1, 3]) for _ in x.dims]
        if not self.fits([n + 2 * m for n, m in zip(self.shape(x), more)]):
            return None
        dims = []
        for d, m in zip(x.dims, more):
            total = d
            if m:
                total = self.sum(d, 2 * m)
                if not isinstance(total, int):
                    self.sizes[total] = self.size(d) + 2 * m
            dims.append(total)
        into = self.constant(self.pick([0, 0.5]), dims, x.element)
        return self.insert(x, into, [m * self.pick([0, 1, 2]) for m in more])

    def any_product(self):
        x = self.some(2)
        m, k = self.shape(x)
        kind = self.pick(["matmul", "matmul_transpose_b", "matmul_transpose_a"])
        n = self.pick(self.extents)
        if kind == "matmul_transpose_a":
            m, k = k, m
        w = self.weight([n, k] if kind == "matmul_transpose_b" else [k, n])
        if w is None or not self.fits([m, n]):
            return None
        return self.matmul(self.scaled(x, 1 / np.sqrt(k)), w, kind)

    def any_batched(self):
        x = self.some(3)
        b, m, k = self.shape(x)
        n = self.pick(self.extents)
        transposed = self.chance(0.5)
        w = self.weight([b, n, k] if transposed else [b, k, n])
        if w is None or not self.fits([b, m, n]):
            return None
        return self.matmul(self.scaled(x, 1 / np.sqrt(k)), w,
                           "batch_matmul_transpose_b" if transposed else "batch_matmul")

    def any_norm(self):
        x = self.some()
        d = self.shape(x)[-1]
        gamma, beta = self.weight([d]), self.weight([d])
        # The derivative of rows that hold one number again and again has no scale.
        if gamma is None or beta is None or d < 3 or not isinstance(x.dims[-1], int):
            return None
        return self.aft("layer_norm", [x, gamma, beta], "eps = 1.0e-2", [(x.dims, x.element)])

    def any_softmax(self):
        x = self.some()
        last, kept = x.rank - 1, list(range(x.rank - 1))
        y = self.broadcast("arith.subf", x, self.reduce("arith.maximumf", x, [last], -1e30), kept)
        e = self.op("math.exp", y)
        return self.broadcast("arith.divf", e, self.reduce("arith.addf", e, [last]), kept)

    def any_mixer(self):
        q = self.some(3)
        b, t, d = self.shape(q)
        if not isinstance(q.dims[2], int):
            return None
        gate = self.pick(["", "gate = relu", "gate = tanh", "gate = none"])
        causal = "causal" if self.chance(0.5) else ""
        k, v = self.pick(self.like(q)), self.pick(self.like(q))
        kind = self.pick(["simple", "local", "full", "conv"])
        result = [(q.dims, q.element)]
        clause, lengths = "", []
        if self.chance(0.25):
            n = self.arg(self.rng.integers(t + 1, size=b), "i32")
            clause, lengths = f"lengths({n.name})", [[n]]
        if kind == "simple":
            return self.aft("simple", [q, k, v, *lengths], f"{clause} {causal} {gate}", result)
        if kind == "full":
            w = self.weight([b, t, t] if self.chance(0.2) else [t, t])
            if w and w.rank == 2 and self.chance(0.3):
                w = self.hidden(w)
            return w and self.aft("full", [q, k, v, w, *lengths], f"{clause} {causal} {gate}", result)
        if kind == "local":
            s = self.pick([1, 2, 3, 5, 9, 40])
            band = self.weight([t, s if causal else 2 * s - 1])
            if band is None:
                return None
            return self.aft("local", [q, k, v, band, *lengths],
                            f"{clause} window = {s} {causal} {gate}", result)
        heads = self.pick([h for h in range(1, d + 1) if d % h == 0])
        keys = self.slice(k, [0, 0, 0], [*k.dims[:2], heads])
        taps = self.pick([1, 2, 3, 5])
        rows, grid = self.pick([g for g in range(1, t + 1) if t % g == 0]), ""
        shape = [heads, taps]
        if isinstance(q.dims[1], int) and not causal and self.chance(0.6):
            shape, grid = [heads, taps, self.pick([1, 3, 4])], f"grid = [{rows}, {t // rows}]"
        # Its extents have to be known.
        f = self.arg(self.rng.standard_normal(shape), self.element, (),
                     f'aft.param, aft.name = "p{len(self.arguments)}"')
        self.parameters.append(len(self.arguments) - 1)
        return self.aft("conv", [q, keys, v, f, *lengths],
                        f"{clause} {grid} {causal} {gate}", result)

    def hidden(self, w):
        """A bias, -inf where the key is later than the query and another column than the first."""
        tag = self.fresh()[1:]
        e = w.element

        def body(a, o):
            return [f"%i{tag} = linalg.index 0 : index", f"%j{tag} = linalg.index 1 : index",
                    f"%z{tag} = arith.constant 0 : index",
                    f"%c{tag} = arith.cmpi ule, %j{tag}, %i{tag} : index",
                    f"%l{tag} = arith.constant {LOW[e]} : {e}",
                    f"%r{tag} = arith.select %c{tag}, {a}, %l{tag} : {e}"], f"%r{tag}"

        return self.generic([(w, [0, 1])], w.dims, e, ["parallel"] * 2, body, [0, 1])

    def any_scan(self):
        """A running sum, written as a sum over all pairs of places."""
        x = self.some()
        axis, order = self.pick(range(x.rank)), self.pick(["ule", "ult", "uge", "ugt"])
        n = self.shape(x)[axis]
        if np.prod(self.shape(x)) * n > 20 * MOST:
            return None
        return self.paired(self.scaled(x, 1 / np.sqrt(n)), axis,
                           lambda s, p, c: [f"{c} = arith.cmpi {order}, {s}, {p} : index"], x.element)

    def any_join(self):
        """Two values along an axis."""
        x = self.some()
        axis = self.pick(range(x.rank))
        y = self.pick(self.like(x))
        n = x.dims[axis]
        total = self.sum(n, n)
        if not isinstance(total, int):
            self.sizes[total] = 2 * self.size(n)
        dims = x.dims[:axis] + [total] + x.dims[axis + 1:]
        if not self.fits([self.size(d) for d in dims]):
            return None
        first = self.insert(x, self.empty(dims, x.element), [0] * x.rank)
        return self.insert(y, first, [n if i == axis else 0 for i in range(x.rank)])

    def any_drop(self):
        x = self.some()
        seed = self.arg(np.array(self.pick(range(1000))), "i64")
        return self.aft("dropout", [x, seed], f"p = 2.500000e-01 stream = {self.pick(range(9))}",
                        [(x.dims, x.element)])

    def any_loss(self):
        x = self.some(2)
        rows, classes = self.shape(x)
        targets = self.arg(self.rng.integers(classes, size=rows), self.pick(["i32", "i64"]))
        self.losses.append(self.aft("cross_entropy", [x, targets], "", [([], wider(x.element))]))

    def any_band(self):
        u = self.some(2)
        t, r = self.shape(u)
        v = self.weight([t, r])
        s, causal = self.pick([1, 2, 5]), self.chance(0.5)
        if v is None or not self.fits([t, 2 * s]):
            return None
        return self.aft("band", [u, v], f"window = {s} {'causal' if causal else ''}",
                        [([u.dims[0], s if causal else 2 * s - 1], u.element)])

    def any_window(self):
        """What a depth-wise convolution does: each place with those after it."""
        x = self.some(3)
        t = self.shape(x)[1]
        taps = self.pick([2, 3, 5])
        # The derivative of what reads several places at once is not defined.
        if taps > t or not isinstance(x.dims[1], int) or self.differentiable:
            return None
        f = self.weight([taps, self.shape(x)[2]])
        if f is None:
            return None
        tag, e = self.fresh()[1:], x.element
        dims = [x.dims[0], t - taps + 1, x.dims[2]]
        init = self.constant(0, dims, e)
        loops = "affine_map<(b, t, c, j) -> "
        return self.let(
            f"linalg.generic {{indexing_maps = [{loops}(b, t + j, c)>, {loops}(j, c)>, "
            f"{loops}(b, t, c)>], iterator_types = [\"parallel\", \"parallel\", \"parallel\", "
            f"\"reduction\"]}} ins({x.name}, {f.name} : {x.type}, {f.type}) "
            f"outs({init.name} : {init.type}) {{\n  ^bb0(%a{tag}: {e}, %b{tag}: {e}, %o{tag}: {e}):\n"
            f"    %m{tag} = arith.mulf %a{tag}, %b{tag} : {e}\n"
            f"    %r{tag} = arith.addf %o{tag}, %m{tag} : {e}\n"
            f"    linalg.yield %r{tag} : {e}\n  }} -> {init.type}", dims, e)

    def any_sum_onto(self):
        """A product onto what is there."""
        x = self.some(2)
        m, k = self.shape(x)
        n = self.pick(self.extents)
        w = self.weight([k, n])
        onto = self.weight([m, n])
        if w is None or onto is None:
            return None
        return self.matmul(self.scaled(x, 1 / np.sqrt(k)), w, init=onto)

    def any_lookup(self):
        table = self.some(2)
        if not all(isinstance(d, int) for d in table.dims):
            return None  # has no derivative
        rows = self.shape(table)[0]
        shape = [self.pick(self.extents) for _ in range(self.pick([1, 2]))]
        if not self.fits(shape + [self.shape(table)[1]]):
            return None
        ids = self.arg(self.rng.integers(rows, size=shape), self.pick(["i32", "i64"]))
        return self.aft("embedding", [ids, table], "",
                        [(ids.dims + [table.dims[1]], table.element)])

    def any_choice(self):
        """One of two by the sign of a third."""
        x = self.some()
        y = self.pick(self.like(x))
        which = self.fresh()
        # No number is near the threshold but by chance of one in a million.
        bound = self.constant(0.1234567, x.dims, x.element)
        self.emit(f"{which} = arith.cmpf ogt, {y.name}, {bound.name} : {x.type}")
        flags = tensor(x.dims, "i1")
        return self.let(f"arith.select {which}, {x.name}, {y.name} : {flags}, {x.type}",
                        x.dims, x.element)

    def any_cast(self):
        """There and back in a wider type."""
        if self.element == "f64":
            return None
        x = self.some()
        wide = "f32" if self.element == "bf16" else "f64"
        y = self.op("arith.extf", x, element=wide)
        y = self.op("math.tanh", y)
        return self.op("arith.truncf", y, element=self.element)

    GROWTH = [any_unary, any_unary, any_binary, any_binary, any_broadcast, any_sum, any_transpose,
              any_reshape, any_slice, any_insert, any_product, any_product, any_batched, any_norm,
              any_softmax, any_mixer, any_mixer, any_lookup, any_choice, any_cast, any_scan,
              any_join, any_drop, any_loss, any_band, any_window, any_sum_onto]

    # The whole.

    def finish(self, loss):
        """Returns the last values; with `loss`, the sum of them all, weighted."""
        last = self.pool[-self.pick([1, 2, 3]):]
        self.terms = sum(int(np.prod(self.shape(v))) for v in last) if loss else 1
        if not loss:
            self.give(*last, *self.losses)
            return
        total, wide = None, wider(self.element)
        for v in last:
            x = self.op("arith.extf", v, element=wide) if wide != v.element else v
            scale = self.arg(self.rng.standard_normal(self.shape(v)), wide)
            every = list(range(v.rank))
            x = self.broadcast("arith.mulf", x, scale, every)
            x = self.reduce("arith.addf", x, every) if v.rank else x
            total = x if total is None else self.op("arith.addf", total, x)
        for x in self.losses:
            total = self.op("arith.addf", total, x)
        self.give(total)


def execute(command):
    done = subprocess.run(command, capture_output=True, text=True,
                          env={**os.environ, "AFT_CACHE_DIR": CACHE.name})
    if done.returncode:
        raise RuntimeError(f"{os.path.basename(command[0])}: exit {done.returncode}: "
                           f"{done.stderr.strip()[:700]}")


def results(command, folder, name, count):
    files = [os.path.join(folder, f"{name}{i}.npy") for i in range(count)]
    execute(command + ["--output=" + f for f in files])
    return [np.load(f).astype(np.float64) for f in files]


def largest(array):
    return np.abs(array[np.isfinite(array)]).max(initial=0)


def check(seed):
    mode = ["forward", "gradient", "low memory"][seed % 3]
    if mode == "low memory" and TARGET != "--target=cpu":
        mode = "gradient"  # There are no artifacts of the emulated target.
    program = Random(seed, differentiable=mode != "forward")
    program.finish(loss=mode != "forward")
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "main.mlir")
        open(file, "w").write(program.text())
        inputs = []
        for i, a in enumerate(program.arrays):
            inputs.append(f"--input={folder}/in{i}.npy")
            np.save(f"{folder}/in{i}.npy", a)
        count, entry = len(program.results), "main"
        try:
            if mode != "forward":
                count, entry = 1 + len(program.parameters), "main_grad"
                execute([OPT, file, "-aft-differentiate", "-canonicalize", "-cse",
                         "-o", folder + "/grad.mlir"])
                file = folder + "/grad.mlir"
            run = [RUN, file, "--entry=" + entry, *inputs]
            expected = results(run + ["--reference"], folder, "expected", count)
            threads = f"--threads={1 + seed // 3 % 3}"
            if mode == "low memory":
                execute([AFTC, file, "--memory=low", TARGET, "-o", folder + "/model.so"])
                run[1] = folder + "/model.so"
            found = results(run + [threads, TARGET], folder, "found", count)
            # Numbers are about 1 and add up like those of a random walk. A gradient may be 0 by
            # what cancels, as that of a shift before a norm.
            scale = max(program.terms ** 0.5, *(largest(e) for e in expected))
            limit = LIMIT[program.element]
            wrong = [f"result {i}: {problem}" for i, (f, e) in enumerate(zip(found, expected))
                     if (problem := difference(f, e, limit, scale))]
        except RuntimeError as error:
            wrong = [str(error)]
        if wrong and KEEP:
            shutil.copytree(folder, os.path.join(KEEP, str(seed)), dirs_exist_ok=True)
    what = f"seed {seed}, {mode}, {program.element}, {len(program.lines)} lines"
    print(f"FAIL {what}: {'; '.join(wrong)}" if wrong else f"ok   {what}", flush=True)
    return not wrong


def main():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        good = list(pool.map(check, range(FIRST, FIRST + COUNT)))
    print(f"{sum(good)} passed, {len(good) - sum(good)} failed")
    sys.exit(0 if good and all(good) else 1)


main()
