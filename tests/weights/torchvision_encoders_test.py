"""ImageNet encoders: feature maps of the same weights in PyTorch and in JAX."""

import functools
import re

import jax
import numpy as np
import pytest

from configs import rgb_resnet50
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.methods import cascade
from pixel2mesh_jax.models.pixel2mesh import imagenet_colors
from pixel2mesh_jax.weights.importing import import_weights
from tests import named_tensors
from tests.weights import published_files

FACTOR = 16  # the networks of these tests are narrower by this
STAGE_SIZES = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
}
VGG16_TAPS = (14, 21, 28)  # conv3_3, conv4_3, conv5_3


def small_config(encoder, **model):
    config = rgb_resnet50.get_config()
    config.image_size = 64
    config.model.update(
        encoder=encoder,
        encoder_width=1 / FACTOR,
        hidden_features=4,
        last_features=4,
        num_blocks=1,
        num_stages=1,
        **model,
    )
    return config


def fresh_variables(config):
    """Variables of the configured model, all 0.5."""
    method = methods.make(config)
    model, template = method.model, method.constants
    batch = method.example_batch(1)
    init = functools.partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), batch, template)
    return jax.tree.map(lambda x: np.full(x.shape, 0.5, x.dtype), dict(shapes))


def feature_maps(config, variables, image):
    """What the encoder returns, channels first."""
    encoder = cascade.make_encoder(config.model, config.inputs)
    inner = {name: tree["encoder"] for name, tree in variables.items()}
    maps = jax.jit(functools.partial(encoder.apply, train=False))(inner, image)
    return [np.moveaxis(np.asarray(x), -1, 1) for x in maps]


def torch_vgg16(torch, tensors, image):
    functional, x, taps = torch.nn.functional, image, []
    for number, width in published_files.vgg16_layers():
        if width == "M":
            x = functional.max_pool2d(x, 2)
            continue
        weight, bias = (tensors[f"features.{number}.{k}"] for k in ("weight", "bias"))
        x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
        taps += [x] if number in VGG16_TAPS else []
    return taps


def resnet_tensors(rng, name):
    """The state of a torchvision ResNet, narrower by `FACTOR`."""
    bottleneck = name == "resnet50"
    grow = 4 if bottleneck else 1
    base = 64 // FACTOR
    tensors = _conv_and_norm(rng, "conv1", "bn1", (base, 3, 7, 7))
    into = base
    for stage, size in enumerate(STAGE_SIZES[name]):
        width = base * 2**stage
        kernels = [(width, 1), (width, 3), (grow * width, 1)]
        if not bottleneck:
            kernels = [(width, 3), (width, 3)]
        for block in range(size):
            prefix, channels = f"layer{stage + 1}.{block}.", into
            for index, (out, kernel) in enumerate(kernels, start=1):
                shape = (out, channels, kernel, kernel)
                names = f"{prefix}conv{index}", f"{prefix}bn{index}"
                tensors |= _conv_and_norm(rng, *names, shape)
                channels = out
            if block == 0 and (stage > 0 or bottleneck):
                names = f"{prefix}downsample.0", f"{prefix}downsample.1"
                tensors |= _conv_and_norm(rng, *names, (grow * width, into, 1, 1))
            into = grow * width
    return tensors | {"fc.weight": np.zeros((10, into), np.float32)}


def _conv_and_norm(rng, conv, norm, shape):
    def near_one():
        return np.float32(1 + 0.1 * np.abs(rng.standard_normal(shape[0])))

    kernel = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    return {
        f"{conv}.weight": kernel.astype(np.float32),
        f"{norm}.weight": near_one(),
        f"{norm}.bias": 0.1 * rng.standard_normal(shape[0]).astype(np.float32),
        f"{norm}.running_mean": 0.1 * rng.standard_normal(shape[0]).astype(np.float32),
        f"{norm}.running_var": near_one(),
        f"{norm}.num_batches_tracked": np.array(3),
    }


def torch_resnet(torch, tensors, image):
    functional = torch.nn.functional

    def conv(x, name, norm, stride=1):
        weight = tensors[f"{name}.weight"]
        pad = weight.shape[-1] // 2
        x = functional.conv2d(x, weight, stride=stride, padding=pad)
        keys = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(tensors[f"{norm}.{key}"] for key in keys))

    x = functional.relu(conv(image, "conv1", "bn1", 2))
    x = functional.max_pool2d(x, 3, 2, 1)
    taps = []
    for stage in (1, 2, 3, 4):
        blocks = {n.split(".")[1] for n in tensors if n.startswith(f"layer{stage}.")}
        for block in sorted(blocks):
            prefix = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == "0" else 1
            last = 3 if f"{prefix}.conv3.weight" in tensors else 2
            strided = last - 1  # the 3 x 3 of a bottleneck, the first of a basic block
            y = x
            for index in range(1, last + 1):
                step = stride if index == strided else 1
                y = conv(y, f"{prefix}.conv{index}", f"{prefix}.bn{index}", step)
                y = functional.relu(y) if index < last else y
            if f"{prefix}.downsample.0.weight" in tensors:
                names = f"{prefix}.downsample.0", f"{prefix}.downsample.1"
                x = conv(x, *names, stride)
            x = functional.relu(x + y)
        taps.append(x)
    return taps


