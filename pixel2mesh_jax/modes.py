"""What the program does in each mode: the only place where data meets training.

TensorFlow is imported by the modes that read datasets, not by reconstruction.
"""

import functools
import pathlib
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np
from rich.console import Console

from pixel2mesh_jax import methods, processes
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import baselines, depth_agreement, protocols
from pixel2mesh_jax.evaluation import evaluate as evaluation
from pixel2mesh_jax.inference import complete as completion
from pixel2mesh_jax.inference import reconstruct as reconstruction
from pixel2mesh_jax.inference.predict import anchored, without_depth
from pixel2mesh_jax.io import units
from pixel2mesh_jax.methods.method import Field
from pixel2mesh_jax.report import held_out, page, preview
from pixel2mesh_jax.structures import Batch, Reconstruction
from pixel2mesh_jax.training import loop, run_folder, scalars, start
from pixel2mesh_jax.weights import release

NO_FIELDS: Mapping[str, Field] = types.MappingProxyType({})
REPORT_SAMPLES = 6  # held-out views shown in report.html


class Dataset(NamedTuple):
    """A dataset on disk, as a config wants to see it.

    Attributes:
      info: `data_pipelines.datasets.DatasetInfo`.
      train: batches from the one after a step on, without end.
      evaluate: one pass over (split, limit); 0 = the whole split. With `places`, over
        these of its examples alone.
    """

    info: Any
    train: Callable[[int], Iterator[Batch]]
    evaluate: Callable[..., Iterator[Batch]]

    def count(self, split: str, limit: int) -> int:
        """Number of examples that `evaluate` yields."""
        total = self.info.num_examples.get(split, 0)
        return min(total, limit) if limit else total


def train(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, console: Console
) -> None:
    """Trains or goes on training. Raises InputError on a config or data of no use."""
    dataset = open_dataset(config, methods.make(config).fields)
    data = loop.Data(
        categories=dataset.info.categories,
        train=dataset.train,
        validate=lambda: dataset.evaluate("val", config.eval_limit),
        num_validate=dataset.count("val", config.eval_limit)
        if config.eval_every
        else 0,
    )
    loop.train(config, workdir, data, draw=_draw, console=console)


def evaluate(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path | None,
    console: Console,
    output: pathlib.Path,
) -> None:
    """Scores the predictions for a split; without true shapes, their depth.

    The files go into the folder of the run, or to `output` without one.
    """
    chosen = protocols.parse(config.eval.protocol)
    run = load_model(config, workdir)
    workdir = output if workdir is None else workdir
    dataset = open_dataset(config)
    split, limit = config.eval.split, config.eval.limit
    extract = anchored(run.extract, config.eval.refine)
    if config.eval.without_depth:
        extract = without_depth(extract, run.method.optional)
    settings = {
        "extract": extract,
        "batches": dataset.evaluate(split, limit),
        "categories": dataset.info.categories,
        "baselines": _baselines(run.method, dataset.info),
    }
    if not dataset.info.has_points:
        _check_measured(config, dataset.info)
        if not processes.is_first_process():
            return
        scores = depth_agreement.evaluate(**settings)
        depth_agreement.write_scores(workdir, scores)
        depth_agreement.print_table(scores, console)
        return
    scores = evaluation.evaluate(
        **settings,
        num_examples=dataset.count(split, limit),
        protocols=chosen,
        console=console,
    )
    if not processes.is_first_process():
        return
    metrics = {"dataset": config.dataset, "split": split, "limit": limit, **scores}
    evaluation.write_metrics(workdir, metrics)
    evaluation.print_table(metrics, console)
    chosen = held_out.telling(scores["samples"], REPORT_SAMPLES)
    shown = dataset.evaluate(split, limit, list(chosen))
    categories = dataset.info.categories
    samples = held_out.report_samples(extract, shown, categories, chosen.values())
    _write_report(config, workdir, metrics, samples)
    _say(
        console,
        f"Wrote report.html, metrics.json, .csv, .md and samples.csv to {workdir}",
    )


def reconstruct(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path | None,
    console: Console,
    *,
    source: str,
    output: str,
    estimate_depth: str,
    **options,
) -> None:
    """Images to mesh files; `options` are those of `reconstruct.reconstruct`."""
    if options.get("depth_unit") == units.INVERSE:
        _check_encoding(config)
    run = load_model(config, workdir)
    if "points" in config.inputs or str(source).lower().endswith(completion.SUFFIX):
        written = completion.complete(
            run.extract,
            source,
            output,
            image_size=config.image_size,
            inputs=config.inputs,
            needs_colors=config.model.get("grid") == "cloud",
            intrinsics=options["intrinsics"],
            file_format=options["file_format"],
            wanted=options["wanted"],
        )
        _say(console, f"Wrote {len(written)} completed clouds to {output}")
        return
    written = reconstruction.reconstruct(
        run.extract,
        source,
        output,
        image_size=config.image_size,
        inputs=config.inputs,
        optional=run.method.optional,
        estimate=_estimate(config, estimate_depth),
        report=functools.partial(_say, console),
        model=release.DEFAULT if workdir is None else str(workdir),
        **options,
    )
    _say(console, f"Wrote {len(written)} reconstructions to {output}")


