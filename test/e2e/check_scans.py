"""Compiled running sums and flips against NumPy in double precision.

usage: check_scans.py AFT-RUN [--only=TEXT] [other options of aft-run]
"""
import numpy as np

from cases import case, main, normal, rng
from programs import Program

#
# Running sums, which are written as sums over all pairs of places.
#

def running_sum(shape, axis, order="ule", element="f32", dynamic=(), narrow=False):
    x = normal(*shape, element=element) if element[0] != "i" else rng.integers(-9, 9, shape)
    wide = "f32" if element == "bf16" and not narrow else element
    y = np.flip(np.cumsum(np.flip(x, axis), axis), axis) if "g" in order else np.cumsum(x, axis)
    if order[-1] == "t":
        y = y - x
    p = Program()
    p.give(p.paired(p.arg(x, element, dynamic), axis,
                    lambda s, t, c: [f"{c} = arith.cmpi {order}, {s}, {t} : index"], wide))
    case(f"running sum {shape} {axis} {order} {element}" + " dynamic" * bool(dynamic) +
         " narrow" * narrow, p, [y])


for order in ("ule", "ult", "uge", "ugt"):
    running_sum((2, 37, 20), 1, order)
    running_sum((5, 33), 1, order, dynamic=(0, 1))
running_sum((2, 4096, 24), 1, dynamic=(0, 1))
running_sum((2, 4096, 24), 1, "uge", dynamic=(0, 1))
running_sum((3, 4096), 1)
running_sum((4096, 1), 0)
running_sum((1, 65536, 16), 1)
running_sum((2, 129, 70), 1, element="bf16")
running_sum((2, 129, 70), 1, element="bf16", narrow=True)
running_sum((2, 129, 70), 1, element="f64")
running_sum((2, 129, 70), 1, element="i64")
running_sum((1, 7, 3), 1, dynamic=(0, 1, 2))


def flipped(shape, axis, element="f32", dynamic=False):
    x = normal(*shape, element=element)
    p = Program()
    v = p.arg(x, element, tuple(range(len(shape))) if dynamic else ())
    last = p.sum(v.dims[axis], -1)
    if isinstance(last, int):
        last = p.index(last)
    p.give(p.paired(v, axis, lambda s, t, c: [f"{c}b = arith.addi {s}, {t} : index",
                                              f"{c} = arith.cmpi eq, {c}b, {last} : index"],
                    element))
    case(f"flipped {shape} {axis}" + (" dynamic" if dynamic else ""), p, [np.flip(x, axis)])


flipped((2, 9, 5), 1)
flipped((2, 9, 5), 2, dynamic=True)
flipped((4096, 3), 0, dynamic=True)


main()
