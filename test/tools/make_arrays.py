"""Writes .npy files into a folder: good ones, and every kind of damage."""
import os
import struct
import sys

import numpy as np

folder = sys.argv[1]


def save(name, array):
    np.save(os.path.join(folder, name + ".npy"), array)


def raw(name, content):
    with open(os.path.join(folder, name + ".npy"), "wb") as file:
        file.write(content)


def with_header(text, data=b"", version=1):
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def header(descr="<f4", order="False", shape="(3, 64)"):
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()


x = np.arange(3 * 64, dtype=np.float32).reshape(3, 64) / 64
save("x", x)
save("x64", x.astype(np.float64))
save("bias", np.ones(64, dtype=np.float32))
save("ints", np.ones((3, 64), dtype=np.int32))
save("half", np.ones((3, 64), dtype=np.float16))
save("narrow", np.ones((3, 63), dtype=np.float32))
save("flat", np.ones(64 * 3, dtype=np.float32))
save("empty", np.ones((0, 64), dtype=np.float32))
np.save(os.path.join(folder, "fortran.npy"), np.asfortranarray(x))
save("m", np.linspace(-2, 2, 40, dtype=np.float32).reshape(2, 5, 4))
save("n", np.array([5, 0], dtype=np.int32))
good = open(os.path.join(folder, "x.npy"), "rb").read()
raw("truncated", good[:-1])
raw("truncated-header", good[:40])
raw("nothing", b"")
for name, make in ("folder", os.mkdir), ("pipe", os.mkfifo):
    path = os.path.join(folder, name + ".npy")
    if not os.path.exists(path):
        make(path)
raw("no-npy", b"# not an array at all\n" * 10)
raw("version", good[:6] + b"\x09" + good[7:])
raw("huge-header", b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{}")
raw("huge-shape", with_header(header(shape="(9223372036854775807, 64)")))
raw("large-extent", with_header(header(shape="(99999999999999999999, 64)")))
raw("large-promise", with_header(header(shape="(1099511627776, 64)")))
raw("negative", with_header(header(shape="(-3, 64)")))
raw("no-shape", with_header(b"{'descr': '<f4', 'fortran_order': False}\n"))
raw("no-descr", with_header(b"{'fortran_order': False, 'shape': (3, 64)}\n"))
raw("no-order", with_header(b"{'descr': '<f4', 'shape': (3, 64)}\n"))
raw("odd-key", with_header(b"{'de\nscr': '<f4', 'fortran_order': False, 'shape': (3, 64)}\n"))
raw("odd-end", with_header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 64)} 0\n"))
raw("big-endian", with_header(header(descr=">f4"), b"\0" * 768))
raw("version-2", with_header(header(), x.tobytes(), version=2))
