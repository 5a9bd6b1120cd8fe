"""The interface of every method: what training, evaluation and files know of one.

A method is a network with its losses and a way from its outputs to meshes. It lives in
one module of this package with two functions, `defaults() -> ConfigDict` (the sections
`model` and `loss` of a config) and `make(config) -> Method`; the table `METHODS` of the
package names it. Nothing outside of that module knows what the network returns.
"""

import types
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen as nn
from jaxtyping import Float, Key

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.structures import Array, Batch, Reconstruction
from pixel2mesh_jax.weights.matching import Format

Terms = dict[str, Float[Array, ""]]


class Losses(NamedTuple):
    """What a training step minimises, and what it only records.

    Attributes:
      terms: weighted; their sum is the loss.
      scalars: other numbers worth a curve.
    """

    terms: Terms
    scalars: Mapping[str, Float[Array, ""]] = types.MappingProxyType({})


class Field(NamedTuple):
    """One array of a batch.

    Attributes:
      shape: of one example, in training.
      dtype: of the array.
      role: "input" of the network, or "truth" that only losses and scores see.
    """

    shape: tuple[int, ...]
    dtype: Any
    role: str


# Runs a named, jitted entry point of the network with its parameters:
# `call("__call__", batch)`; others take what the network defines.
Call = Callable[..., Any]


def as_it_is(batch: Batch, keys: Key[Array, " B"]) -> Batch:
    """No augmentation beyond that of the data pipeline."""
    del keys
    return batch


class Method(NamedTuple):
    """A way from views to meshes.

    Attributes:
      fields: of `Batch`, by name: what training reads.
      model: `model(batch, constants, train)` returns any pytree; other entry points
        take what `extract` gives them.
      constants: arrays that are not learned, such as a template; () for none.
      objective: (outputs, batch, one random key per example, phase) -> `Losses`, means
        over the examples. Traced: every example for itself.
      penalty: parameters -> weighted terms, such as weight decay.
      extract: (call, batch) -> one reconstruction per row of the batch. On the host,
        outside of jit; may call programs as often as it likes.
      phase: step of the training, from 1 -> what `objective` does there. There is one
        compiled program for each.
      baseline: what a prediction has to beat before any training, or None.
      formats: of published weights, by name, with the settings that they require.
      augment: (batch, one random key per example) -> batch; in training, traced.
      optional: inputs that a view may lack, such as "depth".
    """

    fields: Mapping[str, Field]
    model: nn.Module
    constants: Any
    objective: Callable[[Any, Batch, Key[Array, " B"], Hashable], Losses]
    penalty: Callable[[Any], Terms]
    extract: Callable[[Call, Batch], list[Reconstruction]]
    phase: Callable[[int], Hashable]
    baseline: Reconstruction | None
    formats: Mapping[str, Format]
    augment: Callable[[Batch, Key[Array, " B"]], Batch] = as_it_is
    optional: tuple[str, ...] = ()

    def example_batch(self, batch_size: int) -> Batch:
        """A batch of zeros before a camera of focal length 1, for shapes."""
        arrays = {
            name: np.zeros((batch_size, *field.shape), field.dtype)
            for name, field in self.fields.items()
        }
        camera = np.tile(np.eye(3, dtype=np.float32), (batch_size, 1, 1))
        batch = empty_batch(batch_size)._replace(**arrays)
        return batch._replace(intrinsics=camera)


def image_fields(image_size: int, num_points: int) -> dict[str, Field]:
    """What every view has: colour, depth, mask, camera, and points of the surface."""
    image = (image_size, image_size)
    points = Field((num_points, 3), np.float32, "truth")
    return {
        "rgb": Field((*image, 3), np.float32, "input"),
        "depth": Field(image, np.float32, "input"),
        "mask": Field(image, np.float32, "input"),
        "intrinsics": Field((3, 3), np.float32, "input"),
        "points": points,
        "normals": points,
        "colors": points,
    }


def empty_batch(batch_size: int) -> Batch:
    """Rows without pixels and points, all of weight 1."""
    arrays = {
        name: np.zeros((batch_size, *field.shape), field.dtype)
        for name, field in image_fields(0, 0).items()
    }
    return Batch(
        **arrays,
        category=np.zeros(batch_size, np.int32),
        weight=np.ones(batch_size, np.float32),
    )


def example_keys(key: Key[Array, ""], batch_size: int) -> Key[Array, " {batch_size}"]:
    """One random key per example, by its place in the whole batch."""
    return jax.random.split(key, batch_size)


def choose(field: str, name: str, table: Mapping) -> Any:
    """Looks a name up; raises InputError with the valid names."""
    check(field, name, table)
    return table[name]


def check(field: str, name: str, names) -> None:
    """Raises InputError with the valid names if this is none of them."""
    if name not in names:
        raise InputError(
            f"Unknown {field} {name!r}. Valid choices: {', '.join(sorted(names))}."
        )


def check_settings(
    section: str, settings: Iterable[str], expected: Iterable[str], owner: str
) -> None:
    """Every setting of a section has an effect, and none is missing.

    Args:
      section: of the config, "model" or "loss".
      settings: names of what is there.
      expected: the settings that `owner` has.
      owner: for the message, "method 'pixel2mesh'".

    Raises:
      InputError: names what is unknown and what is missing.
    """
    unknown = sorted(set(settings) - set(expected))
    missing = sorted(set(expected) - set(settings))
    if unknown or missing:
        parts = [f"unknown: {', '.join(unknown)}"] if unknown else []
        parts += [f"missing: {', '.join(missing)}"] if missing else []
        raise InputError(
            f"Settings {section}.* of {owner}: {'; '.join(parts)}. It has "
            f"{', '.join(sorted(expected))}."
        )
