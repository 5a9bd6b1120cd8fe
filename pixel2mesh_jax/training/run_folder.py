"""The folder of a run is the truth: its config.json says what its checkpoints are.

Evaluation, reconstruction and comparison take the settings from there. A training that
goes on has to be the one that was started.
"""

import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import ml_collections

from pixel2mesh_jax import methods
from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.methods.method import Call, Method
from pixel2mesh_jax.structures import Batch, Reconstruction
from pixel2mesh_jax.training import checkpoints, numerics
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.weights import release

NAME = "config.json"
# How an implicit model is asked for its mesh; and whether a signed-distance model
# completes what is hidden by symmetry.
EXTRACTION = ("extract.resolution", "extract.chunk", "model.mirrors")
# What may differ from the run when it is used: other data, how much at a time, and how
# exactly.
FREE_IN_USE = (
    "dataset",
    "data_dir",
    "depth_source",
    "batch_size",
    "distributed",
    *numerics.DEFAULTS,
    "eval.split",
    "eval.limit",
    "eval.protocol",
    "eval.refine",
    "eval.without_depth",
    *EXTRACTION,
)
# What may differ when a training goes on.
FREE_IN_TRAINING = (
    "data_dir",
    "distributed",
    "log_every",
    "checkpoint_every",
    "eval_every",
    "eval_limit",
    "eval.split",
    "eval.limit",
    "eval.protocol",
    "eval.refine",
    "eval.without_depth",
    *EXTRACTION,
)
# Settings that came later, with what runs do that are older.
ADDED = {
    **numerics.DEFAULTS,
    "optimizer.groups": (),
    "eval.refine": 0,
    "eval.without_depth": False,
}
# The same for the settings of one method.
ADDED_TO = {
    "pixel2mesh": {
        "model.seen_colors": "network",
        "model.placement": "template",
        "model.starts_still": False,
        "model.sees_view": False,
        "model.anchor": False,
    },
    "mesh_rcnn": {"model.sees_view": False},
    "frustum": {"model.mirrors": 0},
}
# Where released weights look for data, unless told otherwise; as `configs/common.py`.
DATA_DIR = "data"
# Schedules of the learning rate that do not depend on the length of the run.
ENDLESS_SCHEDULES = ("constant", "steps")


class Run(NamedTuple):
    """A trained model, ready to use.

    Attributes:
      config: of the run.
      method: of the config.
      call: runs entry points of the network with the best parameters.
    """

    config: ml_collections.ConfigDict
    method: Method
    call: Call

    def extract(self, batch: Batch) -> list[Reconstruction]:
        """One reconstruction per row of the batch."""
        return self.method.extract(self.call, batch)


def save_config(workdir: str | os.PathLike, config: ml_collections.ConfigDict) -> None:
    """Writes config.json; it appears complete or not at all."""
    text = json.dumps(config.to_dict(), indent=2) + "\n"
    write_atomically(pathlib.Path(workdir) / NAME, text.encode())


def load_config(workdir: str | os.PathLike) -> ml_collections.ConfigDict:
    """Reads what a run was started with.

    Raises:
      InputError: there is no run, or the file is not one of ours.
    """
    path = pathlib.Path(workdir) / NAME
    if not path.is_file():
        raise InputError(f"No run in {workdir}: {path} does not exist. Train first.")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    if not isinstance(settings, dict) or not isinstance(settings.get("method"), str):
        raise InputError(
            f"{path} does not say the method of the run; it was made by another "
            "version of the program. Train again."
        )
    return _current(settings, path)


def load_released_config(path: pathlib.Path) -> ml_collections.ConfigDict:
    """What released weights were trained with; see `weights/release.py`.

    Raises:
      InputError: the file is damaged.
    """
    return _current(release.load_settings(path), path)


def _current(settings, path):
    """A config of this version from the settings of the same or an older one."""
    _add_later_settings(settings)
    try:
        return ml_collections.ConfigDict(settings)
    except (TypeError, ValueError) as error:  # a name with a dot, or of another type
        raise InputError(f"{path} is not a config of ours: {error}") from None


def _add_later_settings(settings):
    """What an older run does without being told."""
    for name, value in (ADDED | ADDED_TO.get(settings["method"], {})).items():
        *sections, key = name.split(".")
        place = settings
        for section in sections:
            place = place.get(section)
        if isinstance(place, dict):
            place.setdefault(key, value)


def use_config(
    workdir: str | os.PathLike, overrides: Mapping[str, Any]
) -> ml_collections.ConfigDict:
    """The config of a run with what the user has set on the command line.

    Args:
      workdir: folder of the run.
      overrides: see `with_overrides`.

    Raises:
      InputError: no run, or a setting that would make another network of it.
    """
    return with_overrides(load_config(workdir), overrides, f"the run in {workdir}")


