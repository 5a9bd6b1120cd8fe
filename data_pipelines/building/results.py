"""What became of an object: examples, or the reason why there are none."""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from data_pipelines.building.examples import with_depth
from data_pipelines.building.options import Item, Options
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.structures import Example

MakeExamples = Callable[[Item, Options], list[Example]]

# Whoever reads files says here what is wrong with them but no reason to give up.
_SPEAKERS = ("pixel2mesh_jax", "data_pipelines")


class BuildResult(NamedTuple):
    """What is said about an object in the report.

    Attributes:
      split: see `Item`.
      object_id: see `Item`.
      views: number of examples.
      warnings: what is wrong with it.
      failure: why it could not be built; empty if it was.
      points: the largest number of surface points of its views.
    """

    split: str
    object_id: str
    views: int = 0
    warnings: tuple[str, ...] = ()
    failure: str = ""
    points: int = 0


def attempt(
    item: Item, make_examples: MakeExamples, options: Options
) -> tuple[list[Example], BuildResult]:
    """Builds one object; whatever is wrong with it does not stop the others."""
    said = _Said()
    for name in _SPEAKERS:
        logging.getLogger(name).addHandler(said)
    try:
        examples = with_depth(make_examples(item, options), options)
        failure = ""
    except InputError as error:
        examples, failure = [], str(error)
    except Exception as error:  # readers of foreign files raise anything
        examples, failure = [], f"{type(error).__name__}: {error}"
    finally:
        for name in _SPEAKERS:
            logging.getLogger(name).removeHandler(said)
    warnings = tuple(dict.fromkeys(said.messages))
    reason = " ".join(failure.split())
    points = max((len(example.surface.points) for example in examples), default=0)
    return examples, BuildResult(
        item.split, item.object_id, len(examples), warnings, reason, points
    )


class _Said(logging.Handler):
    """Collects the warnings of this thread."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.messages, self._thread = [], threading.get_ident()

    def emit(self, record):
        if record.thread == self._thread:
            self.messages.append(record.getMessage())