def load_model(
    config: ml_collections.ConfigDict, workdir: pathlib.Path | None
) -> run_folder.Run:
    """The model of a run, or without one that which ships with the package."""
    if workdir is None:
        return run_folder.load_released(release.DEFAULT, config)
    return run_folder.load_run(workdir, config)


def release_weights(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    console: Console,
    output: str,
) -> None:
    """Writes the best model of a run as one file, as the package ships it."""
    path = pathlib.Path(output) / f"{workdir.name}{release.SUFFIX}"
    count = run_folder.release_run(workdir, path)
    _say(console, f"Wrote {count:,} parameters of {config.method} to {path}")


def import_weights(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, console: Console
) -> None:
    """Makes a run of published weights, to evaluate or reconstruct with."""
    count = start.import_run(config, workdir)
    _say(console, f"Wrote {count:,} parameters of {config.init_from} to {workdir}")


def open_dataset(
    config: ml_collections.ConfigDict, fields: Mapping[str, Field] = NO_FIELDS
) -> Dataset:
    """The dataset of a config.

    Args:
      config: of the experiment.
      fields: of `Batch` that training reads, see `Method.fields`.

    Raises:
      InputError: it is not there, or lacks something.
    """
    from data_pipelines import tensorflow_extra  # noqa: F401

    # isort: split
    from data_pipelines import input_pipeline

    where = (config.dataset, config.data_dir)
    info = input_pipeline.dataset_info(*where)
    needs = [name for name in config.inputs if name != "rgb"]
    needs += [name for name in fields if name == "points"]
    if config.loss.get("color", 0) > 0:
        needs.append("colors")
    input_pipeline.check_has(info, needs)
    if input_pipeline.choose_depth(info, config.depth_source) == "estimated":
        _check_encoding(config)

    def train_batches(start_step):
        return input_pipeline.train_batches(
            *where,
            batch_size=config.batch_size,
            image_size=config.image_size,
            num_points=config.num_points,
            seed=config.seed,
            start_step=start_step,
            color_jitter=config.color_jitter,
            flip=config.flip,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            depth_source=config.depth_source,
            fields=tuple(fields),
            num_queries=_num_queries(fields),
        )

    def eval_batches(split, limit, places=None):
        return input_pipeline.eval_batches(
            *where,
            split=split,
            batch_size=config.batch_size,
            image_size=config.image_size,
            limit=limit or None,
            places=places,
            depth_source=config.depth_source,
        )

    return Dataset(info, train_batches, eval_batches)


def _num_queries(fields):
    """Points around the shape per training example; None where nobody asks."""
    queries = fields.get("query_points")
    return None if queries is None else queries.shape[0]


def _baselines(method, info):
    """What costs no training, to be scored beside the predictions."""
    found = dict(baselines.BASELINES) if info.has_depth else {}
    if method.baseline is not None:
        found["undeformed template"] = lambda batch, row: method.baseline.mesh
    return found


def _check_measured(config, info):
    """Predictions are compared with depth that was measured, not guessed."""
    if not info.has_depth or config.depth_source == "estimated":
        raise InputError(
            f"Dataset '{info.name}' has neither true shapes nor measured depth to "
            "evaluate with; it serves --mode reconstruct."
        )


def _estimate(config, name):
    """The function that guesses depth, if the command line asks for one."""
    if name == "none":
        return None
    from data_pipelines.depth_estimation import estimators

    _check_encoding(config)
    estimator = estimators.load_estimator(name)
    return functools.partial(estimators.estimate_depth, estimator=estimator)


def _check_encoding(config):
    """Estimated depth knows no metres."""
    encoding = config.model.get("depth_encoding", "disparity")
    if "depth" in config.inputs and encoding != "disparity":
        raise InputError(
            f"model.depth_encoding {encoding!r} needs depth in "
            "metres, which an estimate does not give; use 'disparity'"
        )


def _draw(batch: Batch, found: Reconstruction) -> np.ndarray:
    """Strip of images of the first example of a batch."""
    return preview.preview(
        np.asarray(batch.rgb[0]),
        np.asarray(batch.depth[0]),
        np.asarray(batch.intrinsics[0]),
        *found.mesh,
    )


def _write_report(config, workdir, metrics, samples):
    record = workdir / scalars.FILE_NAME
    page.write_report(
        workdir / "report.html",
        title=f"{' + '.join(config.inputs)} to mesh: {config.dataset}",
        samples=samples,
        scalars_path=record if record.exists() else None,
        metrics=metrics,
        config_text=str(config),
        command=" ".join(["python -m pixel2mesh_jax.main", *sys.argv[1:]]),
    )


def _say(console, text):
    """Prints a line as it is: a path may hold what rich takes for markup."""
    console.print(text, soft_wrap=True, highlight=False, markup=False)
