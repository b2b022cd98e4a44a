"""Mixers whose distances, and what follows from them, lie in tables: in buffers, in plain attributes, or as the
export folds them. As in public.py.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from public import DIM, LENGTH, LONGEST, Layer

HEADS = 4


def apart(n):
    at = torch.arange(n)
    return at[:, None] - at[None, :]


class Vision(Layer):
    """Vision-RWKV's both-sided decay, -(|t - t'| - 1) / T a channel's decay, and its bonus at the query."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.decay, self.first = nn.Parameter(torch.randn(DIM)), nn.Parameter(torch.randn(DIM))
        self.keep(-(apart(LENGTH).abs().float() - 1) / LENGTH)

    def keep(self, table):
        self.register_buffer("table", table)

    def steps(self):
        return self.table

    def mix(self, q, k, v):
        w = self.steps()[:, :, None] * self.decay
        w = torch.where(torch.eye(LENGTH, dtype=torch.bool)[:, :, None], self.first, w)
        return torch.sigmoid(q) * (torch.softmax(w + k[:, None], dim=2) * v[:, None]).sum(2)


class VisionAttribute(Vision):
    """The table is no buffer."""

    def keep(self, table):
        self.table = table


class VisionComputed(Vision):
    """What the export records, and the capture computes once."""

    def keep(self, table):
        pass

    def steps(self):
        return -(apart(LENGTH).abs().float() - 1) / LENGTH


class VisionWhole(Vision):
    """Distances as whole numbers, the rest computed."""

    def keep(self, table):
        self.register_buffer("table", apart(LENGTH).abs())

    def steps(self):
        return -(self.table.float() - 1) / LENGTH


class PerHead(Layer):
    """A table of weights for each head."""

    raised = "conv"

    def __init__(self):
        super().__init__()
        self.register_buffer("weights", self.table(1 - 2.0 ** (-1 - torch.arange(float(HEADS)))[:, None, None]))

    def mix(self, q, k, v):
        B, T, C = q.shape
        k, v = (t.view(B, T, HEADS, -1).transpose(1, 2) for t in (k, v))
        w, k = self.weights, k.exp()
        y = torch.einsum("hts,bhsd->bhtd", w, k * v) / torch.einsum("hts,bhsd->bhtd", w, k)
        return q.sigmoid() * y.transpose(1, 2).reshape(B, T, C)


class Retention(PerHead):
    """RetNet's: decay ** (t - t'), 0 behind the query."""

    def table(self, decay):
        return (decay ** apart(LENGTH)).tril()


class RetentionFilled(PerHead):
    """The same by inf, exp and nan_to_num, divided by the root of each head's first row's sum."""

    def table(self, decay):
        d = apart(LENGTH)
        steps = torch.masked_fill(d.float(), d < 0, float("inf"))
        mask = torch.nan_to_num(torch.exp(steps * decay.log()))
        return mask / mask.sum(dim=-1, keepdim=True)[:, -1:].sqrt()


class Vanishing(PerHead):
    """Decays so steep that far weights are 0, and some are no normal numbers."""

    def table(self, decay):
        return (decay * 1e-8) ** apart(LENGTH).abs()


class Rounded(PerHead):
    """Sums of logarithms, where equal distances differ in their last digits."""

    def table(self, decay):
        steps = decay.log().expand(HEADS, LENGTH, 1).cumsum(dim=1)
        return (steps - steps.mT).exp().tril()


class Bump(PerHead):
    """A bias that is a triangle within a window."""

    def table(self, decay):
        return (F.relu(1 - apart(LENGTH).abs() / 4) * decay).exp()


class ChannelsLast(Layer):
    """[t, t', channel]"""

    raised = "conv"

    def __init__(self):
        super().__init__()
        slopes = torch.linspace(0.1, 1, DIM)
        hidden = torch.full((LENGTH, LENGTH), -math.inf).triu(1)
        self.bias = nn.Buffer(-apart(LENGTH)[:, :, None] * slopes + hidden[:, :, None])

    def mix(self, q, k, v):
        return q.sigmoid() * (torch.softmax(self.bias + k[:, None], 2) * v[:, None]).sum(2)


class UsedTwice(PerHead):
    """What else reads the table gets it."""

    def table(self, decay):
        return Retention.table(self, decay)

    def mix(self, q, k, v):
        return super().mix(q, k, v) + torch.einsum("hts,bsd->btd", self.weights, v)


class Alone(Layer):
    """One decay for all channels."""

    raised = "full"

    def __init__(self):
        super().__init__()
        self.register_buffer("weights", 0.9 ** apart(LENGTH).abs())

    def mix(self, q, k, v):
        return q.sigmoid() * (self.weights @ (k.exp() * v)) / (self.weights @ k.exp())


