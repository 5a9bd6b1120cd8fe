"""The notebooks run from the first cell to the last, on settings of a smoke test."""

import nbclient
import nbformat
import pytest

# In the order of use: the second takes the model that the first one trains.
NOTEBOOKS = ("train_on_shapes", "reconstruct")


def read(repository, name):
    return nbformat.read(repository / "colabs" / f"{name}.ipynb", as_version=4)


def shows_a_mesh(notebook):
    """Whether an output holds the 3D viewer."""
    return any(
        "<iframe srcdoc=" in output.get("data", {}).get("text/html", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )


@pytest.mark.slow
def test_notebooks_run(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("P2M_TINY", "1")
    monkeypatch.setenv("PYTHONPATH", str(repository))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    # Compile fast rather than run fast.
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")
    for name in NOTEBOOKS:
        notebook = read(repository, name)
        nbclient.NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
        ).execute()
        assert shows_a_mesh(notebook)
    assert (tmp_path / "out" / "example.glb").is_file()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_committed_clean(name, repository):
    """Its own install cell first, and no outputs."""
    notebook = read(repository, name)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert '"pip", "install"' in code[0].source
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
