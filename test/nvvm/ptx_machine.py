"""A machine that runs the PTX of kernels, thread by thread, where there is no GPU.

It knows the instructions that the compiler's kernels consist of and refuses others. Threads
of a block run until they wait for each other: at a barrier all of them must arrive, at an
instruction of a warp all of its threads. Copies in the background happen when they are
waited for, and not before. Where threads share memory, one must not read or write what
another has written, nor write what another has read, since the last barrier.
"""
import ctypes
import math
import re
import struct

import numpy as np

WARP = 32


def rounded(x):
    """The nearest f32."""
    return ctypes.c_float(x).value


def float_of(bits):
    return struct.unpack("<f", struct.pack("<I", bits & 0xffffffff))[0]


def bits_of(x):
    return ctypes.c_uint32.from_buffer(ctypes.c_float(x)).value


def double_of(bits):
    return struct.unpack("<d", struct.pack("<Q", bits & (1 << 64) - 1))[0]


def double_bits_of(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def bf16_of(x):
    """The bits of the nearest bf16, of two the even one."""
    bits = bits_of(x)
    if x != x:
        return 0x7fff
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16 & 0xffff


def tf32_of(x):
    """The bits of the nearest f32 with 10 bits of mantissa, of two the one farther from 0."""
    return bits_of(x) + 0x1000 & 0xffffe000 if x == x else 0x7fffffff


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


class Thread:
    def __init__(self, number, block, threads, parameters):
        self.r = {"%tid.x": number, "%ctaid.x": block, "%ntid.x": threads, "%laneid": number % WARP}
        self.number, self.parameters, self.pc, self.waits = number, parameters, 0, None
        self.copies, self.groups = [], []


class Machine:
    """One kernel of a module; `memory` is the global one, at addresses from `base` on."""

    def __init__(self, text, kernel, memory, base=1 << 20):
        self.memory, self.base, self.symbols, shared = memory, base, {}, 0
        # Arrays, or what LLVM has made of short ones, at multiples of up to 16 bytes.
        for bits, name, size in re.findall(r"\.shared \.align \d+ \.[bf](\d+) ([^\s\[;]+)(?:\[(\d+)\])?;", text):
            self.symbols[name] = shared
            shared += (int(bits) // 8 * int(size or 1) + 15) // 16 * 16
        self.shared = bytearray(shared)
        # Of each two bytes: when, and by which thread (-1: several), they were touched last.
        self.now, self.written, self.read = 0, [(-1, 0)] * (shared // 2), [(-1, 0)] * (shared // 2)
        entry = re.search(rf"\.entry {re.escape(kernel)}\((.*?)\)(.*?)\n\{{(.*?)\n\}}", text, re.S)
        self.parameters = re.findall(r"(\S+_param_\d+)", entry.group(1))
        self.threads = int(re.search(r"\.maxntid (\d+)", entry.group(2)).group(1))
        self.code, self.labels = [], {}
        for line in re.split(r";|(?<=:)\n", re.sub(r"//[^\n]*", "", entry.group(3))):
            # LLVM has registers of its own within braces.
            line = " ".join(line.split()).lstrip("} ")
            if line.endswith(":"):
                self.labels[line[:-1]] = len(self.code)
            elif line and not line.startswith((".", "{")):
                self.code.append(self.parse(line))

    @staticmethod
    def parse(line):
        guard, name, rest = re.match(r"(?:@(!?%\w+) )?([\w.:]+)\s*(.*)", line).groups()
        operands = [o.strip() for o in re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,{}\[\]]+", rest) if o.strip()]
        lists = [[x.strip() for x in o[1:-1].split(",")] if o.startswith("{") else o for o in operands]
        return guard, name.split("."), lists

    # Operands.
    def value(self, t, operand):
        if operand in t.r:
            return t.r[operand]
        if operand.startswith("0f"):
            return float_of(int(operand[2:], 16))
        if operand.startswith("0d"):
            return double_of(int(operand[2:], 16))
        if operand in self.symbols:
            return self.symbols[operand]
        if re.fullmatch(r"-?\d+|0x[0-9a-fA-F]+", operand):
            return int(operand, 0)
        raise ValueError(f"{operand} has no value")

    def number(self, t, operand, kind):
        """As an instruction of type `kind` sees it."""
        value = self.value(t, operand)
        if kind == "pred":
            return bool(value)
        if kind == "bf16":
            return float_of(value << 16)
        bits = int(kind[1:])
        if kind[0] == "f":
            return value if isinstance(value, float) else double_of(value) if bits == 64 else float_of(value)
        if isinstance(value, float):
            value = double_bits_of(value) if bits == 64 else bits_of(value)
        return signed(value, bits) if kind[0] == "s" else int(value) & ((1 << bits) - 1)

    def put(self, t, register, value):
        if register.startswith("%fd"):
            value = value if isinstance(value, float) else double_of(value)
        elif register.startswith("%f"):
            value = rounded(value) if isinstance(value, float) else float_of(value)
        elif register.startswith("%p"):
            value = bool(value)
        else:
            bits = 64 if register.startswith("%rd") else 16 if register.startswith("%rs") else 32
            if isinstance(value, float):
                value = double_bits_of(value) if bits == 64 else bits_of(value)
            value = int(value) & ((1 << bits) - 1)
        t.r[register] = value

    def place(self, t, operand, space):
        """Memory and where in it."""
        name, offset = re.fullmatch(r"\[([^+]+)(?:\+(-?\d+))?\]", operand).groups()
        address = self.value(t, name) + int(offset or 0)
        memory = self.shared if space == "shared" else self.memory
        address -= 0 if space == "shared" else self.base
        if not 0 <= address < len(memory):
            raise IndexError(f"{operand} is outside of {space} memory")
        return memory, address

    def touch(self, t, at, size, writes):
        """Has a thread read or write shared memory."""
        for i in range(at // 2, (at + size + 1) // 2):
            when, who = self.read[i]
            others_read = when == self.now and who != t.number
            if (self.written[i][0] == self.now and self.written[i][1] != t.number) or (writes and others_read):
                raise RuntimeError(f"thread {t.number} {'writes' if writes else 'reads'} shared memory at "
                                   f"{2 * i}, which others touch without a barrier in between")
            if writes:
                self.written[i] = (self.now, t.number)
            else:
                self.read[i] = (self.now, -1 if others_read else t.number)

    # Instructions.
    def step(self, t):
        """Executes one; what the thread then waits for, or nothing."""
        guard, name, ops = self.code[t.pc]
        if guard and bool(t.r[guard.lstrip("!")]) == guard.startswith("!"):
            t.pc += 1
            return None
        if name[0] in ("bar", "ret", *self.TOGETHER):
            return name[0]
        t.pc += 1
        if name[0] == "bra":
            t.pc = self.labels[ops[0]]
        elif name[0] in ("ld", "st"):
            self.access(t, name, ops)
        elif name[0] == "cp":
            self.copy(t, name, ops)
        elif name[0] == "cvta":
            self.put(t, ops[0], self.value(t, ops[1]))
        elif name[0] == "mov" and isinstance(ops[0], list):
            bits = int(name[1][1:]) // len(ops[0])
            for i, register in enumerate(ops[0]):
                self.put(t, register, self.number(t, ops[1], name[1]) >> bits * i)
        else:
            self.put(t, ops[0], self.compute(t, name, ops))
        return None

    def access(self, t, name, ops):
        kind, space = name[-1], name[1]
        place, registers = (ops[1], ops[0]) if name[0] == "ld" else ops
        registers = registers if isinstance(registers, list) else [registers]
        if space == "param":
            return self.put(t, registers[0], t.parameters[self.parameters.index(place[1:-1])])
        memory, at = self.place(t, place, space)
        size = int(kind[1:]) // 8
        if at % (size * len(registers)):
            raise ValueError(f"{'.'.join(name)} at {at}: not aligned")
        if space == "shared":
            self.touch(t, at, size * len(registers), name[0] == "st")
        for i, register in enumerate(registers):
            part = slice(at + i * size, at + (i + 1) * size)
            if name[0] == "ld":
                self.put(t, register, int.from_bytes(memory[part], "little"))
            else:
                memory[part] = self.number(t, register, f"b{size * 8}").to_bytes(size, "little")

    def copy(self, t, name, ops):
        if name[2] == "commit_group":
            t.groups.append(t.copies)
            t.copies = []
        elif name[2] == "wait_group":
            while len(t.groups) > int(ops[0]):
                for to, at, source, start in t.groups.pop(0):
                    self.touch(t, at, 16, writes=True)
                    to[at:at + 16] = source[start:start + 16]
        else:
            to, at = self.place(t, ops[0], "shared")
            source, start = self.place(t, ops[1], "global")
            if at % 16 or start % 16:
                raise ValueError("a copy in the background is not aligned")
            self.touch(t, at, 16, writes=True)
            t.copies.append((to, at, source, start))

    def compute(self, t, name, ops):
        kind, op = name[-1], name[0]
        get = lambda i, kind=kind: self.number(t, ops[i], kind)
        if op == "setp":
            a, b = get(1), get(2)
            ordered = a == a and b == b
            test = name[1]
            if "f" in kind and test.endswith("u"):
                return not ordered or self.test(test[:-1], a, b)
            return self.test(test, a, b) and (ordered or test in ("ne", "neu"))
        if op == "selp":
            return get(1) if self.value(t, ops[3]) else get(2)
        if op == "cvt":
            return self.convert(t, name, ops)
        if op == "mov":
            return self.value(t, ops[1]) if not isinstance(ops[1], list) else sum(
                self.number(t, o, f"b{int(kind[1:]) // len(ops[1])}") << int(kind[1:]) // len(ops[1]) * i
                for i, o in enumerate(ops[1]))
        if op in ("mul", "mad") and kind[0] != "f":
            product = get(1) * get(2)
            product = product >> int(kind[1:]) if "hi" in name else product
            wide = kind[0] + str(2 * int(kind[1:])) if "wide" in name else kind
            return product + (self.number(t, ops[3], wide) if op == "mad" else 0)
        if op in ("shl", "shr"):
            count = self.number(t, ops[2], "u32")
            return get(1) << min(count, 64) if op == "shl" else get(1) >> count
        if op == "bfe":
            return get(1) >> self.number(t, ops[2], "u32") & (1 << self.number(t, ops[3], "u32")) - 1
        if op == "not":
            return ~get(1) if kind != "pred" else not get(1)
        if op in ("neg", "abs"):
            return -get(1) if op == "neg" else abs(get(1))
        if op in ("rcp", "div") and kind[0] == "f":
            with np.errstate(all="ignore"):
                return float(np.divide(*((1.0, get(1)) if op == "rcp" else (get(1), get(2)))))
        if op == "sqrt" and name[1] == "rn":
            return math.sqrt(get(1)) if get(1) >= 0 else math.nan
        if op == "ex2":
            # Numbers that are not normal count for 0, as operands and as results.
            with np.errstate(all="ignore"):
                power = float(np.exp2(get(1)))
            return 0.0 if power < 2.0 ** -126 else rounded(power)
        if op in ("min", "max") and "NaN" in name:
            a, b = get(1), get(2)
            return a if a != a else b if b != b else min(a, b) if op == "min" else max(a, b)
        if op == "fma":
            # Exactly, then rounded: products of two f32 are exact in f64.
            if kind != "f32":
                raise NotImplementedError(".".join(name))
            return rounded(get(1) * get(2) + get(3))
        simple = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
                  "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
                  "min": lambda a, b: b if a != a else a if b != b else min(a, b),
                  "max": lambda a, b: b if a != a else a if b != b else max(a, b),
                  "rem": lambda a, b: math.fmod(a, b) if kind[0] == "f" else a % b,
                  "div": lambda a, b: a // b}
        if op not in simple:
            raise NotImplementedError(".".join(name))
        return simple[op](get(1), get(2))

    @staticmethod
    def test(test, a, b):
        return {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b,
                "lo": a < b, "ls": a <= b, "hi": a > b, "hs": a >= b, "num": a == a and b == b,
                "nan": a != a or b != b}[test]

    def convert(self, t, name, ops):
        to, kind = name[-2], name[-1]
        if to == "bf16x2":
            high, low = (self.number(t, o, "f32") for o in ops[1:3])
            return bf16_of(high) << 16 | bf16_of(low)
        value = self.number(t, ops[1], kind)
        if to == "bf16":
            return bf16_of(value)
        if to == "tf32":
            if name[1] != "rna":
                raise NotImplementedError(".".join(name))
            return tf32_of(value)
        if kind[0] == "f" and to[0] in "su":
            return {"rni": round, "rzi": math.trunc, "rmi": math.floor}[name[1]](value)
        if kind[0] == "f" and len(name) > 3:
            return float({"rni": round, "rzi": math.trunc, "rmi": math.floor, "rpi": math.ceil}[name[1]](value))
        return float(value) if to[0] == "f" else value

    # Instructions of a warp.
    TOGETHER = {"ldmatrix": "load_squares", "mma": "multiply", "shfl": "shuffle"}

    def shuffle(self, warp):
        """Each thread gets a number of another one."""
        _, name, (register, source, distance, bounds, mask) = self.code[warp[0].pc]
        if name[1:] != ["sync", "bfly", "b32"]:
            raise NotImplementedError(".".join(name))
        if any(self.number(t, mask, "u32") != 0xffffffff for t in warp):
            raise RuntimeError("threads of a warp do not expect each other")
        numbers = [self.number(t, source, "b32") for t in warp]
        for lane, t in enumerate(warp):
            bound = self.number(t, bounds, "u32")
            segment, clamp = bound >> 8 & 31, bound & 31
            other = lane ^ self.number(t, distance, "u32")
            if other > (lane & segment | clamp & ~segment):
                other = lane
            self.put(t, register, numbers[other])

    def load_squares(self, warp):
        _, name, (registers, place) = self.code[warp[0].pc]
        squares = np.empty((len(registers), 8, 8), np.int64)
        for lane, t in enumerate(warp[:8 * len(registers)]):
            memory, at = self.place(t, place, "shared")
            if at % 16:
                raise ValueError("ldmatrix is not aligned")
            self.touch(t, at, 16, writes=False)
            squares[lane // 8, lane % 8] = np.frombuffer(memory, "<u2", 8, at)
        if "trans" in name:
            squares = squares.transpose(0, 2, 1)
        for lane, t in enumerate(warp):
            for square, register in zip(squares, registers):
                low, high = square[lane // 4, lane % 4 * 2:lane % 4 * 2 + 2]
                self.put(t, register, int(low) | int(high) << 16)

    @staticmethod
    def factors(t, register, kind):
        """The numbers of a factor in a register: two of bf16, or one of f32."""
        bits = t.r[register]
        if kind == "bf16":
            return [float_of(bits << 16), float_of(bits & 0xffff0000)]
        if bits & 0x1fff:
            raise RuntimeError(f"{register} of thread {t.number} is not rounded to TF32")
        return [float_of(bits)]

    def multiply(self, warp):
        _, name, (d, a, b, c) = self.code[warp[0].pc]
        kind, each = {"m16n8k16": ("bf16", 2), "m16n8k8": ("tf32", 1)}[name[3]]
        if name[6:] != ["f32", kind, kind, "f32"]:
            raise NotImplementedError(".".join(name))
        left, right, sums = np.zeros((16, 8 * each)), np.zeros((8 * each, 8)), np.zeros((16, 8))
        for lane, t in enumerate(warp):
            row, pair, step = lane // 4, lane % 4 * 2, lane % 4 * each
            for i, register in enumerate(a):
                left[row + i % 2 * 8, step + i // 2 * 4 * each:][:each] = self.factors(t, register, kind)
            for i, register in enumerate(b):
                right[step + i * 4 * each:, row][:each] = self.factors(t, register, kind)
            for i, register in enumerate(c):
                sums[row + i // 2 * 8, pair + i % 2] = self.number(t, register, "f32")
        with np.errstate(all="ignore"):
            sums += left @ right
        for lane, t in enumerate(warp):
            for i, register in enumerate(d):
                self.put(t, register, float(sums[lane // 4 + i // 2 * 8, lane % 4 * 2 + i % 2]))

    # Blocks.
    def run_block(self, block, parameters):
        threads = [Thread(i, block, self.threads, parameters) for i in range(self.threads)]
        self.now += 1
        while True:
            for t in threads:
                while t.waits is None:
                    t.waits = self.step(t)
            if all(t.waits == "ret" for t in threads):
                return
            moved = False
            for first in range(0, self.threads, WARP):
                warp = threads[first:first + WARP]
                if not any(t.waits in self.TOGETHER for t in warp):
                    continue
                if len({t.pc for t in warp}) != 1:
                    raise RuntimeError(f"threads of a warp wait at {sorted({t.pc for t in warp})}")
                getattr(self, self.TOGETHER[warp[0].waits])(warp)
                self.go_on(warp)
                moved = True
            if not moved:
                if any(t.waits != "bar" for t in threads):
                    raise RuntimeError("not all threads of a block arrive at a barrier")
                self.now += 1
                self.go_on(threads)

    @staticmethod
    def go_on(threads):
        for t in threads:
            t.waits = None
            t.pc += 1
