"""What a run starts from: random numbers, published weights, its own checkpoint."""

import itertools

import numpy as np
import pytest
from rich.console import Console

from configs import rgb
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import loop, start
from tests.batches import SIZE, make_batch
from tests.weights import published_files

BATCH = 4
FACTOR = 32  # narrower than VGG-16


def make_config(**changes):
    """One small stage on a narrow VGG-16; the learning rate is 0."""
    config = rgb.get_config("tiny")
    config.image_size = SIZE
    config.model.encoder = "vgg16"
    config.model.encoder_width = 1 / FACTOR
    config.model.hidden_features = 4
    config.model.last_features = 0
    config.model.num_blocks = 1
    config.model.num_stages = 1
    config.batch_size = BATCH
    config.num_steps = 1
    config.eval_every = 0
    config.optimizer.learning_rate = 0.0
    config.optimizer.schedule = "constant"
    config.update(changes)
    return config


def write_weights(path, seed=0):
    """Weights of the encoder; the name for `init_from` and the stem in our layout."""
    tensors = published_files.vgg16_tensors(np.random.default_rng(seed), FACTOR)
    published_files.save_npz(path, tensors)
    return f"torchvision:{path}", tensors["features.0.weight"].transpose(2, 3, 1, 0)


def train(workdir, config):
    batches = (make_batch(seed, BATCH) for seed in itertools.count())
    data = loop.Data(("thing",), lambda start_step: batches, lambda: iter(()), 0)
    return loop.train(config, workdir, data, console=Console(quiet=True))


def stem(state):
    return np.asarray(state.params["encoder"]["conv1_1"]["kernel"])


def test_training_starts_from_the_weights_and_resumes_without_them(tmp_path):
    spec, expected = write_weights(tmp_path / "weights.npz")
    workdir = tmp_path / "run"
    state = train(workdir, make_config(init_from=spec))
    np.testing.assert_array_equal(stem(state), expected)
    write_weights(tmp_path / "weights.npz", seed=1)
    resumed = train(workdir, make_config(init_from=spec, num_steps=2))
    assert int(resumed.step) == 2
    np.testing.assert_array_equal(stem(resumed), expected)


def test_an_encoder_alone_is_not_imported_as_a_model(tmp_path):
    spec, _ = write_weights(tmp_path / "weights.npz")
    with pytest.raises(InputError, match="holds an image encoder alone"):
        start.import_run(make_config(init_from=spec), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_of_another_camera_are_refused_by_the_settings(tmp_path):
    config = make_config(init_from=f"tensorflow:{tmp_path / 'released.npz'}")
    message = r"model.origin is .*model.camera is sample, expected 250,112"
    with pytest.raises(InputError, match=f"(?s){message}"):
        train(tmp_path / "run", config)


def test_importing_nothing_shows_an_example(tmp_path):
    with pytest.raises(InputError, match=r"--config\.init_from=pytorch:"):
        start.import_run(make_config(), tmp_path / "run")