@pytest.mark.parametrize("name", ["vgg16", *STAGE_SIZES])
def test_feature_maps_match_torch(tmp_path, name):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    tensors = (
        published_files.vgg16_tensors(rng, FACTOR)
        if name == "vgg16"
        else resnet_tensors(rng, name)
    )
    image = rng.random((2, 64, 64, 3), np.float32)
    run = torch_vgg16 if name == "vgg16" else torch_resnet
    expected = run(
        torch,
        {key: torch.from_numpy(value) for key, value in tensors.items()},
        torch.from_numpy(image.transpose(0, 3, 1, 2).copy()),
    )
    config = small_config(name)
    path = published_files.save_npz(tmp_path / "weights.npz", tensors)
    variables = import_weights(f"torchvision:{path}", fresh_variables(config))
    for found, wanted in zip(
        feature_maps(config, variables, image), expected, strict=True
    ):
        scale = float(wanted.abs().max())
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5 * scale)


def test_only_the_encoder_changes(tmp_path):
    tensors = resnet_tensors(np.random.default_rng(0), "resnet18")
    path = published_files.save_npz(tmp_path / "weights.npz", tensors)
    fresh = fresh_variables(small_config("resnet18"))
    imported = import_weights(f"torchvision:{path}", fresh)
    for name, tree in imported["params"].items():
        changed = [np.any(leaf != 0.5) for leaf in jax.tree.leaves(tree)]
        assert all(changed) if name == "encoder" else not any(changed)
    statistics = imported["batch_stats"]["encoder"]["layer2_0"]["downsample_bn"]
    np.testing.assert_array_equal(
        statistics["mean"], tensors["layer2.0.downsample.1.running_mean"]
    )


def test_of_two_encoders_the_one_of_colour_is_pretrained(tmp_path):
    tensors = resnet_tensors(np.random.default_rng(0), "resnet18")
    path = published_files.save_npz(tmp_path / "weights.npz", tensors)
    config = small_config("resnet18", fusion="two_stream")
    config.inputs = ("rgb", "depth")
    fresh = fresh_variables(config)
    encoder = import_weights(f"torchvision:{path}", fresh, config.inputs)["params"][
        "encoder"
    ]
    for name, tree in encoder.items():
        changed = [np.any(leaf != 0.5) for leaf in jax.tree.leaves(tree)]
        assert all(changed) if name == "rgb" else not any(changed)


def test_an_encoder_of_another_size_is_refused(tmp_path):
    tensors = resnet_tensors(np.random.default_rng(0), "resnet34")
    path = published_files.save_npz(tmp_path / "weights.npz", tensors)
    with pytest.raises(InputError, match=r"layer3.5.conv1.weight .*not in the model"):
        import_weights(f"torchvision:{path}", fresh_variables(small_config("resnet18")))


@pytest.mark.data
def test_resnet50_matches_recorded_feature_maps(data_dir, tmp_path):
    """The backbone of a recorded Mesh R-CNN, whose stages have names of their own."""
    recorded = named_tensors.Recorded(data_dir, "mrcnn_pixel2mesh")
    renamed = {}
    for name, tensor in recorded.tensors.items():
        if name.startswith("backbone."):
            name = name.removeprefix("backbone.").replace("stem.0", "conv1")
            name = name.replace("stem.1", "bn1")
            renamed[re.sub(r"^stage(\d)", r"layer\1", name)] = tensor
    size = int(recorded["image_size"])
    config = small_config("resnet50")
    config.image_size = size
    config.model.encoder_width = 1.0
    path = published_files.save_npz(tmp_path / "weights.npz", renamed)
    variables = import_weights(f"torchvision:{path}", fresh_variables(config))
    image = named_tensors.image(recorded.seed, int(recorded["batch"]), size)
    image = np.asarray(imagenet_colors(image))
    for number, tap in enumerate(feature_maps(config, variables, image)):
        step = max(1, tap.shape[-1] // 5)
        tap = tap.astype(np.float64)
        mean, std, side = recorded[f"backbone{number}_stats"]
        np.testing.assert_allclose(
            tap[:, :6, ::step, ::step],
            recorded[f"backbone{number}_slice"],
            atol=1e-5 * std,
            rtol=1e-4,
        )
        np.testing.assert_allclose(
            [tap.mean(), tap.std(ddof=1)], [mean, std], rtol=1e-5
        )
        assert tap.shape[-1] == side
