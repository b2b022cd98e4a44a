"""Small models for the fuzz targets of .pt2 and .pt files."""
import torch
from torch import Tensor, nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(12)
        self.first = nn.Linear(12, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(self.norm(x))
        for i in range(2):
            y = y * 2 if i == 0 else y.relu()
        return y.reshape(x.size(0), 2, 3).sum(dim=1)


def scaled(x: Tensor, by: int = 2) -> Tensor:
    return x * by


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(12))
        self.register_buffer("shift", torch.zeros(12))

    def forward(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, [12], self.weight) + self.shift


class OneFile(nn.Module):
    """As Model, with little code, all of which TorchScript writes to one record."""

    def __init__(self):
        super().__init__()
        self.norm = Norm()
        self.first = nn.Parameter(torch.ones(12, 6))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.matmul(self.norm(x), self.first)
        for i in range(2):
            y = scaled(y) if i == 0 else y.relu()
        return y.reshape(x.size(0), 2, 3).sum(dim=1)
