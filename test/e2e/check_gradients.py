"""Gradients of compiled programs against LibTorch's autograd and finite differences, in f64.

usage: check_gradients.py AFT-OPT AFT-RUN [--reference]

Each case is a program that computes a tensor %y from parameters and inputs; its
loss is the sum of %y times fixed random weights. aft-opt differentiates it,
aft-run runs both functions; with --reference, in the interpreter.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F

OPT, RUN, EXTRA = sys.argv[1], sys.argv[2], sys.argv[3:]
rng = np.random.default_rng(11)
torch.set_num_threads(1)


def tensor(shape, element="f64"):
    return "tensor<" + "".join(f"{d}x" for d in shape) + element + ">"


def execute(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:3])}: exit {done.returncode}: {done.stderr[:600]}")
    return done.stdout


class Case:
    def __init__(self, name, body, result, reference, inputs=None, dynamic=(), **params):
        """`params`: shapes; `inputs`: arrays that get no gradient; `dynamic`: sizes shown as ?."""
        self.name, self.body, self.reference = name, body, reference
        self.result, self.dynamic = tuple(result), dynamic
        self.params = {k: rng.standard_normal(s) for k, s in params.items()}
        self.inputs = dict(inputs or {})
        if self.result:
            self.inputs["weights"] = rng.standard_normal(self.result)

    def type_of(self, shape, element="f64"):
        return tensor(["?" if d in self.dynamic else d for d in shape], element)

    def program(self):
        arguments = [f"%{k}: {self.type_of(v.shape)} {{aft.param, aft.name = \"{k}\"}}"
                     for k, v in self.params.items()]
        for k, v in self.inputs.items():
            element = f"{v.dtype.kind}{8 * v.dtype.itemsize}"
            arguments.append(f"%{k}: {self.type_of(v.shape, element)}")
        lines = [f"func.func @main({', '.join(arguments)}) -> tensor<f64> {{",
                 "  %zero = arith.constant 0.0 : f64", "  %c0 = arith.constant 0 : index",
                 "  %c1 = arith.constant 1 : index", self.body]
        if self.result:
            y, rank = self.type_of(self.result), len(self.result)
            dims = ", ".join(f"d{i}" for i in range(rank))
            lines.append(f"""
  %e_loss = tensor.empty() : tensor<f64>
  %f_loss = linalg.fill ins(%zero : f64) outs(%e_loss : tensor<f64>) -> tensor<f64>
  %loss = linalg.generic {{indexing_maps = [affine_map<({dims}) -> ({dims})>,
      affine_map<({dims}) -> ({dims})>, affine_map<({dims}) -> ()>],
      iterator_types = [{', '.join(['"reduction"'] * rank)}]}}
      ins(%y, %weights : {y}, {y}) outs(%f_loss : tensor<f64>) {{
  ^bb0(%loss_y: f64, %loss_w: f64, %loss_o: f64):
    %loss_p = arith.mulf %loss_y, %loss_w : f64
    %loss_s = arith.addf %loss_o, %loss_p : f64
    linalg.yield %loss_s : f64
  }} -> tensor<f64>""")
        lines.append("  return %loss : tensor<f64>\n}")
        return "\n".join(lines)

    def run(self, folder, entry, params, outputs):
        command = [RUN, os.path.join(folder, "grad.mlir"), "--entry=" + entry, *EXTRA]
        for k, v in {**params, **self.inputs}.items():
            file = os.path.join(folder, k + ".npy")
            np.save(file, v)
            command.append("--input=" + file)
        files = [os.path.join(folder, f"out{i}.npy") for i in range(outputs)]
        execute(command + ["--output=" + f for f in files])
        return [np.load(f) for f in files]

    def autograd(self):
        params = {k: torch.tensor(v, requires_grad=True) for k, v in self.params.items()}
        inputs = {k: torch.tensor(v) for k, v in self.inputs.items()}
        y = self.reference(**params, **{k: v for k, v in inputs.items() if k != "weights"})
        loss = (y * inputs["weights"]).sum() if self.result else y
        grads = torch.autograd.grad(loss, list(params.values()))
        return loss.item(), [g.numpy() for g in grads]

    def check(self):
        with tempfile.TemporaryDirectory() as folder:
            source, graph = (os.path.join(folder, n) for n in ("main.mlir", "grad.mlir"))
            open(source, "w").write(self.program())
            execute([OPT, source, "-aft-differentiate", "-canonicalize", "-cse", "-o", graph])
            loss, *grads = self.run(folder, "main_grad", self.params, 1 + len(self.params))
            expected_loss, expected = self.autograd()
            errors = [abs(loss - expected_loss) / max(1, abs(expected_loss))]
            for g, e in zip(grads, expected):
                errors.append(np.abs(g - e).max() / max(1e-3, np.abs(e).max()))
            step = 1e-6
            direction = {k: rng.standard_normal(v.shape) for k, v in self.params.items()}
            ends = [self.run(folder, "main", {k: v + s * direction[k]
                                              for k, v in self.params.items()}, 1)[0]
                    for s in (step, -step)]
            slope = (ends[0] - ends[1]) / (2 * step)
            along = sum((g * direction[k]).sum() for k, g in zip(self.params, grads))
            difference = abs(slope - along) / max(1, abs(slope))
        good = bool(max(errors) <= 1e-10 and difference <= 1e-6)
        print(f"{'ok  ' if good else 'FAIL'} {self.name}: against autograd {max(errors):.1e}, "
              f"against differences {difference:.1e}")
        return good


def unary(op, function, positive=False):
    body = f"""
  %y = math.{op} %x : tensor<5x7xf64>""" if not positive else f"""
  %sq = arith.mulf %x, %x : tensor<5x7xf64>
  %one = arith.constant dense<1.0> : tensor<5x7xf64>
  %pos = arith.addf %sq, %one : tensor<5x7xf64>
  %y = math.{op} %pos : tensor<5x7xf64>"""
    wrapped = (lambda x: function(x * x + 1)) if positive else function
    return Case(op, body, (5, 7), wrapped, x=(5, 7))


def elementwise(name, lines, function, **params):
    names = list(params)
    rank = 2
    ident, args = "affine_map<(i, j) -> (i, j)>", ", ".join(f"%s_{n}: f64" for n in names)
    maps = ", ".join([ident if len(params[n]) == rank else "affine_map<(i, j) -> (j)>" for n in names]
                     + [ident])
    shape = next(s for s in params.values() if len(s) == rank)
    types = ", ".join(f"tensor<{'?x' if len(params[n]) == rank else ''}{params[n][-1]}xf64>" for n in names)
    t = f"tensor<?x{shape[1]}xf64>"
    body = f"""
  %n = tensor.dim %{names[0]}, %c0 : {t}
  %e = tensor.empty(%n) : {t}
  %y = linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel", "parallel"]}}
      ins({', '.join('%' + n for n in names)} : {types}) outs(%e : {t}) {{
  ^bb0({args}, %o: f64):
{lines}
    linalg.yield %r : f64
  }} -> {t}"""
    return Case(name, body, shape, function, dynamic=(shape[0],), **params)


def paired(name, condition, function, shape, dynamic):
    """Sums over all s of what a condition on s and the place along dimension 1 leaves."""
    t = tensor(["?" if dynamic and i == 1 else d for i, d in enumerate(shape)])
    size = "%n" if dynamic else ""
    body = f"""
  %n = tensor.dim %x, %c1 : {t}
  %e = tensor.empty({size}) : {t}
  %f = linalg.fill ins(%zero : f64) outs(%e : {t}) -> {t}
  %y = linalg.generic {{indexing_maps = [affine_map<(b, t, c, s) -> (b, s, c)>, affine_map<(b, t, c, s) -> (b, t, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}} ins(%x : {t}) outs(%f : {t}) {{
  ^bb0(%a: f64, %o: f64):
    %s = linalg.index 3 : index
    %t = linalg.index 1 : index
{condition}
    %m = arith.select %h, %a, %zero : f64
    %r = arith.addf %o, %m : f64
    linalg.yield %r : f64
  }} -> {t}"""
    return Case(name, body, shape, function, dynamic=(shape[1],) if dynamic else (), x=shape)


def matmul(op, a, b, result, function):
    types = tensor(a), tensor(b), tensor(result)
    body = f"""
  %e = tensor.empty() : {types[2]}
  %f = linalg.fill ins(%zero : f64) outs(%e : {types[2]}) -> {types[2]}
  %y = linalg.{op} ins(%a, %b : {types[0]}, {types[1]}) outs(%f : {types[2]}) -> {types[2]}"""
    return Case(op, body, result, function, a=a, b=b)


def mixer_weights(t, s, w, causal, lengths=None):
    mask = torch.ones(t, s, dtype=torch.bool)
    if causal:
        mask = torch.tril(mask, s - t)
    return torch.where(mask, w, torch.tensor(-torch.inf, dtype=torch.float64))


def aft(q, k, v, w):
    """The definition, in double; w [T,S] with -inf where hidden."""
    x = torch.softmax(k[:, None] + w[None, :, :, None], 2)
    return torch.sigmoid(q) * (x * v[:, None]).sum(2)


def local_bias(band, t, window, causal):
    w = torch.zeros(t, t, dtype=torch.float64)
    for tap in range(band.shape[1]):
        for row in range(t):
            key = row + tap - (window - 1)
            if 0 <= key < t:
                place = torch.zeros(t, t, dtype=torch.float64)
                place[row, key] = 1
                w = w + place * band[row, tap]
    return mixer_weights(t, t, w, causal)


def mixer(name, op, attrs, function, **params):
    q = self_type = tensor(("?", "?", params["q"][2]))
    types = [self_type if n in "qkv" else tensor(s) for n, s in params.items()]
    body = f"""
  %y = aft.{op} {', '.join('%' + n for n in params)} {attrs} : ({', '.join(types)}) -> {q}"""
    case = Case(name, body, params["q"], function, **params)
    shown = case.type_of

    def type_of(shape, element="f64"):
        is_sequence = len(shape) == 3 and tuple(shape) in (params["q"], params["k"])
        return self_type if is_sequence else shown(shape, element)
    case.type_of = type_of
    return case


def conv_bias(filter, grid):
    """[h,T,T]: the filter around each position, 0 elsewhere."""
    taps = filter.shape[1:]
    places = np.stack(np.unravel_index(np.arange(np.prod(grid)), grid), -1)
    offset = places[None] - places[:, None] + (np.array(taps) - 1) // 2
    inside = torch.tensor(np.all((offset >= 0) & (offset < taps), -1))
    flat = np.ravel_multi_index(np.moveaxis(np.clip(offset, 0, np.array(taps) - 1), -1, 0), taps)
    return torch.where(inside, filter.flatten(1)[:, torch.tensor(flat)], 0.0)


def conv(name, grid, d, heads, taps, lengths=None, B=2, scale=1):
    T = int(np.prod(grid))
    shapes = {"q": (B, T, d), "k": (B, T, heads), "v": (B, T, d), "f": (heads, *taps)}
    types = [tensor(s) for s in shapes.values()]
    inputs, clause = {}, ""
    if lengths is not None:
        inputs["lengths"], clause = np.array(lengths, np.int32), " lengths(%lengths)"
        types.append(tensor((B,), "i32"))

    def reference(q, k, v, f, lengths=None):
        x = k[:, None].repeat_interleave(d // heads, 3) + \
            conv_bias(f, grid).repeat_interleave(d // heads, 0).permute(1, 2, 0)
        seen = torch.arange(T) < (torch.full((B,), T) if lengths is None else lengths)[:, None]
        # Without a key there is no gradient: any finite x will do.
        x = torch.where((seen | ~seen.any(1, keepdim=True))[:, None, :, None], x, -torch.inf)
        y = torch.sigmoid(q) * (torch.softmax(x, 2) * v[:, None]).sum(2)
        return torch.cat([y[b:b + 1] if n else y[b:b + 1].detach() * 0
                          for b, n in enumerate(seen.any(1))])
    shown = f" grid = {list(grid)}" if len(grid) > 1 else ""
    body = f"""
  %y = aft.conv %q, %k, %v, %f{clause}{shown} : ({', '.join(types)}) -> {types[0]}"""
    case = Case(f"conv {name}", body, shapes["q"], reference, inputs=inputs, **shapes)
    case.params["f"] *= scale
    return case


def cases():
    yield unary("exp", torch.exp)
    yield unary("tanh", torch.tanh)
    yield unary("erf", torch.erf)
    yield unary("sin", torch.sin)
    yield unary("cos", torch.cos)
    yield unary("absf", torch.abs)
    yield unary("log", torch.log, positive=True)
    yield unary("log1p", torch.log1p, positive=True)
    yield unary("sqrt", torch.sqrt, positive=True)
    yield unary("rsqrt", torch.rsqrt, positive=True)
    yield elementwise("gelu with bias", """
    %one = arith.constant 1.0 : f64
    %half = arith.constant 0.5 : f64
    %root = arith.constant 0.70710678118654752 : f64
    %sum = arith.addf %s_x, %s_b : f64
    %scaled = arith.mulf %sum, %root : f64
    %c = math.erf %scaled : f64
    %d = arith.addf %c, %one : f64
    %h = arith.mulf %sum, %half : f64
    %r = arith.mulf %h, %d : f64""", lambda x, b: F.gelu(x + b), x=(6, 5), b=(5,))
    yield elementwise("quotient and maximum", """
    %two = arith.constant 2.5 : f64
    %sq = arith.mulf %s_b, %s_b : f64
    %den = arith.addf %sq, %two : f64
    %quot = arith.divf %s_a, %den : f64
    %neg = arith.negf %s_b : f64
    %top = arith.maximumf %quot, %neg : f64
    %r = arith.minimumf %top, %two : f64""",
                      lambda a, b: torch.minimum(torch.maximum(a / (b * b + 2.5), -b),
                                                 torch.tensor(2.5, dtype=torch.float64)),
                      a=(7, 3), b=(7, 3))
    yield elementwise("select and power", """
    %three = arith.constant 3.0 : f64
    %zero_in = arith.constant 0.0 : f64
    %pos = arith.cmpf ogt, %s_a, %zero_in : f64
    %size = math.absf %s_a : f64
    %pow = math.powf %size, %three : f64
    %other = arith.subf %s_a, %s_b : f64
    %r = arith.select %pos, %pow, %other : f64""",
                      lambda a, b: torch.where(a > 0, a.abs() ** 3, a - b), a=(4, 9), b=(9,))
    yield matmul("matmul", (5, 7), (7, 3), (5, 3), lambda a, b: a @ b)
    yield matmul("matmul_transpose_b", (5, 7), (3, 7), (5, 3), lambda a, b: a @ b.T)
    yield matmul("matmul_transpose_a", (7, 5), (7, 3), (5, 3), lambda a, b: a.T @ b)
    yield matmul("batch_matmul", (2, 5, 7), (2, 7, 3), (2, 5, 3), lambda a, b: a @ b)
    yield matmul("batch_matmul_transpose_b", (2, 5, 7), (2, 3, 7), (2, 5, 3), lambda a, b: a @ b.mT)
    yield Case("softmax by maximum", """
  %low = arith.constant -1.0e300 : f64
  %er = tensor.empty() : tensor<4xf64>
  %fm = linalg.fill ins(%low : f64) outs(%er : tensor<4xf64>) -> tensor<4xf64>
  %m = linalg.reduce { arith.maximumf } ins(%x : tensor<4x6xf64>) outs(%fm : tensor<4xf64>) dimensions = [1]
  %e = tensor.empty() : tensor<4x6xf64>
  %mb = linalg.broadcast ins(%m : tensor<4xf64>) outs(%e : tensor<4x6xf64>) dimensions = [1]
  %d = arith.subf %x, %mb : tensor<4x6xf64>
  %p = math.exp %d : tensor<4x6xf64>
  %fz = linalg.fill ins(%zero : f64) outs(%er : tensor<4xf64>) -> tensor<4xf64>
  %s = linalg.reduce { arith.addf } ins(%p : tensor<4x6xf64>) outs(%fz : tensor<4xf64>) dimensions = [1]
  %sb = linalg.broadcast ins(%s : tensor<4xf64>) outs(%e : tensor<4x6xf64>) dimensions = [1]
  %y = arith.divf %p, %sb : tensor<4x6xf64>""", (4, 6), lambda x: torch.softmax(x, 1), x=(4, 6))
    yield Case("maximum", """
  %low = arith.constant -1.0e300 : f64
  %er = tensor.empty() : tensor<4xf64>
  %fm = linalg.fill ins(%low : f64) outs(%er : tensor<4xf64>) -> tensor<4xf64>
  %y = linalg.reduce { arith.maximumf } ins(%x : tensor<4x6xf64>) outs(%fm : tensor<4xf64>) dimensions = [1]""",
               (4,), lambda x: torch.amax(x, 1), x=(4, 6))
    yield Case("slices, concat, pad, transpose", """
  %a = tensor.extract_slice %x[1, 0] [3, 4] [1, 2] : tensor<5x8xf64> to tensor<3x4xf64>
  %b = tensor.extract_slice %x[0, 3] [3, 4] [2, 1] : tensor<5x8xf64> to tensor<3x4xf64>
  %c = tensor.concat dim(0) %a, %b, %z : (tensor<3x4xf64>, tensor<3x4xf64>, tensor<2x4xf64>) -> tensor<8x4xf64>
  %p = tensor.pad %c low[1, 0] high[0, 2] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f64
  } : tensor<8x4xf64> to tensor<9x6xf64>
  %et = tensor.empty() : tensor<6x9xf64>
  %t = linalg.transpose ins(%p : tensor<9x6xf64>) outs(%et : tensor<6x9xf64>) permutation = [1, 0]
  %g = tensor.collapse_shape %t [[0, 1]] : tensor<6x9xf64> into tensor<54xf64>
  %ex = tensor.expand_shape %g [[0, 1]] output_shape [27, 2] : tensor<54xf64> into tensor<27x2xf64>
  %y = tensor.insert_slice %z into %ex[3, 0] [1, 2] [1, 1] : tensor<1x2xf64> into tensor<27x2xf64>"""
               .replace("%z into", "%w into"), (27, 2),
               lambda x, z, w: torch.cat([lambda_pad(x, z).T.reshape(27, 2)[:3], w,
                                          lambda_pad(x, z).T.reshape(27, 2)[4:]]),
               x=(5, 8), z=(2, 4), w=(1, 2))
    # Code that is compiled adds runs up in blocks; the interpreter looks at every pair.
    long = 150 if "--reference" in EXTRA else 4096
    for shape, dynamic in (((2, 9, 5), False), ((2, 37, 5), True), ((1, long, 3), True)):
        for name, order, function in (
                ("running sum", "ule", lambda x: torch.cumsum(x, 1)),
                ("running sum without its own", "ult", lambda x: torch.cumsum(x, 1) - x),
                ("running sum from the end", "sge", lambda x: x.flip(1).cumsum(1).flip(1))):
            yield paired(f"{name} {shape}", f"    %h = arith.cmpi {order}, %s, %t : index", function, shape,
                         dynamic)
        yield paired(f"flipped {shape}", """
    %l = arith.subi %n, %c1 : index
    %b = arith.addi %s, %t : index
    %h = arith.cmpi eq, %b, %l : index""", lambda x: x.flip(1), shape, dynamic)
    yield Case("layer_norm", """
  %y = aft.layer_norm %x, %g, %b : (tensor<?x?x8xf64>, tensor<8xf64>, tensor<8xf64>) -> tensor<?x?x8xf64>""",
               (2, 3, 8), lambda x, g, b: F.layer_norm(x, (8,), g, b), dynamic=(2, 3),
               x=(2, 3, 8), g=(8,), b=(8,))
    ids = rng.integers(0, 5, (2, 7))
    yield Case("embedding", """
  %y = aft.embedding %ids, %table : (tensor<2x7xi64>, tensor<5x4xf64>) -> tensor<2x7x4xf64>""",
               (2, 7, 4), lambda table, ids: F.embedding(ids, table), inputs={"ids": ids}, table=(5, 4))
    yield Case("cross_entropy", """
  %loss = aft.cross_entropy %x, %ids : (tensor<?x5xf64>, tensor<?xi64>) -> tensor<f64>""", (),
               lambda x, ids: F.cross_entropy(x, ids), dynamic=(14,),
               inputs={"ids": ids.reshape(14)}, x=(14, 5))
    ignored = ids.reshape(14).copy()
    ignored[::3] = -100
    yield Case("cross_entropy with ignored rows", """
  %loss = aft.cross_entropy %x, %ids : (tensor<?x5xf64>, tensor<?xi64>) -> tensor<f64>""", (),
               lambda x, ids: F.cross_entropy(x, ids), dynamic=(14,),
               inputs={"ids": ignored}, x=(14, 5))
    yield Case("a tensor used twice", """
  %s = arith.mulf %x, %x : tensor<3x4xf64>
  %y = arith.addf %s, %x : tensor<3x4xf64>""", (3, 4), lambda x: x * x + x, x=(3, 4))
    sizes = {"q": (2, 7, 4), "k": (2, 7, 4), "v": (2, 7, 4)}
    yield mixer("simple", "simple", "", lambda q, k, v: aft(q, k, v, torch.zeros(7, 7, dtype=torch.float64)),
                **sizes)
    yield mixer("simple causal", "simple", "causal",
                lambda q, k, v: aft(q, k, v, mixer_weights(7, 7, torch.zeros(7, 7, dtype=torch.float64), True)),
                **sizes)
    yield mixer("local", "local", "window = 3",
                lambda q, k, v, band: aft(q, k, v, local_bias(band, 7, 3, False)), **sizes, band=(7, 5))
    yield mixer("local causal", "local", "window = 3 causal",
                lambda q, k, v, band: aft(q, k, v, local_bias(band, 7, 3, True)), **sizes, band=(7, 3))
    long = {"q": (1, 70, 6), "k": (1, 70, 6), "v": (1, 70, 6)}
    for causal in (False, True):
        for scale in (1, 40):
            case = mixer(f"local of several blocks, scale {scale}{' causal' * causal}", "local",
                         "window = 3" + " causal" * causal,
                         lambda q, k, v, band, causal=causal: aft(q, k, v, local_bias(band, 70, 3, causal)),
                         **long, band=(70, 3 if causal else 5))
            case.params["band"] *= scale
            yield case
    longer = {"q": (2, 120, 6), "k": (2, 120, 6), "v": (2, 120, 6)}
    for scale in (1, 40):
        case = mixer(f"local of several blocks of a wide window, scale {scale}", "local",
                     "window = 30 causal", lambda q, k, v, band: aft(q, k, v, local_bias(
                         band, 120, 30, True)), **longer, band=(120, 30))
        case.params["k"] *= scale
        yield case
    for causal in (False, True):
        case = mixer("simple of several runs" + " causal" * causal, "simple", "causal" * causal,
                     lambda q, k, v, causal=causal: aft(q, k, v, mixer_weights(
                         120, 120, torch.zeros(120, 120, dtype=torch.float64), causal)), **longer)
        case.params["k"] *= 20
        yield case
    yield Case("factorised local", """
  %band = aft.band %u, %r window = 3 causal : (tensor<7x2xf64>, tensor<7x2xf64>) -> tensor<7x3xf64>
  %y = aft.local %q, %k, %v, %band window = 3 causal : (tensor<2x7x4xf64>, tensor<2x7x4xf64>, tensor<2x7x4xf64>, tensor<7x3xf64>) -> tensor<2x7x4xf64>""",
               (2, 7, 4), lambda q, k, v, u, r: aft(q, k, v, local_bias(torch.stack(
                   [torch.stack([(u[t] * r[t + j - 2]).sum() if t + j >= 2 else u.sum() * 0
                                 for j in range(3)]) for t in range(7)]), 7, 3, True)),
               **sizes, u=(7, 2), r=(7, 2))
    yield conv("1-D", (9,), 8, 2, (3,))
    yield conv("1-D, a key per channel", (9,), 12, 12, (4,), lengths=[9, 5])
    yield conv("2-D", (3, 5), 8, 4, (3, 3))
    yield conv("2-D, a key per channel", (4, 3), 12, 12, (2, 5))
    yield conv("2-D, filter larger than the grid", (3, 2), 6, 3, (7, 5))
    yield conv("2-D, lengths", (3, 4), 20, 2, (3, 2), lengths=[7, 12])
    yield conv("2-D, heads of 24 channels", (3, 4), 48, 2, (3, 3))
    yield conv("3-D", (2, 3, 4), 8, 4, (3, 2, 3))
    yield conv("3-D, lengths", (3, 2, 3), 8, 8, (2, 3, 2), lengths=[11, 1])
    yield conv("2-D, an entry without keys", (3, 4), 16, 4, (3, 3), lengths=[0, 5])
    yield conv("2-D, filters of a large range", (4, 5), 24, 8, (3, 4), scale=60)
    yield conv("2-D, rows longer than a block", (3, 19), 16, 1, (3, 17))
    yield conv("2-D, rows longer than a block, a key per channel", (3, 19), 8, 8, (3, 17))
    yield conv("2-D, rows that are not written out", (2, 100), 48, 2, (2, 7))
    yield conv("2-D, rows that are not written out, a key per channel", (2, 100), 8, 8, (2, 7))
    yield conv("3-D, filters of a large range", (2, 3, 4), 8, 4, (3, 2, 3), lengths=[24, 9], scale=60)
    yield mixer("full", "full", "", lambda q, k, v, w: aft(q, k, v, w), **sizes, w=(7, 7))
    yield mixer("full causal", "full", "causal",
                lambda q, k, v, w: aft(q, k, v, mixer_weights(7, 7, w, True)), **sizes, w=(7, 7))


def lambda_pad(x, z):
    return F.pad(torch.cat([x[1:4, 0:8:2], x[0:5:2, 3:7], z]), (0, 2, 1, 0))


results = []
for case in cases():
    try:
        results.append(case.check())
    except RuntimeError as error:
        print(f"FAIL {case.name}: {error}")
        results.append(False)
print(f"{sum(results)} of {len(results)} passed")
sys.exit(0 if results and all(results) else 1)
