"""Pickles of numeric arrays, parsed into plain data instead of being run.

A pickle is a program for a stack machine: `pickletools` cuts it into operations without
running any. The machine here knows the operations that build numbers, strings, lists,
tuples and dicts, and the one way in which numpy arrays are pickled:

    GLOBAL _reconstruct, GLOBAL ndarray, (0,), "b"  REDUCE  -> an array without contents
    (1, shape, dtype, order, bytes)                 BUILD   -> its contents

A name is a word to it, never the function of that name. An array is made of the bytes
that lie in the file, so it can neither point elsewhere nor be larger than the file.
"""

import math
import pickletools
import warnings
from typing import Any, NamedTuple

import numpy as np

from pixel2mesh_jax.io import limits

# Kinds of numpy dtypes that are plain numbers; "O" would hold arbitrary objects.
_NUMBERS = "biuf"
# Dimensions of an array; released files have two.
_MAX_DIMENSIONS = 8
# The words that rebuild an array, in numpy 1 and numpy 2.
_RECONSTRUCT = (
    "numpy.core.multiarray _reconstruct",
    "numpy._core.multiarray _reconstruct",
)
_NDARRAY, _DTYPE = "numpy ndarray", "numpy dtype"
_NAMES = (*_RECONSTRUCT, _NDARRAY, _DTYPE)


class ForbiddenError(ValueError):
    """The pickle asks for something that is not an array of numbers."""


class DamagedError(ValueError):
    """The bytes are not a whole pickle."""


class _Mark:
    """Where a list, tuple or dict begins on the stack."""


class _Name(NamedTuple):
    """A word of the pickle."""

    text: str


class _Dtype:
    """A dtype whose byte order may still come."""

    def __init__(self, dtype: np.dtype):
        self.dtype = dtype


class _Array:
    """An array whose contents still come."""

    def __init__(self):
        self.values: np.ndarray | None = None


