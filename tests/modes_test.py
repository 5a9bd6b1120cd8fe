"""What the program says about a reconstruction."""

import io
import types

import ml_collections
from rich.console import Console

from pixel2mesh_jax import modes
from pixel2mesh_jax.training import run_folder


def test_paths_are_printed_as_they_are(tmp_path, monkeypatch):
    """Square brackets in a name are no markup of rich."""

    def reconstruct(extract, source, output, *, report, **options):
        report("[v2]mug[/b].png: 0.1 m large")
        return [object()]

    config = ml_collections.ConfigDict({"image_size": 32, "inputs": ("rgb",)})
    method = types.SimpleNamespace(extract=None, optional=())
    run = run_folder.Run(config, method, None)
    monkeypatch.setattr(modes.run_folder, "load_run", lambda *_: run)
    monkeypatch.setattr(modes.reconstruction, "reconstruct", reconstruct)
    text = io.StringIO()
    modes.reconstruct(
        config,
        tmp_path,
        Console(file=text, width=40),
        source="mug.png",
        output="out/[v2]/[/b]",
        estimate_depth="none",
    )
    lines = text.getvalue().splitlines()
    assert lines == [
        "[v2]mug[/b].png: 0.1 m large",
        "Wrote 1 reconstructions to out/[v2]/[/b]",
    ]
