"""The command line: flags -> config -> mode. The only place where data meets training.

    python -m pixel2mesh_jax.main --config configs/rgbd.py --workdir runs/rgbd
        [--mode train|eval|reconstruct|import] [--config.batch_size=16 ...]

TensorFlow is imported by the modes that read datasets, not by reconstruction.
"""

import functools
import os
import pathlib
import sys

import jax
import numpy as np
from absl import app, flags, logging
from ml_collections import config_flags
from rich.console import Console

from pixel2mesh_jax import protocols, reconstruct
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import templates
from pixel2mesh_jax.models.build import make_template
from pixel2mesh_jax.report import held_out, page, preview
from pixel2mesh_jax.structures import Batch, Outputs
from pixel2mesh_jax.training import checkpoints, evaluate, loop, scalars, start

MODES = ("train", "eval", "reconstruct", "import")
BAD_INPUT = 2  # exit code
REPORT_SAMPLES = 6  # held-out views pictured in report.html
EXAMPLES = {"config": "configs/rgbd.py:tiny", "workdir": "runs/rgbd"}

FLAGS = flags.FLAGS
config_flags.DEFINE_config_file(
    "config", None, "Experiment: configs/rgbd.py, or configs/rgbd.py:tiny."
)
flags.DEFINE_string("workdir", None, "Folder of the run.")
flags.DEFINE_enum("mode", "train", MODES, "What to do.")
flags.DEFINE_string("input", None, "reconstruct: a picture or a folder of pictures.")
flags.DEFINE_string("depth", None, "reconstruct: depth map, or a folder of them.")
flags.DEFINE_string(
    "estimate_depth",
    "none",
    "reconstruct: network that guesses depth where there is no depth map: onnx:FILE, "
    "transformers:MODEL or none.",
)
flags.DEFINE_string(
    "matting",
    "none",
    "reconstruct: cuts the object out of pictures without transparency: rembg, "
    "onnx:FILE or none.",
)
flags.DEFINE_string("intrinsics", None, "reconstruct: 'fx,fy,cx,cy' or a JSON file.")
flags.DEFINE_string("output", "out", "reconstruct: folder for the meshes.")
flags.DEFINE_enum("format", "obj", reconstruct.FORMATS, "reconstruct: file format.")
flags.DEFINE_bool("stages", False, "reconstruct: also the mesh of every stage.")
flags.DEFINE_enum(
    "fit", "auto", reconstruct.FITS, "reconstruct: cut out and centre the object first."
)


def run() -> None:
    """Entry point: bad input ends with one line on stderr and exit code 2."""
    app.run(_guarded, flags_parser=_parse)


def _parse(arguments):
    try:
        rest = FLAGS(arguments)
        getattr(FLAGS.config, "inputs", None)  # raises if the file does not exist
        return rest
    except (
        flags.Error,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        OSError,
    ) as error:
        cause = _first_cause(error)
        text = str(cause) if isinstance(cause, InputError) else _one_line(cause)
        _refuse(text)


def _first_cause(error):
    """What a config file raised, if that is what went wrong; else the error."""
    causes = []
    while error is not None:
        causes.append(error)
        error = error.__cause__ or error.__context__
    ours = [cause for cause in causes if isinstance(cause, InputError)]
    files = [cause for cause in causes if isinstance(cause, OSError)]
    return (ours or files or causes[:1])[-1]


def _one_line(error):
    text = str(error.args[0] if error.args else error)
    if text.startswith("'") and text.endswith("'"):  # the repr of a message
        text = text[1:-1]
    return " ".join(text.replace("\\n", " ").replace("\\'", "'").split())


