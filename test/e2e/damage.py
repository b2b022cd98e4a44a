"""What happens to files: for check_damage.py."""
import io
import json
import re
import zipfile

NUMBERS = [b"9223372036854775807", b"18446744073709551616", b"4294967296", b"-1", b"0", b"1000000000", b"1e99", b"0.5"]


def change(data, rng):
    """One to three of the things that happen to files."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        # The beginning, where headers are, half of the time.
        at = rng.randrange(min(len(data), 400) if rng.random() < 0.5 else len(data)) if data else 0
        length = rng.choice([1, 2, 4, 8, 64])
        block = rng.choice([16, 64, 512, 4096])
        kind = rng.randrange(12)
        if kind == 0:
            data = data[:at]
        elif kind == 1 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[at:at + length] = bytes([rng.choice([0, 255, 128, 0x39])]) * length
        elif kind == 3:
            del data[at:at + length]
        elif kind == 4:
            data[at:at] = rng.randbytes(length)
        elif kind == 5:
            data[at:at] = data[:length]
        elif kind == 6:
            numbers = list(re.finditer(rb"\d+", bytes(data)))
            if numbers:
                number = rng.choice(numbers)
                data[number.start():number.end()] = rng.choice(NUMBERS)
        elif kind == 7:
            data[at:at + block] = bytes(len(data[at:at + block]))
        elif kind == 8 and data:
            # Two blocks change places, as those of a disk would.
            other = rng.randrange(len(data))
            first, second = sorted((at // block * block, other // block * block))
            if second + block <= len(data) and first != second:
                data[first:first + block], data[second:second + block] = \
                    data[second:second + block], data[first:first + block]
        elif kind == 9:
            data[at:at] = data[at:at + block]
        elif kind == 10:
            # A number of the text becomes its neighbour.
            numbers = list(re.finditer(rb"\d{1,18}", bytes(data)))
            if numbers:
                number = rng.choice(numbers)
                data[number.start():number.end()] = b"%d" % max(0, int(number[0]) + rng.choice([-1, 1, 4]))
        else:
            data = data + rng.randbytes(length)
    return bytes(data)


def change_record(data, rng):
    """An archive, sound but for one record."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    # Those with something to read: the graph, code, the pickled and the JSON ones.
    chosen = rng.choice([name for name in records if name.endswith((".json", ".py", ".pkl"))])
    records[chosen] = change(records[chosen], rng)
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return result.getvalue()


def safetensors(tensors, metadata=None):
    """A file of f32 tensors."""
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, array in tensors.items():
        raw = array.tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def parse_safetensors(data):
    """The bytes of each tensor by its name, and the metadata; an exception where it is none."""
    length = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8:8 + length].decode()), data[8 + length:]
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            assert 0 <= begin <= end <= len(rest)
            tensors[name] = entry["dtype"], entry["shape"], rest[begin:end]
    return tensors, header.get("__metadata__", {})


def fnv(parts):
    """What load-artifacts prints of bytes."""
    value = 14695981039346656037
    for part in parts:
        for byte in part:
            value = (value ^ byte) * 1099511628211 % (1 << 64)
    return f"{value:016x}"
