"""`pixel2mesh-jax COMMAND`: commands become flags, configs are found by name."""

import os
import shutil
import subprocess
import sys

import pytest

import pixel2mesh_jax
from pixel2mesh_jax import cli
from pixel2mesh_jax import main as program


@pytest.fixture
def called(monkeypatch):
    """Arguments that main.py would get."""
    monkeypatch.setattr(sys, "argv", ["test"])
    monkeypatch.setattr(program, "run", lambda: None)
    return lambda *arguments: (cli.main(arguments), sys.argv[1:])


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        (
            ["reconstruct", "a.png", "--depth", "d.png"],
            ["--mode=reconstruct", "--input=a.png", "--depth", "d.png"],
        ),
        (["reconstruct", "--input", "a"], ["--mode=reconstruct", "--input", "a"]),
        (["eval", "runs/a"], ["--mode=eval", "--workdir=runs/a"]),
        (["eval"], ["--mode=eval"]),
        (["release", "runs/a"], ["--mode=release", "--workdir=runs/a"]),
        (["--mode", "eval"], ["--mode", "eval"]),
    ],
)
def test_commands_are_modes(called, arguments, flags):
    assert called(*arguments) == (0, flags)


def test_configs_are_found_by_name_in_every_folder(
    called, repository, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = f"{repository / 'configs' / 'rgbd.py'}:tiny"
    for name in ("rgbd:tiny", "configs/rgbd.py:tiny", "rgbd.py:tiny"):
        _, flags = called("train", name, "--workdir", "runs/a")
        assert flags == ["--mode=train", f"--config={path}", "--workdir", "runs/a"]
        assert called("--config", name)[1] == ["--config", path]
    (tmp_path / "rgbd.py").write_text("")
    assert cli.config_file("rgbd.py") == "rgbd.py"  # a file of the user comes first
    assert cli.config_file("mine.py:tiny") == "mine.py:tiny"


@pytest.mark.parametrize(
    ("flags", "run"),
    [
        ("--mode=eval --workdir=runs/a --config.data_dir=b", "runs/a"),
        ("--mode eval --workdir runs/a --config.data_dir b", "runs/a"),
        ("--mode=eval --config.data_dir=b", ""),
        ("--mode=reconstruct --input=a.png --config.image_size=9", ""),
    ],
)
def test_single_settings_of_a_run_are_given_anew(repository, flags, run):
    config = f"--config={repository / 'configs' / 'of_run.py'}:{run}"
    given = ["main.py", *flags.split()]
    assert program.with_config_of_run(given) == ["main.py", config, *flags.split()]


@pytest.mark.parametrize(
    "flags",
    [
        "--mode=eval --workdir=runs/a",
        "--mode=eval --workdir=runs/a --config=c.py --config.data_dir=b",
        "--workdir=runs/a --config.data_dir=b",  # a training needs its experiment
        "--mode=paint --config.data_dir=b",
    ],
)
def test_other_command_lines_stay_as_they_are(flags):
    given = ["main.py", *flags.split()]
    assert program.with_config_of_run(given) == given


def test_help_names_commands_and_configs(capsys):
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in cli.COMMANDS)
    assert "rgbd_sdf" in text
    assert "common" not in text


def test_help_of_a_command_shows_its_flags_alone(capsys):
    assert cli.main(["reconstruct", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--depth_unit" in text
    assert "file format. <obj|ply|glb|stl>" in text
    assert cli.main(["train", "--help"]) == 0
    assert "--depth_unit" not in capsys.readouterr().out


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip().endswith(pixel2mesh_jax.__version__)


def test_unknown_commands_list_those_there_are(capsys):
    assert cli.main(["reconstuct"]) == 2
    assert "no command 'reconstuct'; valid: reconstruct, " in capsys.readouterr().err


def test_models_are_listed_with_their_scores(capsys):
    assert cli.main(["models"]) == 0
    assert "rgbd_sdf" in capsys.readouterr().out


@pytest.mark.slow
def test_a_wheel_works_outside_of_the_checkout(repository, tmp_path):
    """Built, installed into an empty folder, started elsewhere."""

    def run(*command, **options):
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, **options
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    source = tmp_path / "source"  # building leaves files beside the sources
    for name in ("pixel2mesh_jax", "data_pipelines", "configs"):
        shutil.copytree(repository / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, source)
    pip = (sys.executable, "-m", "pip", "--quiet")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    run(*pip, "install", "--no-deps", "--target", tmp_path / "site", wheel)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    code = "import pixel2mesh_jax; print(pixel2mesh_jax.__file__)"
    assert "site" in run(sys.executable, "-c", code, env=environment)
    command = (sys.executable, "-m", "pixel2mesh_jax.cli", "reconstruct")
    examples = repository / "examples"
    run(*command, examples, "--format=glb", env=environment)
    assert len(list((tmp_path / "out").glob("*.glb"))) == 3
