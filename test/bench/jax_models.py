"""The paper's models in JAX, as torch_models has them."""
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jax_peer

LEARNING_RATE, WEIGHT_DECAY, STEPS = 3e-3, 0.1, 3
BETAS, EPS = (0.9, 0.999), 1e-8


def load_weights(folder, dtype):
    names = sorted(p.stem for p in Path(folder).glob("*.npy") if p.stem not in ("ids", "images"))
    return {name: jax_peer.load(folder, name, dtype) for name in names}


def linear(w, name, x):
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def norm(w, name, x):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * w[name + ".weight"] + w[name + ".bias"]


def bias_of(spec, w, name, length):
    """What the mixer's form takes after q, k and v."""
    kind = spec["mixer"]
    if kind == "local":
        u, v = w[name + ".u"][:length], w[name + ".v"][:length]
        window = spec["window"]
        padded = jnp.pad(v, ((window - 1, 0), (0, 0)))
        keys = jnp.stack([padded[tap: tap + length] for tap in range(window)], 1)
        return (jnp.einsum("tr,tjr->tj", u, keys),)
    if kind == "full":
        return (w[name + ".u"][:length] @ w[name + ".v"][:length].T,)
    if kind == "conv":
        taps = w[name + ".filter"]
        mean = taps.mean((1, 2), keepdims=True)
        variance = taps.var((1, 2), keepdims=True)
        shape = (-1, 1, 1)
        return (w[name + ".gamma"].reshape(shape) * (taps - mean) * jax.lax.rsqrt(variance + 1e-5)
                + w[name + ".beta"].reshape(shape),)
    return ()


def body(spec, w, x, form):
    inner = {**spec, "causal": spec["op"] != "image"}
    if spec["mixer"] == "conv":
        side = spec["image"] // 16
        inner["grid"] = f"{side}x{side}"
    for layer in range(spec["layers"]):
        name = f"blocks.{layer}"
        y, mixer = norm(w, name + ".norm1", x), name + ".mixer"
        q, k, v = (linear(w, f"{mixer}.{part}", y) for part in ("query", "key", "value"))
        y = form(inner, q, k, v, *bias_of(spec, w, mixer, x.shape[1]))
        x = x + linear(w, mixer + ".output", y)
        y = jax.nn.gelu(linear(w, name + ".up", norm(w, name + ".norm2", x)), approximate=False)
        x = x + linear(w, name + ".down", y)
    return norm(w, "norm", x)


def loss_of(spec, form, w, ids):
    x = w["tokens.weight"][ids[:, :-1]] + w["positions"][: ids.shape[1] - 1]
    logits = linear(w, "head", body(spec, w, x, form))
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), ids[:, 1:, None], -1).mean()


def update(w, gradient, m, v, count):
    """AdamW on one parameter, as torch.optim.AdamW."""
    m = BETAS[0] * m + (1 - BETAS[0]) * gradient
    v = BETAS[1] * v + (1 - BETAS[1]) * gradient * gradient
    size = jnp.sqrt(v / (1 - BETAS[1] ** count)) + EPS
    w = w * (1 - LEARNING_RATE * WEIGHT_DECAY)
    return w - LEARNING_RATE * (m / (1 - BETAS[0] ** count)) / size, m, v


class Training:
    def __init__(self, spec, folder, form):
        dtype = jax_peer.DTYPES[spec["dtype"]]
        self.w = load_weights(folder, dtype)
        self.m = {name: jnp.zeros_like(x) for name, x in self.w.items()}
        self.v = {name: jnp.zeros_like(x) for name, x in self.w.items()}
        self.ids, self.count = jnp.asarray(np.load(Path(folder) / "ids.npy")), 0

        def step(w, m, v, count, ids):
            loss, gradients = jax.value_and_grad(partial(loss_of, spec, form))(w, ids)
            new = {n: update(w[n], gradients[n], m[n], v[n], count) for n in w}
            return (loss, *({n: x[i] for n, x in new.items()} for i in range(3)))
        self.jitted = jax.jit(step, donate_argnums=(0, 1, 2))

    def step(self):
        self.count += 1
        loss, self.w, self.m, self.v = self.jitted(self.w, self.m, self.v,
                                                   jnp.float32(self.count), self.ids)
        jax.block_until_ready(self.w)
        return loss

    def losses(self):
        return {"losses": np.array([float(self.step()) for _ in range(STEPS)])}


def _train(spec, folder, form):
    training = Training(spec, folder, form)
    return training.step, training.losses


def _image(spec, folder, form):
    dtype = jax_peer.DTYPES[spec["dtype"]]
    w, images = load_weights(folder, dtype), jax_peer.load(folder, "images", dtype)

    def classify(w, images):
        side = spec["image"] // 16
        patches = images.reshape(-1, 3, side, 16, side, 16).transpose(0, 2, 4, 1, 3, 5)
        x = linear(w, "embed", patches.reshape(-1, side * side, 768))
        if "classToken" in w:
            token = jnp.broadcast_to(w["classToken"], (x.shape[0], 1, x.shape[2]))
            x = jnp.concatenate([token, x], 1) + w["positions"]
        x = body(spec, w, x, form)
        return linear(w, "head", x[:, 0] if "classToken" in w else x.mean(1))
    jitted = jax.jit(classify)

    def work():
        return jax.block_until_ready(jitted(w, images))
    return work, lambda: {"logits": jax_peer.plain(work())}


def forms(spec, folder):
    make = {"train": _train, "image": _image}[spec["op"]]
    inner = {"op": spec["mixer"], "causal": spec["op"] != "image", "dtype": "f32",
             "window": spec.get("window"), "length": spec.get("length", 197)}
    # The first two: compiling a whole model takes a while.
    return [(form.__name__, lambda form=form: make(spec, folder, form))
            for form in jax_peer.candidates(inner)[:2]]
