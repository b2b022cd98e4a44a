"""Writes a small model as FOLDER/model.pt2 and FOLDER/model.pt, an input and what PyTorch makes of it,
as plain numbers.

usage: one.py FOLDER
"""
import os
import sys
import warnings

import torch
from torch.export import Dim, export

import zoo

warnings.simplefilter("ignore")
folder = sys.argv[1]
torch.manual_seed(11)
model = zoo.AFTFull(8, 16).eval()
x = torch.randn(2, 9, 8)
dynamic = ({0: Dim("B", min=1, max=4), 1: Dim("T", min=2, max=15)},)
torch.export.save(export(model, (torch.randn(3, 7, 8),), dynamic_shapes=dynamic),
                  os.path.join(folder, "model.pt2"))
torch.jit.script(model).save(os.path.join(folder, "model.pt"))
with torch.no_grad():
    x.numpy().tofile(os.path.join(folder, "x.bin"))
    model(x).numpy().tofile(os.path.join(folder, "y.bin"))
