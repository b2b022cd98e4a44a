"""The paper's models and Transformers of the same size in PyTorch.

A model is a dictionary of weights named as in aft/nn.h and functions on it. The
Transformer takes the same weights; heads have 64 channels, and it has no position bias.
"""
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

import torch_ops
import torch_peer

LEARNING_RATE, WEIGHT_DECAY, STEPS, TOKENS = 3e-3, 0.1, 3, 16


def load_weights(spec, folder, dtype):
    skip = {"ids", "images"}
    names = sorted(p.stem for p in Path(folder).glob("*.npy") if p.stem not in skip)
    return {name: torch_peer.load(folder, name, dtype) for name in names}


def linear(w, name, x):
    return F.linear(x, w[name + ".weight"], w[name + ".bias"])


def norm(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"])


def band(spec, w, name, length):
    """The band of the factorised bias: u[t] . v[t - s + 1 + j]."""
    window, u, v = spec["window"], w[name + ".u"][:length], w[name + ".v"][:length]
    keys = F.pad(v, (0, 0, window - 1, 0)).unfold(0, window, 1)
    return torch.matmul(u.unsqueeze(1), keys).squeeze(1)


def conv_filter(w, name):
    taps = w[name + ".filter"]
    axes = tuple(range(1, taps.dim()))
    variance, mean = torch.var_mean(taps, axes, correction=0, keepdim=True)
    shape = (-1,) + (1,) * len(axes)
    return (w[name + ".gamma"].reshape(shape) * (taps - mean) * torch.rsqrt(variance + 1e-5)
            + w[name + ".beta"].reshape(shape))


def mix(spec, w, name, q, k, v, form):
    """The mixer in a form of torch_ops."""
    kind, causal = spec["mixer"], spec["op"] != "image"
    inner = {**spec, "causal": causal}
    if kind == "local":
        return form(inner, q, k, v, band(spec, w, name, q.shape[1]))
    if kind == "conv":
        side = spec["image"] // 16
        return form({**inner, "grid": f"{side}x{side}"}, q, k, v, conv_filter(w, name))
    if kind == "full":
        length = q.shape[1]
        return form(inner, q, k, v, w[name + ".u"][:length] @ w[name + ".v"][:length].T)
    return form(inner, q, k, v)


def attention(spec, q, k, v, materialise):
    heads = max(1, spec["dim"] // 64)
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    causal = spec["op"] != "image"
    if not materialise:
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    else:
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        if causal:
            hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(hidden, float("-inf"))
        y = scores.softmax(-1) @ v
    return y.transpose(1, 2).flatten(-2)


def feed_forward(w, name, x):
    inner = linear(w, name + ".up", norm(w, name + ".norm2", x))
    return x + linear(w, name + ".down", F.gelu(inner))


def block(spec, w, name, x, form):
    """`form` is a function of torch_ops, or "sdpa" or "softmax" for a Transformer's block."""
    inner = norm(w, name + ".norm1", x)
    mixer = name + ".mixer"
    q, k, v = (linear(w, f"{mixer}.{part}", inner) for part in ("query", "key", "value"))
    if form in ("sdpa", "softmax"):
        y = attention(spec, q, k, v, form == "softmax")
    else:
        y = mix(spec, w, mixer, q, k, v, form)
    return feed_forward(w, name, x + linear(w, mixer + ".output", y))


def block_weights(w, layer):
    """Those of one block, named as if it were the only one: compiled code serves all."""
    prefix = f"blocks.{layer}."
    return {"block." + name[len(prefix):]: x for name, x in w.items() if name.startswith(prefix)}


def body(spec, w, x, form, run):
    for layer in range(spec["layers"]):
        x = run(block_weights(w, layer), x)
    return linear(w, "head", norm(w, "norm", x)) if spec["op"] != "image" else norm(w, "norm", x)


def language_model(spec, w, ids, form, run):
    x = w["tokens.weight"][ids] + w["positions"][: ids.shape[1]]
    return body(spec, w, x, form, run)


def classifier(spec, w, images, form, run):
    side = spec["image"] // 16
    patches = images.reshape(-1, 3, side, 16, side, 16).permute(0, 2, 4, 1, 3, 5)
    x = linear(w, "embed", patches.reshape(-1, side * side, 768))
    if "classToken" in w:
        x = torch.cat([w["classToken"].expand(x.shape[0], 1, -1), x], 1) + w["positions"]
    x = body(spec, w, x, form, run)
    return linear(w, "head", x[:, 0] if "classToken" in w else x.mean(1))


def mixer_forms(spec, compiled):
    inner = {"op": spec["mixer"], "causal": spec["op"] != "image", "dtype": spec["dtype"],
             "window": spec.get("window"), "length": spec.get("length", 197)}
    return torch_ops.candidates(inner, compiled)


def runner(spec, form, wrap):
    """A block as a function of its weights and its input."""
    return wrap(lambda w, x: block(spec, w, "block", x, form))


# --- training -----------------------------------------------------------------------------

def loss_of(spec, w, ids, form, run):
    logits = language_model(spec, w, ids[:, :-1], form, run)
    return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


class Training:
    """Forward, loss, reverse and AdamW."""

    def __init__(self, spec, folder, form, wrap, dtype=None):
        self.spec, self.form = spec, form
        self.weights = load_weights(spec, folder, dtype or torch_peer.DTYPES[spec["dtype"]])
        if form in ("sdpa", "softmax"):
            self.weights = {n: x for n, x in self.weights.items() if n[-2:] not in (".u", ".v")}
        self.ids = torch_peer.load(folder, "ids", torch.long)
        self.run = runner(spec, form, wrap)
        for weight in self.weights.values():
            weight.requires_grad_()
        self.optimiser = torch.optim.AdamW(self.weights.values(), lr=LEARNING_RATE,
                                           weight_decay=WEIGHT_DECAY, fused=True)

    def step(self):
        self.optimiser.zero_grad(set_to_none=False)
        loss = loss_of(self.spec, self.weights, self.ids, self.form, self.run)
        loss.backward()
        self.optimiser.step()
        return loss.detach()

    def losses(self):
        return {"losses": torch.stack([self.step() for _ in range(STEPS)]).double().numpy()}


# --- decoding -----------------------------------------------------------------------------

def shrink(a, b):
    return torch.exp(a - b).nan_to_num(0)


def bias_at(spec, w, name, position):
    """What the band of local has at a position: a row of u, and the rows of v in the window."""
    if spec["mixer"] != "local":
        return None
    return w[name + ".u"][position], w[name + ".v"][position - spec["window"] + 1: position + 1]


def mix_token(spec, q, k, v, bias, state):
    """One token [B,d] of a causal mixer: (y, state). State of simple: maximum, numerator and
    denominator; of local also the keys and values in the window before it."""
    m, n, z = state[:3]
    if spec["mixer"] == "simple":
        top = torch.maximum(m, k)
        old, own = shrink(m, top), torch.exp(k - top)
        n, z = n * old + own * v, z * old + own
        return torch.sigmoid(q) * (n / z), (top, n, z)
    keys, values = (torch.cat([x, y.unsqueeze(1)], 1) for x, y in zip(state[3:], (k, v)))
    u_row, v_rows = bias
    x = keys + (v_rows @ u_row).unsqueeze(1)
    top = torch.maximum(m, x.amax(1))
    weights, old = torch.exp(x - top.unsqueeze(1)), shrink(m, top)
    ratio = (n * old + (weights * values).sum(1)) / (z * old + weights.sum(1))
    m2 = torch.maximum(m, keys[:, 0])
    old, own = shrink(m, m2), torch.exp(keys[:, 0] - m2)
    state = (m2, n * old + own * values[:, 0], z * old + own, keys[:, 1:], values[:, 1:])
    return torch.sigmoid(q) * ratio, state


def attend_token(spec, q, k, v, position, state):
    """One token beside a cache of keys and values [B,heads,T,64], which it enters."""
    heads = max(1, spec["dim"] // 64)
    q, k, v = (x.unflatten(-1, (heads, -1)).unsqueeze(2) for x in (q, k, v))
    keys, values = state
    keys[:, :, position: position + 1], values[:, :, position: position + 1] = k, v
    y = F.scaled_dot_product_attention(q, keys[:, :, : position + 1], values[:, :, : position + 1])
    return y.flatten(1), state


def block_token(spec, w, name, x, place, state, form):
    """`place` is the position with softmax attention, else the bias there: compiled code that
    takes the position as a number is compiled again for each."""
    inner, mixer = norm(w, name + ".norm1", x), name + ".mixer"
    q, k, v = (linear(w, f"{mixer}.{part}", inner) for part in ("query", "key", "value"))
    if form == "sdpa":
        y, state = attend_token(spec, q, k, v, place, state)
    else:
        y, state = mix_token(spec, q, k, v, place, state)
    return feed_forward(w, name, x + linear(w, mixer + ".output", y)), state


def state_after(spec, k, v, count, form):
    """The state of a layer after `count` positions of keys and values [B,T,d]."""
    if form == "sdpa":
        heads = max(1, spec["dim"] // 64)
        return tuple(x.unflatten(-1, (heads, -1)).transpose(1, 2).contiguous() for x in (k, v))
    recent = spec["window"] - 1 if spec["mixer"] == "local" else 0
    old_k, old_v = k[:, : count - recent], v[:, : count - recent]
    m = old_k.amax(1)
    e = torch.exp(old_k - m.unsqueeze(1))
    state = (m, (e * old_v).sum(1), e.sum(1))
    if recent:
        state += (k[:, count - recent: count].clone(), v[:, count - recent: count].clone())
    return state


class Decoding:
    """The last tokens of the sequences one by one, after all others were taken in at once."""

    def __init__(self, spec, folder, form, wrap):
        self.spec = spec
        self.w = load_weights(spec, folder, torch_peer.DTYPES[spec["dtype"]])
        self.ids = torch_peer.load(folder, "ids", torch.long)
        self.first = spec["length"] - TOKENS
        self.layers = [block_weights(self.w, i) for i in range(spec["layers"])]
        self.states = self.prefill(form)
        self.places = lambda w, position: (
            position if form == "sdpa" else bias_at(spec, w, "block.mixer", position))
        self.token = wrap(lambda w, x, place, state: block_token(spec, w, "block", x, place, state,
                                                                 form))

    @torch.no_grad()
    def prefill(self, form):
        whole = mixer_forms(self.spec, False)[0] if form != "sdpa" else "sdpa"
        x = self.w["tokens.weight"][self.ids] + self.w["positions"][: self.spec["length"]]
        states = []
        for w in self.layers:
            inner = norm(w, "block.norm1", x)
            k, v = (linear(w, f"block.mixer.{part}", inner) for part in ("key", "value"))
            states.append(state_after(self.spec, k, v, self.first, form))
            x = block(self.spec, w, "block", x, whole)
        return states

    @torch.no_grad()
    def run(self):
        states, logits = list(self.states), []
        for position in range(self.first, self.spec["length"]):
            x = self.w["tokens.weight"][self.ids[:, position]] + self.w["positions"][position]
            for i, w in enumerate(self.layers):
                x, states[i] = self.token(w, x, self.places(w, position), states[i])
            logits.append(linear(self.w, "head", norm(self.w, "norm", x)))
        return logits

    def results(self):
        return {"logits": torch_peer.plain(torch.stack(self.run(), 1))}


# --- the peers ----------------------------------------------------------------------------

def _train(spec, folder, form, wrap):
    training = Training(spec, folder, form, wrap)
    softmax = form in ("sdpa", "softmax")
    return training.step, None if softmax else training.losses


def _image(spec, folder, form, wrap):
    dtype = torch_peer.DTYPES[spec["dtype"]]
    w, images = load_weights(spec, folder, dtype), torch_peer.load(folder, "images", dtype)
    if form == "sdpa":
        w = deit(spec, w)
    run = runner(spec, form, lambda f: f)
    model = wrap(lambda x: classifier(spec, w, x, form, run))

    def work():
        with torch.no_grad():
            return model(images)
    return work, None if form == "sdpa" else lambda: {"logits": torch_peer.plain(work())}


def deit(spec, w):
    """DeiT's weights: keys of full width, a class token and positions."""
    dim, draw = spec["dim"], torch.Generator().manual_seed(1)
    w = dict(w)
    w.setdefault("classToken", torch.zeros(1, 1, dim))
    w.setdefault("positions", torch.randn((spec["image"] // 16) ** 2 + 1, dim, generator=draw))
    for name in [n for n in w if ".mixer.key." in n]:
        w[name] = w[name.replace(".key.", ".query.")]
    return w


def _decode(spec, folder, form, wrap):
    decoding = Decoding(spec, folder, form, wrap)
    return decoding.run, None if form == "sdpa" else decoding.results


def forms(spec, folder, peer):
    make = {"train": _train, "image": _image, "decode": _decode}[spec["op"]]
    suffix = ""
    if spec["dtype"] == "bf16" and not torch_ops.has_bf16_products():
        spec, suffix = {**spec, "dtype": "f32"}, "_f32"
    if peer in ("sdpa", "softmax"):
        return [(peer + suffix, lambda: make(spec, folder, peer, lambda f: f))]
    compiled = peer == "inductor"
    wrap = torch_peer.compiled if compiled else (lambda f: f)
    found = mixer_forms({**spec, "dtype": "f32"}, compiled)
    if spec["op"] == "decode":
        found = found[:1]
    return [(form.__name__ + suffix, lambda form=form: make(spec, folder, form, wrap))
            for form in found]


@torch.no_grad()
def _logits(spec, folder, form, run):
    w = load_weights(spec, folder, torch.float64)
    if spec["op"] == "image":
        images = torch_peer.load(folder, "images", torch.float64)
        return {"logits": classifier(spec, w, images, form, run).numpy()}
    ids = torch_peer.load(folder, "ids", torch.long)
    return {"logits": language_model(spec, w, ids, form, run)[:, -TOKENS:].numpy()}


def truth(spec, folder):
    """In f64; a training step computes blocks again rather than keep what they need."""
    form = mixer_forms({**spec, "dtype": "f64"}, False)[0]
    if spec["op"] != "train":
        return _logits(spec, folder, form, runner(spec, form, lambda f: f))

    def again(function):
        return lambda w, x: checkpoint(function, w, x, use_reentrant=False)
    return Training(spec, folder, form, again, torch.float64).losses()
