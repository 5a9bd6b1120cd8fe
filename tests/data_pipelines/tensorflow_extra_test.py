"""Without TensorFlow: what needs it says so in one line, the rest works."""

import subprocess
import sys

import pytest

WITHOUT = (
    "import runpy, sys; sys.modules['tensorflow'] = None; sys.argv = sys.argv[1:];"
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)


def run(repository, *arguments):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *map(str, arguments)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("data_pipelines.build", "procedural_shapes"),
        ("data_pipelines.export", "procedural_shapes"),
        ("pixel2mesh_jax.cli", "eval"),
    ],
)
def test_what_needs_it_says_how_to_install_it(arguments, repository):
    done = run(repository, *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'pixel2mesh-jax[train]'" in done.stderr


def test_reconstruction_does_without(repository, tmp_path):
    image = repository / "examples" / "taxi.png"
    arguments = ("reconstruct", image, "--output", tmp_path, "--preview=none")
    done = run(repository, "pixel2mesh_jax.cli", *arguments)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "taxi.obj").is_file()
