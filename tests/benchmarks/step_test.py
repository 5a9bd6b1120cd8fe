"""The programs of the `step` benchmark agree, at a small size."""

import jax
import pytest

from benchmarks import step


@pytest.fixture
def ours():
    config = step.make_config(batch_size=jax.device_count())
    config.image_size = 64
    config.model.hidden_features = config.model.last_features = 16
    return step.OurProgram(config)


@pytest.mark.slow
def test_the_pytorch_program_does_the_same(ours):
    pytest.importorskip("torch")
    training, inference = step.pytorch_cases(ours)
    training.check()
    assert training.operations > 2 * inference.operations > 0
    assert training.amount == jax.device_count()


@pytest.mark.slow
def test_bfloat16_stays_close_to_float32(ours):
    training, inference = step.bfloat16_cases(ours)
    training.check()
    assert "bfloat16" in training.name
    assert "bfloat16" in inference.name
