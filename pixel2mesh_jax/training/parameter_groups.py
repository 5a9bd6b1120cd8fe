"""Parameters that learn in another way than the rest, chosen by their names.

    config.optimizer.groups = (
        ("encoder/.*", {"learning_rate": 0.1}),
        (".*/bias", {"learning_rate": 2.0, "weight_decay": 0.0}),
    )

The name of a parameter is its path with slashes, "stage1/blocks/conv1/own". A pattern
has to match all of it. Of several patterns that match, the first one counts.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import optax

from pixel2mesh_jax.errors import InputError

SETTINGS = ("learning_rate", "weight_decay")
SHOWN = 12  # parameter names in a message


class Group(NamedTuple):
    """How the parameters learn whose names match.

    Attributes:
      pattern: regular expression.
      learning_rate: factor on the learning rate of the step.
      weight_decay: of matrices, apart from the gradient.
    """

    pattern: re.Pattern
    learning_rate: float
    weight_decay: float


def parse(groups: Sequence, weight_decay: float) -> tuple[Group, ...]:
    """The groups of a config, and last the one of all other parameters.

    Args:
      groups: pairs of a pattern and its `SETTINGS`, as above.
      weight_decay: where a group says nothing else.

    Raises:
      InputError: something else than that.
    """
    rest = Group(re.compile(".*"), 1.0, weight_decay)
    return (*(_parse(pair, weight_decay) for pair in groups), rest)


def _parse(pair, weight_decay):
    match pair:
        case (str(text), dict(settings)) if settings:
            pass
        case _:
            raise InputError(
                f"optimizer.groups has {pair!r}; expected a pair of a pattern and "
                "settings, ('encoder/.*', {'learning_rate': 0.1, 'weight_decay': 0.0})."
            )
    for name, value in settings.items():
        if name not in SETTINGS or not _is_factor(value):
            raise InputError(
                f"optimizer.groups, {text!r}: {name}={value!r}; expected numbers of at "
                f"least 0 for {' and '.join(SETTINGS)}."
            )
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise InputError(
            f"optimizer.groups, {text!r} is no regular expression: {error}."
        ) from None
    decay = settings.get("weight_decay", weight_decay)
    return Group(pattern, settings.get("learning_rate", 1.0), decay)


def _is_factor(value):
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value < float("inf")


def assign(groups: Sequence[Group], params: Any) -> list[Group]:
    """The first group that matches each parameter, in the order of their leaves.

    Raises:
      InputError: a pattern is left without parameters; lists names of those there are.
    """
    names = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree_util.tree_leaves_with_path(params)
    ]
    found = [
        next(group for group in groups if group.pattern.fullmatch(name))
        for name in names
    ]
    for group in groups[:-1]:
        if group not in found:
            _refuse(group.pattern, names)
    return found


def _refuse(pattern, names):
    listed = names[:: -(-len(names) // SHOWN)]
    matched = any(map(pattern.fullmatch, names))
    why = "matches what earlier patterns match" if matched else "matches no parameter"
    raise InputError(
        f"optimizer.groups: {pattern.pattern!r} {why}. Some of the {len(names)} "
        f"names: {', '.join(listed)}."
    )


def decay_weights(groups: Sequence[Group]) -> optax.GradientTransformation:
    """Adds `weight_decay` times the parameter, for matrices; refuses idle patterns."""

    def change(group, update, param):
        return update + group.weight_decay * param if param.ndim > 1 else update

    return _by_group(groups, change)


def scale_rates(groups: Sequence[Group]) -> optax.GradientTransformation:
    """Multiplies updates with the factor of their group; refuses idle patterns."""
    return _by_group(groups, lambda group, update, _: group.learning_rate * update)


def _by_group(groups, change: Callable) -> optax.GradientTransformation:
    def init(params):
        assign(groups, params)
        return optax.EmptyState()

    def update(updates, state, params):
        leaves, structure = jax.tree.flatten(updates)
        leaves = zip(
            assign(groups, params), leaves, jax.tree.leaves(params), strict=True
        )
        return structure.unflatten(change(*leaf) for leaf in leaves), state

    return optax.GradientTransformation(init, update)
