"""Spoilt copies of valid files: bytes, words of text, values of JSON.

Everything is drawn from the generator that is handed in, so equal seeds give equal
files.
"""

import json
import random
import re
import struct
from collections.abc import Callable

# What breaks readers: borders of integer types, and numbers that are none.
INTEGERS = (0, 1, 2, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
WORDS = (
    *(
        b"0",
        b"-1",
        b"1",
        b"-0",
        b"1e308",
        b"-1e308",
        b"1e-320",
        b"nan",
        b"inf",
        b"-inf",
    ),
    *(b"999999999999", b"99999999999999999999999", b"2147483648", b"x", b"", b"1/2/3"),
    *(b"..", b"../../etc", b"/dev/zero", b"%s%n", b"\xff\xfe", b"\0", b"-", b"[", b"'"),
)
VALUES = (
    *(0, 1, -1, 2, 3, 255, 65536, 2**31, 2**40, 10**30, -(2**31), 0.5, 1e308, 1e-320),
    *(float("nan"), float("inf"), None, True, False, "", "0", "x", "../../etc/passwd"),
    *("/dev/zero", "data:,x", "data:;base64,AAAA", [], {}, [0], [[]], {"index": 0}),
    *([0] * 16, [1e308] * 16, [-1, -1, -1], [0, 0, 0, 0], "\0", "MAT4", "SCALAR"),
)
# Largest number of changes of one file, and of bytes that one of them moves.
MOST_CHANGES = 4
MOST_BYTES = 64
_NUMBER = re.compile(rb"[-+]?\d[\d.eE+-]*|\b\w+\b")


def mutate(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """A file with one to four changes.

    Args:
      data: the file.
      other: another file, from which pieces are taken.
      rng: decides about everything.
    """
    for _ in range(rng.randint(1, MOST_CHANGES)):
        kinds = [_bytes]
        if data[:1] in (b"{", b"[") or data[:4] == b"glTF":
            kinds += [_json, _json, _json]
        elif b"\0" not in data[:1024]:
            kinds += [_words, _words, _lines]
        elif data[:3] == b"ply":
            kinds.append(_words)
        data = rng.choice(kinds)(data, other, rng)
    return data


def _bytes(data, other, rng):
    """One change of the bytes, whatever they mean."""
    change = rng.choice(_BYTE_CHANGES)
    place = rng.randrange(len(data) + 1)
    length = rng.randint(1, MOST_BYTES)
    return change(data, place, length, other, rng)


def _flip(data, place, length, other, rng):
    if not data:
        return data
    place = min(place, len(data) - 1)
    changed = data[place] ^ (1 << rng.randrange(8))
    return data[:place] + bytes([changed]) + data[place + 1 :]


def _integer(data, place, length, other, rng):
    """An integer from the borders of its type, at a multiple of its size."""
    size, code = rng.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
    value = rng.choice(INTEGERS) % 2 ** (8 * size)
    place -= place % size
    packed = struct.pack(rng.choice("<>") + code, value)
    return data[:place] + packed + data[place + size :]


def _random(data, place, length, other, rng):
    return data[:place] + rng.randbytes(length) + data[place + length :]


def _delete(data, place, length, other, rng):
    return data[:place] + data[place + length :]


def _repeat(data, place, length, other, rng):
    return data[: place + length] + data[place:]


def _splice(data, place, length, other, rng):
    start = rng.randrange(len(other) + 1)
    return data[:place] + other[start : start + length] + data[place:]


def _truncate(data, place, length, other, rng):
    return data[:place]


_BYTE_CHANGES: tuple[Callable, ...] = (
    *(_flip, _flip, _integer, _integer, _integer),
    *(_random, _delete, _repeat, _splice, _truncate),
)


def _words(data, other, rng):
    """One number or name becomes another one."""
    found = list(_NUMBER.finditer(data[:100_000]))
    if not found:
        return data
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(WORDS) + data[match.end() :]


def _lines(data, other, rng):
    """A line is repeated, lost or moved."""
    lines = data.split(b"\n")
    source, target = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(3)
    line = lines[source] if kind == 0 else lines.pop(source)
    if kind < 2:
        lines.insert(target, line)
    return b"\n".join(lines)


def _json(data, other, rng):
    """A value of the JSON becomes another one; of a .glb with the right lengths."""
    glb = data[:4] == b"glTF"
    try:
        if glb:
            (size,) = struct.unpack_from("<I", data, 12)
            content, rest = json.loads(data[20 : 20 + size]), data[20 + size :]
        else:
            content, rest = json.loads(data), b""
    except (ValueError, struct.error, RecursionError):
        return _bytes(data, other, rng)
    text = json.dumps(_changed(content, rng)).encode()
    if not glb:
        return text
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest))
    return head + struct.pack("<I4s", len(text), b"JSON") + text + rest


def _changed(content, rng):
    """A tree of JSON values with one change somewhere below its root."""
    places = []
    waiting = [content]
    while waiting:
        node = waiting.pop()
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                waiting.append(node[key])
    if not places:
        return rng.choice(VALUES)
    node, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del node[key]
    elif kind == 1:  # the value of another place
        donor, other = rng.choice(places)
        node[key] = json.loads(json.dumps(donor[other]))
    elif kind == 2 and isinstance(node, list):
        node.append(json.loads(json.dumps(node[key])))
    else:
        node[key] = rng.choice(VALUES)
    return content
