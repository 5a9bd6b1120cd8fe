"""Tables of PLY files, as text or binary, with lists of any length.

Readers raise ValueError, IndexError or OverflowError where a table is damaged.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from pixel2mesh_jax.io import mesh_limits


class Property(NamedTuple):
    """A column of an element; `count` is the type of its length if it is a list."""

    name: str
    kind: str
    count: str = ""


class Element(NamedTuple):
    """A table of a file."""

    name: str
    rows: int
    properties: tuple[Property, ...]


class Lists(NamedTuple):
    """A column of lists: all values behind one another, and how many in each row."""

    values: Shaped[np.ndarray, " N"]
    sizes: Int[np.ndarray, " R"]


Table = dict[str, np.ndarray | Lists]


class Text:
    """Reads tables of a text file, as one sequence of numbers."""

    def __init__(self, data):
        self._words, self._next = data.split(), 0

    def table(self, element: Element) -> Table:
        if any(one.count for one in element.properties):
            return self._with_lists(element)
        width = len(element.properties)
        values = self._take(element.rows * width, float).reshape(element.rows, width)
        return {
            one.name: values[:, i].astype(one.kind)
            for i, one in enumerate(element.properties)
        }

    def _with_lists(self, element):
        values = {one.name: [] for one in element.properties}
        sizes = {one.name: [] for one in element.properties}
        words, place = self._words, self._next
        for _ in range(element.rows):
            for one in element.properties:
                count = 1
                if one.count:
                    count, place = int(words[place]), place + 1
                if count < 0 or place + count > len(words):
                    raise ValueError(f"a list of {count} values")
                values[one.name] += words[place : place + count]
                sizes[one.name].append(count)
                place += count
        self._next = place
        return {
            one.name: _column(one, _numbers(values[one.name], one), sizes[one.name])
            for one in element.properties
        }

    def _take(self, count, kind):
        words = self._words[self._next : self._next + count]
        self._next += count
        return np.fromiter(map(kind, words), np.float64, count)


def _numbers(words, one):
    """Words as numbers; integers that a type cannot hold are an error."""
    kind = np.dtype(one.kind)
    parse = float if kind.kind == "f" else int
    return np.fromiter(map(parse, words), kind, len(words))


def _column(one, values, sizes):
    return Lists(values, np.array(sizes, np.int64)) if one.count else values


class Binary:
    """Reads tables of a binary file."""

    def __init__(self, data, start, order):
        self._data, self._next, self._order = data, start, order

    def table(self, element: Element) -> Table:
        if not element.rows:
            return {
                one.name: _column(one, np.zeros(0, one.kind), [])
                for one in element.properties
            }
        even = self._even(element)
        return self._uneven(element) if even is None else even

    def _even(self, element):
        """A table whose lists are all as long as those of its first row, or None."""
        kinds, place = [], self._next
        for one in element.properties:
            kind = np.dtype(self._order + one.kind)
            if one.count:
                length = np.dtype(self._order + one.count)
                count = int(np.frombuffer(self._data, length, 1, place)[0])
                if not 0 <= count <= mesh_limits.MAX_POLYGON:
                    raise ValueError(f"a list of {count} values")
                kinds += [(f"count of {one.name}", length), (one.name, kind, (count,))]
                place += length.itemsize + count * kind.itemsize
            else:
                kinds.append((one.name, kind))
                place += kind.itemsize
        row = np.dtype(kinds)
        if self._next + element.rows * row.itemsize > len(self._data):
            if any(one.count for one in element.properties):
                return None
            raise ValueError("too few bytes")
        rows = np.frombuffer(self._data, row, element.rows, self._next)
        table = {}
        for one in element.properties:
            if one.count:
                counts, values = rows[f"count of {one.name}"], rows[one.name]
                if (counts != counts[0]).any():
                    return None
                table[one.name] = Lists(values.reshape(-1), counts.astype(np.int64))
            else:
                table[one.name] = rows[one.name]
        self._next += element.rows * row.itemsize
        return table

    def _uneven(self, element):
        """A table whose lists have different lengths, row by row."""
        columns = {one.name: [] for one in element.properties}
        sizes = {one.name: [] for one in element.properties}
        data, place = self._data, self._next
        order = "little" if self._order == "<" else "big"
        for _ in range(element.rows):
            for one in element.properties:
                count = 1
                if one.count:
                    width = int(one.count[1])
                    count = int.from_bytes(data[place : place + width], order)
                    place += width
                end = place + count * int(one.kind[1])
                if end > len(data):
                    raise ValueError(f"a list of {count} values")
                columns[one.name].append(data[place:end])
                sizes[one.name].append(count)
                place = end
        self._next = place
        return {
            one.name: _column(
                one,
                np.frombuffer(b"".join(columns[one.name]), self._order + one.kind),
                sizes[one.name],
            )
            for one in element.properties
        }