class Irregular(Layer):
    """A bias for each channel and pair that follows from nothing."""

    raised = ""

    def __init__(self):
        super().__init__()
        self.register_buffer("bias", torch.randn(LENGTH, LENGTH, DIM))

    def mix(self, q, k, v):
        return q.sigmoid() * (torch.softmax(self.bias + k[:, None], 2) * v[:, None]).sum(2)


class Computed(PerHead):
    """RetNet's mask as it is written, computed in each call."""

    def __init__(self):
        Layer.__init__(self)
        self.register_buffer("decay", torch.log(1 - 2.0 ** (-1 - torch.arange(float(HEADS))))[:, None, None])

    @property
    def weights(self):
        at = torch.arange(LENGTH).float()
        later = torch.ones(LENGTH, LENGTH).triu(1).bool()
        steps = torch.masked_fill(at[:, None] - at[None, :], later, float("inf"))
        mask = torch.nan_to_num(torch.exp(steps * self.decay))
        return mask / mask.sum(dim=-1, keepdim=True).sqrt()


class Learned(Computed):
    """The decay as a parameter; one is 0, whose product with inf is no number."""

    def __init__(self):
        Layer.__init__(self)
        self.p = nn.Parameter(torch.tensor([-200.0, -1.0, 0.0, 1.0])[:, None, None])

    @property
    def decay(self):
        return -torch.exp(self.p)


ROWS, COLUMNS = 3, 4


class Window(PerHead):
    """Swin's relative positions on a grid: a learned table that a buffer of places looks up."""

    def __init__(self):
        Layer.__init__(self)
        self.table = nn.Parameter(torch.randn((2 * ROWS - 1) * (2 * COLUMNS - 1), HEADS))
        at = torch.stack(torch.meshgrid(torch.arange(ROWS), torch.arange(COLUMNS), indexing="ij")).flatten(1)
        steps = (at[:, :, None] - at[:, None, :]).permute(1, 2, 0) + torch.tensor([ROWS - 1, COLUMNS - 1])
        self.register_buffer("index", steps[..., 0] * (2 * COLUMNS - 1) + steps[..., 1])

    @property
    def weights(self):
        return self.table[self.index.view(-1)].view(LENGTH, LENGTH, -1).permute(2, 0, 1).exp()


class Mirrored(PerHead):
    """LeViT's: the same number to both sides."""

    def __init__(self):
        Layer.__init__(self)
        at = [(y, x) for y in range(ROWS) for x in range(COLUMNS)]
        places = {}
        index = [places.setdefault((abs(a[0] - b[0]), abs(a[1] - b[1])), len(places)) for a in at for b in at]
        self.table = nn.Parameter(torch.randn(HEADS, len(places)))
        self.register_buffer("index", torch.tensor(index).view(LENGTH, LENGTH))

    @property
    def weights(self):
        return self.table[:, self.index].exp()


class Shuffled(Window):
    """Places that follow from nothing."""

    raised = "full"

    def __init__(self):
        super().__init__()
        self.index = self.index.flatten()[torch.randperm(LENGTH * LENGTH)].view(LENGTH, LENGTH)


class Overflowing(Layer):
    """Weights beyond the largest number are that."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(LONGEST, LONGEST) * 40)

    def mix(self, q, k, v):
        T = q.size(1)
        w, k = torch.nan_to_num(torch.exp(self.bias[:T, :T])), torch.exp(k - 60)
        return q.sigmoid() * (w @ (k * v)) / (w @ k)


class Slice(Layer):
    """As much of a table as there are places."""

    raised = "full"

    def __init__(self):
        super().__init__()
        self.register_buffer("bias", (-apart(LONGEST) * 0.25).masked_fill(apart(LONGEST) < 0, -math.inf))

    def mix(self, q, k, v):
        T = q.size(1)
        w = torch.exp(self.bias[:T, :T])
        return q.sigmoid() * (w @ (k.exp() * v)) / (w @ k.exp())


class SlicedWeights(Layer):
    """Weights, of which most are 0."""

    raised = "full"

    def __init__(self):
        super().__init__()
        self.register_buffer("weights", (1e-10 ** apart(LONGEST).abs()).float())

    def mix(self, q, k, v):
        w = self.weights[:q.size(1), :q.size(1)]
        return q.sigmoid() * (w @ (k.exp() * v)) / (w @ k.exp())


FREE = [Overflowing, Slice, SlicedWeights]
FIXED = [Vision, VisionAttribute, VisionComputed, VisionWhole, Retention, RetentionFilled, Vanishing, Rounded,
         Bump, ChannelsLast, UsedTwice, Computed, Learned, Alone, Irregular, Window, Mirrored, Shuffled]
