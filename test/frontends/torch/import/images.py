"""The simple form on images x [B, 16, H, W], and x [B, H, W, 16], whose places are laid end to end before they are
summed over, with one context for all rows and columns. As in public.py.
"""
import torch
import torch.nn as nn

from public import DIM, Layer


class Image(nn.Module):
    """Projections around a mixer of q, k and v."""

    raised = "simple"

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Conv2d(DIM, DIM, 1) for _ in range(4))

    def forward(self, x):
        return self.out(self.mix(self.q(x), self.k(x), self.v(x)))


class Flattened(Image):
    """A softmax over places, the context indexed as an image of one place."""

    def mix(self, q, k, v):
        context = (k.flatten(2).softmax(-1) * v.flatten(2)).sum(-1)
        return q.sigmoid() * context[:, :, None, None]


class FlattenedSums(Image):
    """The sums apart, the context expanded to all places."""

    def mix(self, q, k, v):
        B, C, H, W = q.shape
        weights = k.reshape(B, C, -1).exp()
        context = (weights * v.reshape(B, C, -1)).sum(-1) / weights.sum(-1)
        return q.relu() * context.view(B, C, 1, 1).expand(B, C, H, W)


class FlattenedHeads(Image):
    """Channels in heads, which the context is put together from."""

    def mix(self, q, k, v):
        B, C, H, W = q.shape
        k, v = (t.reshape(B, 4, C // 4, H * W) for t in (k, v))
        context = (k.softmax(-1) * v).sum(-1)
        return q.sigmoid() * context.reshape(B, C, 1, 1)


class FlattenedLetters(Image):
    """The context by one einsum, the gate by another. Decomposed, the first is a product whose batches are images
    and channels as one dimension, which runs as written."""

    raised_decomposed = ""

    def mix(self, q, k, v):
        context = torch.einsum("bcn,bcn->bc", k.flatten(2).softmax(-1), v.flatten(2))
        return torch.einsum("bchw,bc->bchw", q.sigmoid(), context)


class ChannelsLast(Layer):
    """[B, H, W, C] between linear layers."""

    raised = "simple"

    def mix(self, q, k, v):
        context = (k.flatten(1, 2).softmax(1) * v.flatten(1, 2)).sum(1)
        return q.sigmoid() * context[:, None, None]


KINDS = [Flattened, FlattenedSums, FlattenedHeads, FlattenedLetters]
LAST = [ChannelsLast]
