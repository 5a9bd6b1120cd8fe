"""What every method promises of its trainings."""

import itertools
import json

import jax
import numpy as np
import pytest
from rich.console import Console

from pixel2mesh_jax import methods
from pixel2mesh_jax.evaluation import evaluate
from pixel2mesh_jax.training import loop, run_folder
from tests.methods.houses import BATCH, NAMES, TOYS, batch_of, config_of


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    for name, module in TOYS.items():
        monkeypatch.setitem(methods.METHODS, name, module)


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_goes_on_validates_and_is_loaded(name, tmp_path):
    """The same parameters whether the training was interrupted or not."""
    config = config_of(name, eval_every=2)
    method = methods.make(config)

    def train(workdir, breaks_at=None):
        def batches(start):
            for step in itertools.count(start):
                if step == breaks_at:
                    raise ConnectionError
                yield batch_of(method, step)

        validation = lambda: iter([batch_of(method, 99)])  # noqa: E731
        data = loop.Data(("thing",), batches, validation, BATCH)
        return loop.train(config, workdir, data, console=Console(quiet=True))

    expected = train(tmp_path / "whole")
    with pytest.raises(ConnectionError):
        train(tmp_path / "broken", breaks_at=3)
    jax.tree.map(np.testing.assert_array_equal, train(tmp_path / "broken"), expected)
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    assert any("val/chamfer" in json.loads(line) for line in lines)
    run = run_folder.load_run(tmp_path / "whole")
    scores = evaluate.evaluate(
        run.extract,
        [batch_of(method, 99)],
        categories=("thing",),
        num_examples=BATCH,
        baselines={},
        protocols=("surface",),
        console=Console(quiet=True),
    )
    assert scores["num_samples"] == BATCH