def parse(content: bytes) -> object:
    """The object that a pickle describes.

    Raises:
      ForbiddenError: it needs anything but numeric arrays, lists, tuples, dicts,
        strings and numbers, or more operations than `limits.MAX_DAT_OPERATIONS`.
      DamagedError: it is cut off or makes no sense.
    """
    machine = _Machine()
    try:
        with warnings.catch_warnings():  # of escapes that no string may have
            warnings.simplefilter("ignore", DeprecationWarning)
            machine.run(content)
    except (ForbiddenError, DamagedError):
        raise
    # What genops and the stack raise on bytes that are no pickle. A memory error is
    # that of a length which is not there to be read.
    except (ValueError, LookupError, TypeError, OverflowError, MemoryError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DamagedError(reason) from error
    return machine.result()


class _Machine:
    """Stack and memory of a pickle."""

    def __init__(self):
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def result(self) -> object:
        if len(self.stack) != 1:
            raise DamagedError("no object at the end of the pickle")
        return _Contents().of(self.stack[0])

    def run(self, content: bytes) -> None:
        for count, (operation, argument, _) in enumerate(pickletools.genops(content)):
            if count >= limits.MAX_DAT_OPERATIONS:
                raise ForbiddenError(
                    f"more than {limits.MAX_DAT_OPERATIONS} operations in the pickle"
                )
            self.step(operation.name, argument)

    def step(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in _NOTHING_TO_DO:
            raise ForbiddenError(
                f"forbidden operation {name} in the pickle; only numeric numpy arrays "
                "are read from it, nothing was run"
            )

    def pop(self) -> Any:
        value = self.stack.pop()
        if isinstance(value, _Mark):
            raise DamagedError("a mark in place of a value")
        return value

    def pop_to_mark(self) -> list[Any]:
        values = []
        while not isinstance(value := self.stack.pop(), _Mark):
            values.append(value)
        return values[::-1]

    def top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise DamagedError(f"expected a {kind.__name__} on the stack")
        return self.stack[-1]


def _push_mark(machine, _):
    machine.stack.append(_Mark())


def _pop(machine, _):
    machine.stack.pop()


def _pop_mark(machine, _):
    machine.pop_to_mark()


def _duplicate(machine, _):
    machine.stack.append(machine.top(object))


def _memoize(machine, _):
    machine.memory[len(machine.memory)] = machine.top(object)


def _put(machine, index):
    machine.memory[int(index)] = machine.top(object)


def _get(machine, index):
    machine.stack.append(machine.memory[int(index)])


def _tuple_of(count):
    def build(machine, _):
        values = [machine.pop() for _ in range(count)][::-1]
        machine.stack.append(tuple(values))

    return build


def _tuple(machine, _):
    machine.stack.append(tuple(machine.pop_to_mark()))


def _list(machine, _):
    machine.stack.append(machine.pop_to_mark())


def _dict(machine, _):
    machine.stack.append(_pairs(machine.pop_to_mark()))


def _append(machine, _):
    value = machine.pop()
    machine.top(list).append(value)


def _appends(machine, _):
    values = machine.pop_to_mark()
    machine.top(list).extend(values)


def _set_item(machine, _):
    value, key = machine.pop(), machine.pop()
    machine.top(dict).update(_pairs([key, value]))


def _set_items(machine, _):
    values = machine.pop_to_mark()
    machine.top(dict).update(_pairs(values))


def _pairs(values):
    """Keys and values in turn as a dict; keys are strings and numbers."""
    keys = values[::2]
    if any(not isinstance(key, (str, bytes, int, float)) for key in keys):
        raise DamagedError("keys of a dict that are neither strings nor numbers")
    return dict(zip(keys, values[1::2], strict=True))


def _global(machine, text):
    machine.stack.append(_known_name(*text.split(" ", 1)))


def _stack_global(machine, _):
    name, module = machine.pop(), machine.pop()
    machine.stack.append(_known_name(str(module), str(name)))


def _known_name(module, name):
    if f"{module} {name}" not in _NAMES:
        raise ForbiddenError(
            f"forbidden name {module[:100]}.{name[:100]} in the pickle; only numeric "
            "numpy arrays are read from it, nothing was run"
        )
    return _Name(f"{module} {name}")


def _reduce(machine, _):
    arguments, function = machine.pop(), machine.pop()
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
        raise DamagedError("a call of something that is no function")
    if function.text in _RECONSTRUCT:
        machine.stack.append(_empty_array(*arguments))
    elif function.text == _DTYPE:
        machine.stack.append(_number_dtype(*arguments))
    else:
        raise ForbiddenError(f"forbidden call of {function.text} in the pickle")


def _empty_array(kind=None, shape=None, code=None):
    if kind != _Name(_NDARRAY) or shape != (0,) or code not in ("b", b"b"):
        raise ForbiddenError("not a plain numpy array")
    return _Array()


def _number_dtype(code=None, align=False, copy=True):
    """The dtype of a short code such as "f4"."""
    code = code.decode("latin1") if isinstance(code, bytes) else code
    if not isinstance(code, str) or not 0 < len(code) <= 3:
        raise ForbiddenError(f"array of {str(code)[:50]}, expected numbers")
    del align, copy  # of no influence on plain numbers
    dtype = np.dtype(code)
    if dtype.kind not in _NUMBERS or dtype.hasobject or dtype.subdtype is not None:
        raise ForbiddenError(f"array of {dtype}, expected numbers")
    return _Dtype(dtype)


def _build(machine, _):
    state, target = machine.pop(), machine.top(object)
    if not isinstance(state, tuple):
        raise DamagedError("a state that is no tuple")
    if isinstance(target, _Dtype):
        target.dtype = _ordered(target.dtype, state)
    elif isinstance(target, _Array):
        target.values = _filled(*state)
    else:
        raise ForbiddenError("a state for something that is no array")


def _ordered(dtype, state):
    """The dtype with the byte order of its state: (version, order, ...)."""
    order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
    if order not in ("<", ">", "|", "="):
        raise DamagedError("no byte order in a dtype")
    return dtype if order == "|" else dtype.newbyteorder(order)


def _filled(version, shape, dtype, fortran, content):
    """The array of a state; all of it lies in `content`."""
    del version
    if not isinstance(dtype, _Dtype):
        raise DamagedError("an array without a dtype")
    if isinstance(content, str):  # python 2: bytes, read as Latin 1
        content = content.encode("latin1")
    if not isinstance(content, (bytes, bytearray)):
        raise ForbiddenError("an array whose contents are not bytes")
    if (
        not isinstance(shape, tuple)
        or len(shape) > _MAX_DIMENSIONS
        or any(type(n) is not int or not 0 <= n < 2**31 for n in shape)
        or math.prod(shape) * dtype.dtype.itemsize != len(content)
    ):
        raise DamagedError(
            f"an array of shape {str(shape)[:100]} in {len(content)} bytes"
        )
    order = "F" if fortran else "C"
    values = np.frombuffer(content, dtype.dtype).reshape(shape, order=order)
    return np.array(values, dtype.dtype.newbyteorder("="))


class _Contents:
    """Puts arrays where their placeholders are; lists and dicts are read once each."""

    # Levels of lists in lists; released files have three.
    MAX_DEPTH = 50

    def __init__(self):
        self.known: dict[int, Any] = {}

    def of(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, (_Name, _Mark, _Dtype)):
            raise ForbiddenError("a bare name in place of a value")
        if isinstance(value, _Array):
            if value.values is None:
                raise DamagedError("an array without contents")
            return value.values
        if not isinstance(value, (list, tuple, dict)):
            return value
        if depth >= self.MAX_DEPTH:
            raise ForbiddenError(f"lists nested deeper than {self.MAX_DEPTH}")
        if id(value) not in self.known:
            self.known[id(value)] = self._container(value, depth + 1)
        return self.known[id(value)]

    def _container(self, value, depth):
        if isinstance(value, dict):
            return {key: self.of(entry, depth) for key, entry in value.items()}
        entries = [self.of(entry, depth) for entry in value]
        return entries if isinstance(value, list) else tuple(entries)


# Operations whose argument is the value.
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
    *("FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
}
_ACTIONS = {
    "MARK": _push_mark,
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": _duplicate,
    "MEMOIZE": _memoize,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": _tuple,
    "LIST": _list,
    "DICT": _dict,
    "APPEND": _append,
    "APPENDS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "BUILD": _build,
}
_NOTHING_TO_DO = {"PROTO", "FRAME", "STOP"}
