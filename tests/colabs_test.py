"""The notebooks run from the first cell to the last, on settings of a smoke test."""

import json

import nbclient
import nbformat
import pytest

NOTEBOOKS = ("train_on_shapes", "reconstruct")


def read(repository, name):
    return nbformat.read(repository / "colabs" / f"{name}.ipynb", as_version=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs(name, repository, tmp_path, monkeypatch):
    monkeypatch.setenv("P2M_TINY", "1")
    monkeypatch.setenv("PYTHONPATH", str(repository))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    notebook = read(repository, name)
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    assert "<iframe srcdoc=" in json.dumps(notebook.cells)  # the 3D view


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_committed_clean(name, repository):
    """Its own install cell first, and no outputs."""
    notebook = read(repository, name)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert '"pip", "install"' in code[0].source
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
