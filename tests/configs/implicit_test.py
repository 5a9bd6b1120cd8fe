"""The implicit model at full size, its variants, its weights."""

import functools
import re

import jax
import numpy as np
import pytest

from configs import implicit as experiment
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import checkpoints, start
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer, make_schedule
from pixel2mesh_jax.weights import importing
from tests.weights import published_files

LADDER = (
    "2d_only",
    "voxels_occupancy",
    "depth_projected",
    "depth_projected_no_color",
    "gt_occupancy",
    "gt_sdf",
)
# Of the report: "the presented 30M parameter model".
PARAMETERS = 30e6


def shapes(config):
    """Outputs and variables, without computing anything."""
    method = methods.make(config)
    batch = method.example_batch(2)
    run = functools.partial(method.model.init_with_output, train=False)
    return jax.eval_shape(run, jax.random.key(0), batch, ())


def count(tree):
    return sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def test_full_size_is_the_published_network():
    outputs, variables = shapes(experiment.get_config())
    assert outputs.distances.shape == (2, 2000)
    np.testing.assert_allclose(count(variables["params"]), PARAMETERS, rtol=0.1)
    layers = variables["params"]["decoder"]
    assert layers["layer1"]["kernel"].shape == (512 + 256 + 128, 512)
    assert layers["layer3"]["kernel"].shape == (512 + 896, 512)


@pytest.mark.parametrize("variant", LADDER)
def test_the_ladder_builds(variant):
    outputs, variables = shapes(experiment.get_config(f"{variant},tiny"))
    params = variables["params"]
    assert ("grid_code" in params) == (variant != "2d_only")
    has_colors = variant != "depth_projected_no_color"
    assert ("color" in params["decoder"]) == has_colors
    assert (outputs.colors is None) != has_colors
    if "grid_code" in params:
        kernel = params["grid_code"]["conv1a"]["kernel"]
        colored = variant.startswith("depth_projected")
        assert kernel.shape[3] == (4 if colored else 1)
    assert count(params) < 0.15 * PARAMETERS


@pytest.mark.parametrize("variant", ["cloud", "sparse_cloud,no_image", "no_image"])
def test_points_and_grids_without_a_image_build(variant):
    config = experiment.get_config(f"{variant},tiny")
    _, variables = shapes(config)
    assert ("image_code" in variables["params"]) == ("no_image" not in variant)
    fields = methods.make(config).fields
    points = {"cloud": 3000, "sparse_cloud": 300}.get(variant.split(",")[0])
    assert ("points" in fields) == (points is not None)
    assert points is None or fields["points"].shape == (points, 3)


def test_one_cycle_rises_and_falls():
    """Values of the published formula: a cosine up, a cosine down."""
    config = experiment.get_config()
    config.num_steps = 1000
    rate, peak = make_schedule(config), config.optimizer.learning_rate
    half = lambda low, high: (low + high) / 2  # noqa: E731
    expected = {
        0: peak / 25,
        150: half(peak / 25, peak),
        300: peak,
        650: half(peak, peak / 25e3),
        1000: peak / 25e3,
    }
    for step, value in expected.items():
        np.testing.assert_allclose(rate(step), value, rtol=1e-4)


def small(variant):
    """A narrow network with the layout of the published ones."""
    config = experiment.get_config(f"{variant},tiny")
    config.model.update(
        encoder="resnet50",
        encoder_width=0.05,
        normalize_summary=True,
        grid_resolution=8,
        grid_channels=(2, 2, 2),
        hidden_features=4,
        fourier_features=256,
    )
    config.image_size = 32
    return config


def published(config, form):
    """Random tensors of a file under the names of the public program, by our rules."""
    _, variables = shapes(config)
    rng, tensors = np.random.default_rng(0), {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        name = jax.tree_util.keystr(path, simple=True, separator="/").split("/", 1)[1]
        rule = next(r for r in form.rules if re.fullmatch(r.parameter, name))
        tensor = re.fullmatch(rule.parameter, name).expand(rule.tensor)
        shape = leaf.shape[::-1] if leaf.ndim == 2 else leaf.shape
        if leaf.ndim > 2:
            shape = (leaf.shape[-1], leaf.shape[-2], *leaf.shape[:-2])
        shape += (1,) * ((rule.rank or leaf.ndim) - leaf.ndim)
        tensors[tensor] = rng.normal(size=shape).astype(np.float32)
    return variables, tensors


@pytest.mark.parametrize(
    ("form", "variant"), [("mfprn", "head"), ("mfprn_report", "code")]
)
def test_public_weights_are_taken_whole_or_not_at_all(form, variant, tmp_path):
    config = small(variant)
    variables, tensors = published(config, importing.FORMATS[form])
    empty = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), variables)
    image = "encoder.feature_extractor_2d." if form == "mfprn" else ""
    image = image or "feature_extractor_2d."
    unused = {
        f"{image}pretrained.fc.weight": np.zeros((3, 3)),
        f"{image}layer2.0.0.conv1.weight": np.zeros((1, 1, 1, 1)),
        f"{image}BN1.num_batches_tracked": np.zeros(()),
    }
    save = functools.partial(published_files.save_npz, tmp_path / "weights.npz")

    def take(tensors):
        return importing.import_weights(f"{form}:{save(tensors)}", empty)

    found = take(tensors | unused)
    matrix = found["batch_stats"]["fourier"]["matrix"]
    np.testing.assert_array_equal(matrix, tensors["embedding.B"].T)
    for leaf in jax.tree.leaves(found):
        assert np.any(leaf != 0)
    importing.check_settings(f"{form}:x", flat(config))
    with pytest.raises(InputError, match=r"extra\.weight"):
        take(tensors | {"extra.weight": np.zeros(3)})
    del tensors["embedding.B"]
    with pytest.raises(InputError, match=r"embedding\.B: not in the file"):
        take(tensors)


def flat(config):
    return {f"model.{name}": value for name, value in config.model.items()}


def test_public_weights_need_their_decoder():
    config = experiment.get_config("code")
    with pytest.raises(InputError, match=r"model\.decoder is code, expected head"):
        importing.check_settings("mfprn:x", flat(config))


def test_a_checkpoint_holds_the_fourier_matrix(tmp_path, quick_compilation):
    """In the public code it does not: a loaded network decodes noise."""
    config = small("code")
    config.model.update(encoder="resnet18", fourier_features=3)
    method, tx = methods.make(config), make_optimizer(config)
    init = functools.partial(states.init_state, method, tx, ())
    fresh = jax.jit(init, static_argnames="seed")
    state = fresh(seed=1)
    matrix = np.asarray(state.batch_stats["fourier"]["matrix"])
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with checkpoints.open_checkpoints(tmp_path) as saved:
        saved.save(1, state)
    with checkpoints.open_checkpoints(tmp_path) as saved:
        config.seed = 2  # another matrix, if it were drawn again
        found = start.start_state(config, method, tx, (), device, saved)
    np.testing.assert_array_equal(found.batch_stats["fourier"]["matrix"], matrix)
    other = fresh(seed=2).batch_stats["fourier"]["matrix"]
    assert not np.array_equal(other, matrix)
    variables = functools.partial(states.init_variables, method, seed=2)
    like = states.abstract(variables, (), sharding=device)
    loaded = checkpoints.load_variables(tmp_path, like)
    np.testing.assert_array_equal(loaded.batch_stats["fourier"]["matrix"], matrix)
