"""Writes seeds of .pt2 and .pt files for the fuzz targets (see Models.h).

usage: make_models.py FOLDER
"""
import json
import os
import sys
import warnings
import zipfile

import torch
from torch.export import Dim, export

from model import Model, OneFile

warnings.simplefilter("ignore")
FOLDER = sys.argv[1]


def put(target, name, kind, content):
    os.makedirs(os.path.join(FOLDER, target), exist_ok=True)
    with open(os.path.join(FOLDER, target, name), "wb") as file:
        file.write(kind.encode() + content)


def seeds(target, base, kinds):
    """The file as a whole, and each record that an input may replace."""
    with open(base, "rb") as file:
        put(target, os.path.basename(base), "A", file.read())
    with zipfile.ZipFile(base) as archive:
        for record in archive.namelist():
            for kind, end in kinds.items():
                if record.endswith(end):
                    content = archive.read(record)
                    if end == "model.json":
                        content = shortened(content)
                    put(target, os.path.basename(record), kind, content)


def shortened(content):
    """Without what only messages show."""
    program = json.loads(content)
    for node in program["graph_module"]["graph"]["nodes"]:
        node["metadata"].pop("stack_trace", None)
    return json.dumps(program).encode()


def main():
    torch.manual_seed(0)
    model, x = Model().eval(), torch.randn(3, 12)
    os.makedirs(FOLDER, exist_ok=True)
    base = os.path.join(FOLDER, "base")
    program = export(model, (x,), dynamic_shapes=({0: Dim("B", min=1, max=64)},))
    torch.export.save(program, base + ".pt2")
    torch.jit.script(OneFile().eval()).save(base + ".pt")
    seeds("exported", base + ".pt2", {"P": "model.json", "W": "weights_config.json"})
    seeds("script", base + ".pt", {"C": "model.py", "D": "data.pkl", "K": "constants.pkl"})
    torch.jit.script(model).save(base + "-layers.pt")
    seeds("script", base + "-layers.pt", {})


main()
