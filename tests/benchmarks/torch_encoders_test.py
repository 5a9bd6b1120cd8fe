"""The encoders in PyTorch against ours."""

import jax
import numpy as np
import pytest

from pixel2mesh_jax.methods.cascade import ENCODERS

torch = pytest.importorskip("torch")
torch_encoders = pytest.importorskip("benchmarks.torch_encoders")

SIDE = 64  # pixels
# Of the largest feature. Statistics of the 16 pixels that a batch has in the coarsest
# maps amplify rounding; flax takes variances as differences of means.
TOLERANCES = {"predict": 1e-4, "train": 1e-3}


def random_variables(encoder, image):
    """Weights of the usual size; all scales and variances near 1."""
    shapes = jax.eval_shape(lambda: encoder.init(jax.random.key(0), image, train=False))
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        noise = rng.standard_normal(leaf.shape, dtype=np.float32)
        if path[-1].key in ("scale", "var"):
            return 1 + 0.2 * np.tanh(noise)
        return 0.1 * noise if leaf.ndim == 1 else noise * fan_in(leaf) ** -0.5

    return jax.tree_util.tree_map_with_path(draw, shapes)


def fan_in(kernel):
    return np.float32(np.prod(kernel.shape[:-1]))


@pytest.mark.parametrize("mode", TOLERANCES)
@pytest.mark.parametrize("name", torch_encoders.ENCODERS)
def test_feature_maps_are_those_of_our_encoder(name, mode):
    train = mode == "train"
    rng = np.random.default_rng(1)
    image = rng.random((4, SIDE, SIDE, 3), dtype=np.float32)
    ours = ENCODERS[name]()
    if hasattr(ours, "axis_name"):
        ours = ours.copy(axis_name=None)  # one device, no shard_map
    variables = random_variables(ours, image)
    apply = jax.jit(lambda v: ours.apply(v, image, train, mutable=["batch_stats"])[0])
    theirs = torch_encoders.ENCODERS[name](inputs=3).train(train)
    stats = variables.get("batch_stats", {})
    torch_encoders.copy_weights(theirs, variables["params"], stats)
    with torch.no_grad():
        maps = theirs(torch.tensor(image).permute(0, 3, 1, 2))
    assert tuple(x.shape[1] for x in maps) == theirs.channels
    for expected, found in zip(apply(variables), maps, strict=True):
        found = found.permute(0, 2, 3, 1).numpy()
        atol = TOLERANCES[mode] * np.abs(found).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
