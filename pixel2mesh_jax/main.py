"""The command line: flags -> config -> mode.

python -m pixel2mesh_jax.main --config configs/rgbd.py --workdir runs/rgbd
    [--mode train|eval|reconstruct|import|release] [--config.batch_size=16 ...]
"""

import importlib.util
import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags, logging
from ml_collections import config_flags
from rich.console import Console

from pixel2mesh_jax import compilation_cache, modes, processes
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.inference import finish, reconstruct
from pixel2mesh_jax.io import cameras, depth_cameras, masks, units
from pixel2mesh_jax.training import run_folder
from pixel2mesh_jax.weights import release

MODES = ("train", "eval", "reconstruct", "import", "release")
SHARED_MODES = ("train", "eval")  # that several processes can do together
BAD_INPUT = 2  # exit code
EXAMPLES = {"config": "configs/rgbd.py:tiny", "workdir": "runs/rgbd"}
# Evaluation and reconstruction take the config from the folder of the run; without one
# they use the weights that ship with the package.
NEEDED = {
    "train": ("config", "workdir"),
    "import": ("config", "workdir"),
    "eval": (),
    "release": ("workdir",),
    "reconstruct": (),
}

FLAGS = flags.FLAGS
config_flags.DEFINE_config_file(
    "config", None, "Experiment: configs/rgbd.py, or configs/rgbd.py:tiny."
)
flags.DEFINE_string("workdir", None, "Folder of the run.")
flags.DEFINE_enum("mode", "train", MODES, "What to do.")
flags.DEFINE_string("input", None, "reconstruct: an image or a folder of images.")
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
    "reconstruct: cuts the object out of images without transparency: rembg, "
    "onnx:FILE, grabcut (inside --box) or none.",
)
flags.DEFINE_string(
    "intrinsics",
    None,
    "reconstruct: 'fx,fy,cx,cy' or a camera file (JSON, YAML or cameras.txt).",
)
flags.DEFINE_string(
    "depth_unit",
    "",
    "reconstruct: metres per value of the depth maps, or m, mm, 0.1mm, tum, kitti, "
    "inverse (relative inverse depth). By default what the camera file says, else "
    "millimetres for integers and metres for floats.",
)
flags.DEFINE_string(
    "depth_intrinsics",
    None,
    "reconstruct: of the depth maps where they are of another camera than the image, "
    "as --intrinsics.",
)
flags.DEFINE_string(
    "depth_to_color",
    None,
    "reconstruct: JSON file of the 4x4 matrix from the camera of the depth maps to the "
    "one of the image, or of RealSense's rotation and translation; metres.",
)
flags.DEFINE_list(
    "box",
    None,
    "reconstruct: left,top,right,bottom of the object, pixels, where depth alone cuts "
    "it out.",
)
flags.DEFINE_integer("label", None, "reconstruct: value of the object in the masks.")
flags.DEFINE_string(
    "output", "out", "reconstruct, release, eval without a run: folder for the files."
)
flags.DEFINE_enum("format", "obj", reconstruct.FORMATS, "reconstruct: file format.")
flags.DEFINE_bool("stages", False, "reconstruct: also the mesh of every stage.")
flags.DEFINE_enum(
    "frame",
    "camera",
    finish.FRAMES,
    "reconstruct: axes of the camera of the image as OpenGL or as OpenCV has them; "
    "or the object upright, with the middle of its box in the origin.",
)
flags.DEFINE_enum("up", "y", finish.UPS, "reconstruct: up axis of --frame object.")
flags.DEFINE_integer(
    "refine",
    0,
    "reconstruct: steps that move the visible side onto the measured depth map.",
)
flags.DEFINE_integer("faces", 0, "reconstruct: at most so many triangles; 0 for all.")
flags.DEFINE_integer("smooth", 0, "reconstruct: passes of a smoothing filter.")
flags.DEFINE_integer(
    "texture",
    0,
    "reconstruct: texels per side of a texture from the image (glb and obj), such as "
    "1024; 0 for colours of the vertices. Needs the extra 'texture'.",
)
flags.DEFINE_enum(
    "preview",
    "png",
    reconstruct.PREVIEWS,
    "reconstruct: a strip of images, a page with the mesh to turn, a mesh that turns "
    "(gif), or nothing.",
)
flags.DEFINE_enum(
    "fit", "auto", reconstruct.FITS, "reconstruct: cut out and centre the object first."
)


