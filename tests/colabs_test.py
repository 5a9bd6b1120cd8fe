"""The notebooks run from the first cell to the last; their saved outputs are small."""

import importlib.util
import subprocess

import nbformat
import pytest

from benchmarks import notebooks

# Of these, `train_on_shapes` needs TensorFlow.
NAMES = notebooks.NAMES
MOST_OF_ALL = 1_000_000  # bytes of a saved notebook


def read(repository, name):
    return nbformat.read(repository / "colabs" / f"{name}.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code(notebook) for output in cell.outputs]


def shows_a_mesh(notebook):
    """Whether an output holds the 3D viewer."""
    found = (
        output.get("data", {}).get("text/html", "") for output in outputs(notebook)
    )
    return any("<iframe srcdoc=" in text for text in found)


def images(notebook):
    return [
        output for output in outputs(notebook) if "image/png" in output.get("data", {})
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(repository, tmp_path, monkeypatch, name):
    monkeypatch.setenv("P2M_TINY", "1")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    # Compile fast rather than run fast.
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")
    notebook = read(repository, name)
    for cell in code(notebook):
        cell.outputs = []
    notebooks.execute(notebook, tmp_path, timeout=600)
    assert len(images(notebook)) >= 2
    assert shows_a_mesh(notebook) == (name != "web_and_api")
    if name == "reconstruct":
        assert (tmp_path / "out" / "example.glb").is_file()
    small = notebooks.with_small_outputs(notebook, str(tmp_path))
    assert not shows_a_mesh(small)
    assert images(small)


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_notebook_is_small_and_complete(repository, name):
    notebook = read(repository, name)
    nbformat.validate(notebook)
    first = code(notebook)[0]
    assert '"pip", "install"' in first.source
    assert "pixel2mesh_jax-*.whl" in first.source
    assert 'REPOSITORY = ""  # @param' in first.source
    assert len(images(notebook)) >= 2
    for output in outputs(notebook):
        assert output.output_type != "error"
        assert len(str(output.get("data", ""))) <= 1.1 * notebooks.MOST
    assert (repository / "colabs" / f"{name}.ipynb").stat().st_size < MOST_OF_ALL
    assert "/tmp/" not in str(outputs(notebook))


@pytest.mark.parametrize(
    ("name", "there", "address", "wanted"),
    [
        ("reconstruct", (), "", ".."),
        ("web_and_api", ("a.whl", "pixel2mesh_jax-0.2.0-py3-none-any.whl"), "", ".whl"),
        ("train_on_shapes", (), "", "..[train]"),
        (
            "train_on_shapes",
            ("pixel2mesh_jax-0.2.0-py3-none-any.whl",),
            "",
            "pixel2mesh_jax-0.2.0-py3-none-any.whl[train]",
        ),
        (
            "reconstruct",
            (),
            "https://example.com/a/b.git",
            "pixel2mesh-jax @ git+https://example.com/a/b.git",
        ),
    ],
)
def test_the_first_cell_installs_what_there_is(
    repository, tmp_path, monkeypatch, name, there, address, wanted
):
    commands = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    monkeypatch.setattr(subprocess, "run", lambda c, check: commands.append(c))
    monkeypatch.chdir(tmp_path)
    for file in there:
        (tmp_path / file).touch()
    cell = code(read(repository, name))[0].source
    field = 'REPOSITORY = ""'
    assert cell.count(field) == 1
    exec(cell.replace(field, f'REPOSITORY = "{address}"'), {})
    assert len(commands) == 1
    assert commands[0][-1].endswith(wanted)


def test_the_first_cell_does_nothing_in_an_environment_with_the_package(
    repository, monkeypatch
):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("installs"))
    for name in NAMES:
        exec(code(read(repository, name))[0].source, {})
