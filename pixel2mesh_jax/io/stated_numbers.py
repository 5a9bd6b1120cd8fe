"""Numbers that a file states, or a plain word about what stands in their place."""

from typing import Any

import numpy as np
from jaxtyping import Float

# Characters of a value that a message quotes.
MAX_QUOTED = 60


class NoNumberError(ValueError):
    """A value has to be a number, and is none; says which one in words for users."""


def number(value: Any, name: str) -> float:
    """A value that the file calls `name`; raises NoNumberError if it is no number."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise NoNumberError(f"{name} is {quoted(value)}, not a number") from None


def array(values: Any, name: str) -> Float[np.ndarray, "..."]:
    """Numbers of any shape; raises NoNumberError if there is anything else."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise NoNumberError(f"{name} is {quoted(values)}, not numbers") from None


def quoted(value: Any) -> str:
    """The beginning of a value, in one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."