def with_overrides(
    config: ml_collections.ConfigDict, overrides: Mapping[str, Any], owner: str
) -> ml_collections.ConfigDict:
    """The config of a trained model with what the user has set on the command line.

    Args:
      config: of the model; it is changed.
      overrides: flat names and values; only `FREE_IN_USE` may be set.
      owner: names the model in errors.

    Raises:
      InputError: a setting that would make another network of it; by name.
    """
    known = dict(flattened(config))
    for name, value in overrides.items():
        if name in known and _plain(known[name]) == _plain(value):
            continue
        if name not in FREE_IN_USE or (name in EXTRACTION and name not in known):
            raise InputError(
                f"--config.{name}={value} cannot be set here: {owner} was "
                f"trained with {known.get(name, 'no such setting')}. What can be set: "
                f"{', '.join(FREE_IN_USE)}."
            )
        config.update_from_flattened_dict({name: value})
    return config


def check_resumable(
    workdir: str | os.PathLike, config: ml_collections.ConfigDict
) -> None:
    """A training that goes on has the settings that it was started with.

    Raises:
      InputError: lists the settings that differ.
    """
    if not (pathlib.Path(workdir) / NAME).is_file():
        return
    old = dict(flattened(load_config(workdir)))
    new = ADDED | dict(flattened(config))
    free = set(FREE_IN_TRAINING)
    if config.optimizer.schedule in ENDLESS_SCHEDULES:
        free.add("num_steps")
    differences = [
        f"{name}: {old.get(name)} in the run, {new.get(name)} now"
        for name in sorted(old.keys() | new.keys())
        if name not in free and _plain(old.get(name)) != _plain(new.get(name))
    ]
    if differences:
        listed = "\n  ".join(differences)
        raise InputError(
            f"The run in {workdir} was started with other settings, "
            f"{len(differences)} differences:\n  {listed}\nGive another --workdir, or "
            "the settings of the run."
        )


def load_run(
    workdir: str | os.PathLike, config: ml_collections.ConfigDict | None = None
) -> Run:
    """The best model of a run, ready to use; nothing in the folder is changed.

    Args:
      workdir: folder of the run.
      config: of the run, see `use_config`; read if not given.

    Raises:
      InputError: no run, no checkpoint, or one of another model.
    """
    config = config or load_config(workdir)
    method = make_method(config, workdir)
    variables = load_variables(workdir, config, method)
    return Run(config, method, _bind(config, method, variables))


def load_released(
    source: str | pathlib.Path, config: ml_collections.ConfigDict | None = None
) -> Run:
    """Released weights, ready to use.

    Args:
      source: name of weights that ship with the package, or the path of a file.
      config: of the weights, see `with_overrides`; read if not given.

    Raises:
      InputError: there are none of this name, or the file is damaged.
    """
    is_file = isinstance(source, pathlib.Path)
    path = source if is_file else release.path_of(source)
    settings, variables = release.load(path)
    config = config or _current(settings, path)
    method = methods.make(config)
    init = functools.partial(states.init_variables, method, seed=config.seed)
    expected = jax.eval_shape(init, method.constants)
    found = states.Variables(
        variables.get("params", {}), variables.get("batch_stats", {})
    )
    checkpoints.check_parameters(str(source), found.params, expected.params)
    return Run(config, method, _bind(config, method, jax.device_put(found)))


def release_run(workdir: str | os.PathLike, path: str | os.PathLike) -> int:
    """Writes the best model of a run as one file, see `weights/release.py`.

    Its config says nothing of where the data and the first weights were.

    Returns:
      The number of parameters.

    Raises:
      InputError: no run, no checkpoint, or a value that float16 cannot hold.
    """
    config = load_config(workdir)
    variables = load_variables(workdir, config, make_method(config, workdir))
    collections = {key: tree for key, tree in variables._asdict().items() if tree}
    release.save(pathlib.Path(path), collections, _without_folders(config).to_dict())
    return sum(leaf.size for leaf in jax.tree.leaves(variables.params))


def _without_folders(config):
    """A config that does not name the folders of a machine."""
    config = config.copy_and_resolve_references()
    config.data_dir = DATA_DIR
    if config.init_from:
        weights, _, path = config.init_from.partition(":")
        config.init_from = f"{weights}:{pathlib.PurePath(path).name}"
    return config


def load_variables(
    workdir: str | os.PathLike, config: ml_collections.ConfigDict, method: Method
) -> states.Variables:
    """Of the best checkpoint of a run."""
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    init = functools.partial(states.init_variables, method, seed=config.seed)
    like = states.abstract(init, method.constants, sharding=device)
    return checkpoints.load_variables(workdir, like)


def make_method(
    config: ml_collections.ConfigDict, workdir: str | os.PathLike
) -> Method:
    """The method of a run's config; InputError if this version needs other settings."""
    try:
        return methods.make(config)
    except AttributeError as error:  # what ConfigDict raises for a missing name
        raise InputError(
            f"{pathlib.Path(workdir) / NAME} lacks a setting that this version needs: "
            f"{error}"
        ) from error


def flattened(
    config: Mapping | ml_collections.ConfigDict, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Names with dots and values."""
    for name, value in config.items():
        if isinstance(value, Mapping | ml_collections.ConfigDict):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _plain(value):
    """As JSON reads it back: tuples are lists."""
    return list(map(_plain, value)) if isinstance(value, list | tuple) else value


def _bind(config, method, variables) -> Callable:
    jit = functools.partial(numerics.jit, config=config)
    return states.Programs(method, jit).bind(variables, method.constants)
