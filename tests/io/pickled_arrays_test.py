"""Pickles become arrays, or are refused; none is run, none takes the process along."""

import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from pixel2mesh_jax.io import limits, pickled_arrays

REFUSED = (pickled_arrays.ForbiddenError, pickled_arrays.DamagedError)
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
FLOAT32 = b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR"
OBJECT = b"cnumpy\ndtype\n(U\x01OK\x00K\x01tR"
# Operations that mutations put in: marks, lists, memory, names, calls, states.
OPERATIONS = list(b"(.0123]}eatRbchjpqrN\x81\x86\x93")
# An array of eight bytes that would be taken for a pointer, were they objects.
POINTER = b"U\x08" + struct.pack("<Q", 0xDEAD)


def reduce_to(name, arguments):
    module, _, name = name.rpartition(".")
    return f"c{module}\n{name}\n".encode() + arguments + b"R."


HOSTILE = {
    "ndarray of pointers": reduce_to(
        "numpy.ndarray", b"((K\x01tU\x01O" + POINTER + b"t"
    ),
    "ndarray by name alone": b"cnumpy\nndarray\n.",
    "objects by state": ARRAY + b"(K\x01(K\x01t" + OBJECT + b"I00\n" + POINTER + b"tb.",
    "contents that are a list": ARRAY + b"(K\x01(K\x01t" + FLOAT32 + b"I00\n]K\x07atb.",
    "fields": ARRAY
    + b"(K\x01(K\x01tcnumpy\ndtype\n(U\x05f4,f4K\x00K\x01tRI00\n"
    + POINTER
    + b"tb.",
    "more than the file": ARRAY
    + b"(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft"
    + FLOAT32
    + b"I00\nU\x04aaaatb.",
    "negative shape": ARRAY
    + b"(K\x01(J\xff\xff\xff\xfft"
    + FLOAT32
    + b"I00\nU\x04aaaatb.",
    "state of a function": b"cnumpy.core.multiarray\n_reconstruct\n}U\x01aK\x01sb.",
    "call of a list": b"](K\x01tR.",
    "instance": b"(K\x01inumpy\nndarray\n.",
    "object": b"(cnumpy\nndarray\nK\x01o.",
    "new object": b"cnumpy\nndarray\n)\x81.",
    "persistent id": b"Pevil\n.",
    "extension": b"\x82\x01.",
    "memory slot of four billion": b"K\x01r\xff\xff\xff\xff0.",
    "a string of 2**62 bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.",
    "a long of 4300 digits": b"L" + b"9" * 9000 + b"L\n.",
    "lists in lists": b"]" * 5000 + b"a" * 4999 + b".",
    "a list in itself": b"]q\x00h\x00a.",
    "marks alone": b"(" * 1000 + b".",
    "nothing": b".",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_streams_are_refused(name):
    tracemalloc.start()
    with pytest.raises(REFUSED):
        pickled_arrays.parse(HOSTILE[name])
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


def test_too_many_operations(monkeypatch):
    monkeypatch.setattr(limits, "MAX_DAT_OPERATIONS", 1000)
    with pytest.raises(pickled_arrays.ForbiddenError, match="1000 operations"):
        pickled_arrays.parse(b"]" + b"0]" * 1000 + b".")


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i2", "?", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(protocol, dtype, order):
    values = np.asarray(np.arange(12).reshape(3, 4) % 2, dtype, order=order)
    content = {"a": [values, (1, 2.5, None, "word")], 3: values}
    if protocol == 2:  # python 3 writes bytes as a call of codecs.encode
        with pytest.raises(pickled_arrays.ForbiddenError, match=r"codecs\.encode"):
            pickled_arrays.parse(pickle.dumps(content, protocol))
        return
    found = pickled_arrays.parse(pickle.dumps(content, protocol))
    np.testing.assert_array_equal(found["a"][0], values)
    assert found["a"][0] is found[3]
    assert found["a"][0].dtype == values.dtype.newbyteorder("=")
    assert found["a"][1] == (1, 2.5, None, "word")


def seeds():
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    contents = (values, [values, (values[:0], {"a": 1})], {"k": [1, 2.5, "text"]})
    yield from (
        pickle.dumps(c, protocol) for c in contents for protocol in (0, 2, 4, 5)
    )
    yield from HOSTILE.values()
    yield ARRAY + b"(K\x01(K\x02t" + FLOAT32 + b"I00\nU\x08aaaabbbbtb."


def mutated(content, rng):
    """A few bytes changed, cut out, doubled or taken from a list of operations."""
    content = bytearray(content[:4096])
    for _ in range(rng.integers(1, 6)):
        place = int(rng.integers(0, len(content) + 1))
        kind = rng.integers(0, 4)
        if kind == 0 and place < len(content):
            content[place] = rng.integers(0, 256)
        elif kind == 1:
            del content[place : place + int(rng.integers(1, 8))]
        elif kind == 2:
            content[place:place] = content[place : place + int(rng.integers(1, 30))]
        else:
            content[place:place] = bytes(rng.choice(OPERATIONS, 2).tolist())
    return bytes(content)


def plain(value):
    if isinstance(value, np.ndarray):
        assert value.dtype.kind in "biuf"
        return True
    if isinstance(value, dict):
        return all(plain(entry) for entry in value.values())
    if isinstance(value, (list, tuple)):
        return all(plain(entry) for entry in value)
    return value is None or isinstance(value, (bool, int, float, str, bytes, bytearray))


def fuzz(count, seed=0):
    """Parses `count` mutated pickles; returns how many were accepted."""
    rng, start, accepted = np.random.default_rng(seed), list(seeds()), 0
    for number in range(count):
        content = mutated(start[number % len(start)], rng)
        try:
            value = pickled_arrays.parse(content)
        except REFUSED:
            continue
        assert plain(value)
        repr(value)  # reads every element
        accepted += 1
    return accepted


def test_mutations_are_read_or_refused():
    assert 0 < fuzz(10_000) < 10_000


@pytest.mark.slow
def test_many_mutations_are_read_or_refused():
    assert fuzz(100_000, seed=1) > 0
