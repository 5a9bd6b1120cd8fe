"""`pixel2mesh-jax COMMAND ...`: every program of the package under one name.

    pixel2mesh-jax reconstruct photo.png --depth photo_depth.png --format glb
    pixel2mesh-jax train rgbd:tiny --workdir runs/rgbd
    pixel2mesh-jax eval runs/rgbd

Commands that are modes of main.py become its flags; `--mode` and `--config` still work
as they are.
"""

import importlib
import importlib.util
import pathlib
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

import pixel2mesh_jax


class Mode(NamedTuple):
    """A command that is a mode of main.py.

    Attributes:
      text: one line of help.
      first: flag that the first argument without dashes stands for.
      name: of the mode.
    """

    text: str
    first: str
    name: str


class Program(NamedTuple):
    """A command that is a program of its own.

    Attributes:
      text: one line of help.
      module: has `main(arguments) -> exit code`.
    """

    text: str
    module: str


COMMANDS: dict[str, Mode | Program] = {
    "reconstruct": Mode("images to meshes: IMAGE|FOLDER", "input", "reconstruct"),
    "train": Mode("trains: CONFIG --workdir RUN", "config", "train"),
    "eval": Mode("scores a run, or the weights that ship: [RUN]", "workdir", "eval"),
    "compare": Program("runs side by side: RUN RUN", "pixel2mesh_jax.compare"),
    "release": Mode("a run's best model as one file: RUN", "workdir", "release"),
    "import": Mode("published weights to a run: CONFIG", "config", "import"),
    "build": Program("makes a data set: NAME --data_dir DIR", "data_pipelines.build"),
    "export": Program("views of a data set as files", "data_pipelines.export"),
    "app": Program("a page in the browser", "pixel2mesh_jax.app"),
    "models": Program("weights that ship", "pixel2mesh_jax.models_table"),
}
# Flags of main.py that a help page shows: those that say so, and these.
COMMON_FLAGS = ("workdir", "config")


def run() -> None:
    """Entry point of the console script."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return 0
    if arguments[0] == "--version":
        sys.stdout.write(f"pixel2mesh-jax {pixel2mesh_jax.__version__}\n")
        return 0
    name, *rest = arguments
    if name.startswith("-"):  # the flags of main.py by themselves
        return _run_mode(list(arguments))
    if name not in COMMANDS:
        sys.stderr.write(
            f"error: no command {name!r}; valid: {', '.join(COMMANDS)} "
            "(see pixel2mesh-jax --help)\n"
        )
        return 2
    command = COMMANDS[name]
    if isinstance(command, Program):
        return importlib.import_module(command.module).main(rest)
    if "--help" in rest or "-h" in rest:
        sys.stdout.write(help_of(name, command))
        return 0
    return _run_mode(flags_of(command, rest))


def overview() -> str:
    """What `--help` prints."""
    lines = [f"  {name:12} {command.text}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "pixel2mesh-jax COMMAND ...   (COMMAND --help says more)",
            "",
            *lines,
            "",
            "CONFIG is one of: " + ", ".join(configs()),
            "",
        ]
    )


def help_of(name: str, command: Mode) -> str:
    """The flags of main.py that concern a mode."""
    from pixel2mesh_jax import main as program

    shown = [f"pixel2mesh-jax {name}: {command.text}", ""]
    for flag in program.FLAGS.get_flags_for_module(program):
        # absl puts the choices of an enum in front: "<obj|ply>: reconstruct: ..."
        help_text = re.sub(r"^(<[^>]*>): (.*)", r"\2 \1", flag.help)
        concerns, colon, text = help_text.partition(": ")
        if colon and name in concerns.split(", "):
            shown.append(f"  --{flag.name} ({flag.default})\n      {text}")
        elif flag.name in COMMON_FLAGS:
            shown.append(f"  --{flag.name}\n      {flag.help}")
    return "\n".join([*shown, ""])


def flags_of(command: Mode, arguments: Sequence[str]) -> list[str]:
    """Arguments of a command as flags of main.py."""
    rest = list(arguments)
    if rest and not rest[0].startswith("-"):
        rest[0] = f"--{command.first}={rest[0]}"
    return [f"--mode={command.name}", *rest]


def configs() -> list[str]:
    """Names of the configs that come with the package."""
    skipped = ("__init__", "common", "of_run")
    names = (path.stem for path in _config_folder().glob("*.py"))
    return sorted(name for name in names if name not in skipped)


def config_file(name: str) -> str:
    """A config by its name, or as it is if it is no name.

    "rgbd:tiny" and "configs/rgbd.py:tiny" work in every folder; a file of the user that
    exists comes first.
    """
    path, colon, variant = name.partition(":")
    stem = pathlib.PurePath(path).stem
    if pathlib.Path(path).is_file() or stem not in configs():
        return name
    return f"{_config_folder() / stem}.py{colon}{variant}"


def _config_folder():
    return pathlib.Path(importlib.util.find_spec("configs").origin).parent


def _run_mode(flags):
    """main.py with these flags; it ends the process where something is wrong."""
    from pixel2mesh_jax import main as program

    sys.argv = ["pixel2mesh-jax", *_with_config_files(flags)]
    program.run()
    return 0


def _with_config_files(flags):
    """The flags, the names of configs replaced by their files."""
    found = list(flags)
    for place, flag in enumerate(flags):
        if flag.startswith("--config="):
            found[place] = "--config=" + config_file(flag.removeprefix("--config="))
        elif place and flags[place - 1] == "--config":
            found[place] = config_file(flag)
    return found


if __name__ == "__main__":
    run()