def _guarded(arguments):
    try:
        main(arguments)
    except (InputError, FloatingPointError, OSError) as error:
        _refuse(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from here\n")
        sys.exit(130)


def _refuse(message):
    sys.stderr.write(f"error: {message}\n")
    sys.exit(BAD_INPUT)


def main(arguments: list[str]) -> None:
    """Runs the mode that the flags ask for."""
    if len(arguments) > 1:
        raise InputError(f"Unexpected argument {arguments[1]!r}; see --help.")
    for name, example in EXAMPLES.items():
        if getattr(FLAGS, name) is None:
            raise InputError(f"--{name} is missing; for example --{name} {example}")
    logging.set_verbosity(logging.WARNING)  # Orbax and JAX tell every detail
    _keep_compiled_programs()
    modes = {
        "train": _train,
        "eval": _evaluate,
        "reconstruct": _reconstruct,
        "import": _import,
    }
    modes[FLAGS.mode](FLAGS.config, pathlib.Path(FLAGS.workdir), Console())


def _keep_compiled_programs():
    """Compiles a program once per machine; JAX_COMPILATION_CACHE_DIR overrides."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = pathlib.Path.home() / ".cache" / "pixel2mesh_jax"
        jax.config.update("jax_compilation_cache_dir", str(folder))


def _train(config, workdir, console):
    info, train_batches, eval_batches = _dataset(config)
    data = loop.Data(
        categories=info.categories,
        train=train_batches,
        validate=lambda: eval_batches("val", config.eval_limit),
        num_validate=_count(info, "val", config.eval_limit),
    )
    loop.train(config, workdir, data, draw=_draw, console=console)


def _evaluate(config, workdir, console):
    chosen = protocols.parse(config.eval.protocol)
    predict, _ = checkpoints.load_predictor(workdir, config)
    info, _, eval_batches = _dataset(config)
    template = make_template(config)
    split, limit = config.eval.split, config.eval.limit
    scores = evaluate.evaluate(
        predict,
        eval_batches(split, limit),
        categories=info.categories,
        num_examples=_count(info, split, limit),
        template_vertices=templates.finest_vertices(template),
        template_faces=np.asarray(template.levels[-1].faces),
        protocols=chosen,
        console=console,
    )
    metrics = {"dataset": config.dataset, "split": split, "limit": limit, **scores}
    evaluate.write_metrics(workdir, metrics)
    evaluate.print_table(metrics, console)
    shown = eval_batches(split, REPORT_SAMPLES)
    samples = held_out.report_samples(predict, shown, info.categories, split)
    _write_report(config, workdir, metrics, samples)
    _say(console, f"Wrote report.html and metrics.json, .csv, .md to {workdir}")


def _reconstruct(config, workdir, console):
    if FLAGS.input is None:
        raise InputError("--input is missing; for example --input photo.png")
    predict, _ = checkpoints.load_predictor(workdir, config)
    written = reconstruct.reconstruct(
        predict,
        FLAGS.input,
        FLAGS.output,
        image_size=config.image_size,
        inputs=config.inputs,
        depth=FLAGS.depth,
        intrinsics=FLAGS.intrinsics,
        estimate=_estimate(config),
        matting=FLAGS.matting,
        fit=FLAGS.fit,
        file_format=FLAGS.format,
        stages=FLAGS.stages,
    )
    _say(console, f"Wrote {len(written)} reconstructions to {FLAGS.output}")


def _estimate(config):
    """The function that guesses depth, if the command line asks for one."""
    if FLAGS.estimate_depth == "none":
        return None
    from data_pipelines import depth_estimation

    _check_encoding(config)
    estimator = depth_estimation.load_estimator(FLAGS.estimate_depth)
    return functools.partial(depth_estimation.estimate_depth, estimator=estimator)


def _check_encoding(config):
    """Estimated depth knows no metres."""
    if "depth" in config.inputs and config.model.depth_encoding != "disparity":
        raise InputError(
            f"model.depth_encoding {config.model.depth_encoding!r} needs depth in "
            "metres, which an estimate does not give; use 'disparity'"
        )


def _import(config, workdir, console):
    count = start.import_run(config, workdir)
    _say(console, f"Wrote {count:,} parameters of {config.init_from} to {workdir}")


def _say(console, text):
    console.print(text, soft_wrap=True, highlight=False)


def _dataset(config):
    """Description of the dataset, training batches from a step on, one eval pass."""
    from data_pipelines import input_pipeline

    where = (config.dataset, config.data_dir)
    info = input_pipeline.dataset_info(*where)
    needs = [name for name in config.inputs if name != "rgb"]
    if config.model.vertex_colors:
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
        )

    def eval_batches(split, limit):
        return input_pipeline.eval_batches(
            *where,
            split=split,
            batch_size=config.batch_size,
            image_size=config.image_size,
            limit=limit or None,
            depth_source=config.depth_source,
        )

    return info, train_batches, eval_batches


def _count(info, split, limit):
    total = info.num_examples.get(split, 0)
    return min(total, limit) if limit else total


def _draw(batch: Batch, outputs: Outputs) -> np.ndarray:
    """Strip of pictures of the first example of a batch."""
    mesh = outputs.meshes[-1]
    return preview.preview(
        np.asarray(batch.rgb[0]),
        np.asarray(batch.depth[0]),
        np.asarray(batch.intrinsics[0]),
        np.asarray(mesh.vertices[0]),
        np.asarray(mesh.topology.faces),
        None if mesh.colors is None else np.asarray(mesh.colors[0]),
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


if __name__ == "__main__":
    run()