def run() -> None:
    """Entry point: bad input ends with one line on stderr and exit code 2."""
    app.run(_guarded, flags_parser=_parse)


def _parse(arguments):
    try:
        rest = FLAGS(with_config_of_run(arguments))
        if FLAGS.config is not None:
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


def with_config_of_run(arguments: Sequence[str]) -> list[str]:
    """The command line, with the settings of the run where some are given anew.

    `--config.data_dir=...` needs a config that it changes: in modes that read a run and
    without `--config`, that of the run, or of the weights that ship.
    """
    given = _values_of_flags(arguments)
    mode = given.get("mode", FLAGS["mode"].default)
    reads_run = mode in NEEDED and "config" not in NEEDED[mode]
    anew = any(name.startswith("config.") for name in given)
    if not (reads_run and anew) or "config" in given:
        return [*arguments]
    configs = pathlib.Path(importlib.util.find_spec("configs").origin).parent
    of_run = f"--config={configs / 'of_run.py'}:{given.get('workdir', '')}"
    program, *rest = arguments
    return [program, of_run, *rest]


def _values_of_flags(arguments):
    """By name, before they are checked: `--name=value` or `--name value`."""
    found = {}
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-"):
            found[name] = value if equals else following
    return found


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
    for name in NEEDED[FLAGS.mode]:
        if getattr(FLAGS, name) is None:
            example = EXAMPLES[name]
            raise InputError(f"--{name} is missing; for example --{name} {example}")
    logging.set_verbosity(logging.WARNING)  # Orbax and JAX tell every detail
    compilation_cache.enable()
    config = _config_of_mode()
    if config.get("distributed"):
        _join_processes()
    run_mode = {
        "train": modes.train,
        "eval": _evaluate,
        "reconstruct": _reconstruct,
        "import": modes.import_weights,
        "release": _release,
    }
    console = Console(quiet=not processes.is_first_process())
    workdir = None if FLAGS.workdir is None else pathlib.Path(FLAGS.workdir)
    run_mode[FLAGS.mode](config, workdir, console)


def _config_of_mode():
    """The experiment to train, or the run as it was trained."""
    if FLAGS.mode in ("train", "import"):
        return FLAGS.config
    overrides = {}
    if FLAGS.config is not None:
        overrides = config_flags.get_override_values(FLAGS["config"])
        for name in ("method", "inputs"):  # of another experiment than the run
            overrides.setdefault(name, FLAGS.config[name])
    if FLAGS.workdir is None:
        path = release.path_of(release.DEFAULT)
        shipped = run_folder.load_released_config(path)
        owner = f"'{release.DEFAULT}', which ships with the package,"
        return run_folder.with_overrides(shipped, overrides, owner)
    return run_folder.use_config(FLAGS.workdir, overrides)


def _join_processes():
    """Before anything touches a device."""
    if FLAGS.mode not in SHARED_MODES:
        raise InputError(
            f"distributed=true is for --mode {' and '.join(SHARED_MODES)}; "
            f"--mode {FLAGS.mode} runs in one process."
        )
    processes.join_processes()


def _evaluate(config, workdir, console):
    modes.evaluate(config, workdir, console, pathlib.Path(FLAGS.output))


def _release(config, workdir, console):
    modes.release_weights(config, workdir, console, FLAGS.output)


def _reconstruct(config, workdir, console):
    if FLAGS.input is None:
        raise InputError("--input is missing; for example --input photo.png")
    modes.reconstruct(
        config,
        workdir,
        console,
        source=FLAGS.input,
        output=FLAGS.output,
        estimate_depth=FLAGS.estimate_depth,
        depth=FLAGS.depth,
        intrinsics=FLAGS.intrinsics,
        depth_unit=units.parse_choice(FLAGS.depth_unit),
        depth_camera=_depth_camera(),
        label=FLAGS.label,
        box=masks.parse_box(FLAGS.box),
        matting=FLAGS.matting,
        fit=FLAGS.fit,
        file_format=FLAGS.format,
        stages=FLAGS.stages,
        wanted=finish.Finish(
            FLAGS.frame, FLAGS.faces, FLAGS.up, FLAGS.smooth, FLAGS.texture
        ),
        previews=FLAGS.preview,
        refine=FLAGS.refine,
    )


def _depth_camera():
    lens = FLAGS.depth_intrinsics
    lens = lens and cameras.load_camera(lens)
    return depth_cameras.depth_camera(lens, FLAGS.depth_to_color)


if __name__ == "__main__":
    run()
