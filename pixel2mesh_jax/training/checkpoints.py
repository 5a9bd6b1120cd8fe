"""Checkpoints of a run through Orbax: atomic, the best and the last are kept.

workdir/checkpoints/<step>/   one TrainState each

A training writes through `open_checkpoints`. Readers use `best_step` and
`load_variables`, which never change the folder: a training may be writing there.
"""

import contextlib
import errno
import functools
import json
import logging
import os
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training.state import TrainState, Variables

# Of the validation split, by points of the surface; lower is better.
METRIC = "surface_chamfer"
MAX_LISTED = 12  # differences named in an error message
# How tensorstore words an error of the file system.
_OS_ERROR = re.compile(r"os_error_code='(\d+)'")
# What a disk says that takes no more.
_TAKES_NO_MORE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
READ_ATTEMPTS = 3  # while a training replaces its checkpoints


@contextlib.contextmanager
def open_checkpoints(
    workdir: str | os.PathLike,
) -> Iterator[ocp.training.Checkpointer]:
    """The checkpoints of a run, to write to.

    They are written beside the training: an error shows later, at the latest at the
    end.

    Raises:
      OSError: the disk is full, or does not take them for another reason. What was
        finished before is kept.
    """
    policies = ocp.training.preservation_policies
    best = policies.BestN(
        get_metric_fn=lambda metrics: metrics[METRIC],
        reverse=True,
        n=1,
        keep_checkpoints_without_metrics=False,
    )
    checkpointer = ocp.training.Checkpointer(
        checkpoint_folder(workdir),
        save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),
        preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(1), best]),
        cleanup_tmp_directories=True,
    )
    logging.getLogger("absl").addFilter(_is_news)
    hook = _hide_late_writers()
    try:
        with checkpointer:
            yield checkpointer
        sys.unraisablehook = hook  # after an error, threads are late for a while
    except (OSError, ValueError) as error:
        code = _takes_no_more(error)
        if code is None:
            raise
        raise OSError(
            code,
            f"{os.strerror(code)}: checkpoints cannot be written to {workdir}. "
            "The last finished one is kept; the same command goes on from there",
        ) from error


def _takes_no_more(error) -> int | None:
    """Number of the error, if it says that a checkpoint cannot be written.

    Any error of the file system that tensorstore tells as a ValueError; of Python's,
    which may be about another file, those of a disk that takes no more.
    """
    told = _OS_ERROR.search(str(error))
    if told:
        return int(told[1])
    code = getattr(error, "errno", None)
    return code if code in _TAKES_NO_MORE else None


def _is_news(record: logging.LogRecord) -> bool:
    """Not what is raised here as well: every thread of Orbax logs it, late ones too."""
    return record.exc_info is None or _takes_no_more(record.exc_info[1]) is None


def _hide_late_writers():
    """Installs `_show_unless_late`, once; returns what shows the others."""
    hook = sys.unraisablehook
    if getattr(hook, "func", None) is _show_unless_late:  # of a training that failed
        return hook.args[0]
    sys.unraisablehook = functools.partial(_show_unless_late, hook)
    return hook


def _show_unless_late(show, unraisable):
    """Shows what a thread could not raise, but for writers later than a failed one.

    Orbax closes its event loop at the first error. Every thread of tensorstore that
    still writes then finds it closed and prints a traceback, amidst the message.
    """
    if str(unraisable.exc_value) != "Event loop is closed":
        show(unraisable)


def checkpoint_folder(workdir: str | os.PathLike) -> pathlib.Path:
    """Where the checkpoints of a run are."""
    return pathlib.Path(workdir).absolute() / "checkpoints"


def best_step(workdir: str | os.PathLike) -> int:
    """Step of the lowest validation score; the last step if none was validated.

    Raises:
      InputError: there is no finished checkpoint.
    """
    folder = checkpoint_folder(workdir)
    if not folder.is_dir():
        raise InputError(
            f"No checkpoint in {workdir}. Train first, or check --workdir."
        )
    steps = sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    if not steps:
        raise InputError(f"No finished checkpoint in {workdir}. Train first.")
    scores = {step: _score(folder / str(step)) for step in steps}
    scored = [step for step in steps if scores[step] is not None]
    return min(scored, key=scores.get) if scored else steps[-1]


def load_variables(workdir: str | os.PathLike, like: Variables) -> Variables:
    """Parameters and statistics of the best step; the optimizer stays on disk.

    The average of the parameters, where the run has kept one.

    Args:
      workdir: folder of the run.
      like: shapes and shardings.

    Raises:
      InputError: no checkpoint, or one of another model; lists what differs.
    """
    for _ in range(READ_ATTEMPTS - 1):
        try:
            return _load_best(workdir, like)
        except (FileNotFoundError, ocp.errors.InvalidLayoutError):
            continue  # a training has replaced this checkpoint by a better one
    return _load_best(workdir, like)


def restore(
    checkpoints: ocp.training.Checkpointer, step: int, like: TrainState
) -> TrainState:
    """Loads the state of `step` into the shapes and shardings of `like`.

    Raises:
      InputError: the checkpoint belongs to another model; lists what differs.
    """
    saved = checkpoints.metadata(step).metadata
    path = checkpoints.directory / str(step)
    check_parameters(path, saved["params"], like.params)
    return checkpoints.load(step, like)


def check_parameters(path: Any, saved: Mapping, expected: Mapping) -> None:
    """Raises InputError with what differs between a checkpoint and a model."""
    differences = compare_parameters(saved, expected)
    if not differences:
        return
    listed = "\n  ".join(differences[:MAX_LISTED])
    more = len(differences) - MAX_LISTED
    tail = f"\n  and {more} more" if more > 0 else ""
    raise InputError(
        f"Checkpoint {path} does not fit the configured model, "
        f"{len(differences)} differences:\n  {listed}{tail}"
    )


def compare_parameters(saved: Mapping, expected: Mapping) -> list[str]:
    """One line per parameter that is missing, unknown or of another shape."""
    saved, expected = _shapes(saved), _shapes(expected)
    lines = []
    for name in sorted(saved.keys() | expected.keys()):
        if name not in saved:
            lines.append(f"{name}: the model has {expected[name]}, not in checkpoint")
        elif name not in expected:
            lines.append(f"{name}: the checkpoint has {saved[name]}, not in model")
        elif saved[name] != expected[name]:
            lines.append(
                f"{name}: the model has {expected[name]}, the checkpoint {saved[name]}"
            )
    return lines


def _score(path):
    """The validation score that Orbax keeps beside a state; None without one."""
    file = path / "metrics" / "metrics"
    if not file.is_file():
        return None
    return json.loads(file.read_text(encoding="utf-8")).get(METRIC)


def _load_best(workdir, like):
    path = checkpoint_folder(workdir) / str(best_step(workdir))
    saved = ocp.metadata(path).metadata
    check_parameters(path, saved["params"], like.params)
    params = "average" if saved.get("average") else "params"
    wanted = {params: like.params}
    if like.batch_stats:
        wanted["batch_stats"] = like.batch_stats
    context = ocp.Context()
    context.pytree.loading.partial_load = True
    with context:
        found = ocp.load(path, wanted)
    return Variables(found[params], found.get("batch_stats", {}))


def _shapes(tree):
    leaves = jax.tree_util.tree_leaves_with_path(
        tree, is_leaf=lambda node: hasattr(node, "shape")
    )
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in leaves
    }
