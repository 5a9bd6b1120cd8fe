"""Real loading code on small networks of random weights."""

import json
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from data_pipelines.depth_estimation import estimators, recipes
from data_pipelines.depth_estimation.recipes import HALF
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io.onnx_networks import IMAGENET_MEAN
from tests import networks

RECIPE_OF_FILE = {
    "model-small.onnx": "midas_v21_small",
    "model-f6b98070.onnx": "midas_v21",
    "dpt_hybrid_384.onnx": "dpt",
    "dpt-large.onnx": "dpt",
    "depth_anything_v2_vits.onnx": "depth_anything",
    "Depth-Anything-V2-Small_fp16.onnx": "depth_anything",
}


def ball(size=40, ground=(0, 0, 0)):
    """A shaded ball, transparent around; `ground` is hidden there."""
    v, u = np.mgrid[:size, :size] - (size - 1) / 2
    height = np.sqrt(np.maximum(1 - (u**2 + v**2) / (size / 3) ** 2, 0))
    rgba = np.zeros((size, size, 4), np.uint8)
    rgba[..., :3] = ground
    inside = height > 0
    rgba[inside, :3] = (np.array([250, 120, 60]) * height[inside, None]).astype(int)
    rgba[..., 3] = 255 * inside
    return rgba


def oracle(rgb, recipe):
    """What `networks.write_network` computes, without ONNX."""
    size = recipes.network_size(rgb.shape[:2], recipes.RECIPES[recipe])
    image = recipes.prepare(rgb, recipes.RECIPES[recipe], size)
    prediction = image @ np.array(networks.WEIGHTS, np.float32) + np.float32(0.2)
    back = recipes.RECIPES[recipe].back
    return recipes.resize(prediction, rgb.shape[:2], back)


@pytest.mark.parametrize("name", RECIPE_OF_FILE)
def test_published_file_names_tell_the_recipe(tmp_path, name):
    path = networks.write_network(tmp_path / name, half="fp16" in name)
    recipe = RECIPE_OF_FILE[name]
    assert estimators.resolve(f"onnx:{path}") == f"onnx:{recipe}:{path}"
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    prediction = estimators.load_estimator(f"onnx:{path}")(rgb)
    assert prediction.shape == (20, 30)
    assert_allclose(
        prediction, oracle(rgb, recipe), atol=5e-3 if "fp16" in name else 1e-5
    )


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_any_file_with_its_recipe(tmp_path, recipe):
    side = recipes.RECIPES[recipe].size
    path = networks.write_network(tmp_path / "mine.onnx", (side, side))
    rgb = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    prediction = estimators.load_estimator(f"onnx:{recipe}:{path}", 1)(rgb)
    assert_allclose(prediction, oracle(rgb, recipe), atol=1e-5)


def test_names_may_be_relative(tmp_path, monkeypatch):
    networks.write_network(tmp_path / "model-small.onnx")
    monkeypatch.chdir(tmp_path)
    resolved = estimators.resolve("onnx:model-small.onnx")
    assert resolved == f"onnx:midas_v21_small:{tmp_path / 'model-small.onnx'}"
    assert estimators.resolve(resolved) == resolved


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("midas", "unknown depth estimator 'midas'; valid: none, onnx:<file>, "),
        ("onnx:absent.onnx", "no such file .*absent.onnx; expected onnx:<file> or"),
        ("onnx:dpt:absent.onnx", "no such file .*absent.onnx"),
        ("onnx:dtp:mine.onnx", "no such file .* recipe of midas_v21_small,"),
        ("onnx:mine.onnx", "expected onnx:<recipe>:mine.onnx with a recipe of"),
        ("onnx:depth_anything_metric.onnx", "predicts metres"),
        ("transformers:./absent", "no such folder; expected a folder that holds"),
    ],
)
def test_names_that_mean_nothing(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    for file in ("mine.onnx", "depth_anything_metric.onnx"):
        (tmp_path / file).write_bytes(b"")
    with pytest.raises(InputError, match=message) as caught:
        estimators.resolve(name)
    assert "\n" not in str(caught.value)


def test_none_is_a_name_but_no_estimator():
    assert estimators.resolve("none") == "none"
    assert estimators.stamp("none") == ""
    with pytest.raises(InputError, match="no depth estimator was chosen; valid: onnx:"):
        estimators.load_estimator("none")


def test_missing_package_is_named(tmp_path, monkeypatch):
    path = networks.write_network(tmp_path / "model-small.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="need onnxruntime: pip install onnxruntime"):
        estimators.load_estimator(f"onnx:{path}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"needs torch: .*pixel2mesh-jax\[depth\]"):
        estimators.load_estimator(f"transformers:{tmp_path}")


def test_stamp_follows_the_content_and_weights_beside_the_file(tmp_path):
    path = networks.write_network(tmp_path / "model-small.onnx")
    name = f"onnx:{path}"
    first = estimators.stamp(name)
    networks.write_network(path, offset=0.3)
    second = estimators.stamp(name)
    (tmp_path / "model-small.onnx_data").write_bytes(b"weights")
    third = estimators.stamp(name)
    (tmp_path / "unrelated").write_bytes(b"")
    assert len({first, second, third}) == 3
    assert estimators.stamp(name) == third
    networks.write_network(path)
    (tmp_path / "model-small.onnx_data").unlink()
    assert estimators.stamp(name) == first


def test_estimate_is_relative_inverse_depth_over_the_object(tmp_path):
    """A network that takes red for near: the ball is nearest where it is brightest."""
    path = networks.write_network(tmp_path / "model-small.onnx", weights=(1, 0, 0))
    estimator = estimators.load_estimator(f"onnx:{path}")
    rgba = ball()
    relative = estimators.estimate_depth(rgba, estimator)
    inside = rgba[..., 3] > 0
    assert relative.dtype == np.float32
    assert relative[inside].min() == 0
    assert relative[inside].max() == 1
    np.testing.assert_array_equal(relative[~inside], 0)
    core = np.hypot(*(np.mgrid[:40, :40] - 19.5)) < 10  # away from the white around
    red = rgba[core, 0].astype(float)
    assert np.corrcoef(relative[core], red)[0, 1] > 0.999


def test_what_lies_under_the_transparent_background_is_of_no_influence(tmp_path):
    path = networks.write_network(tmp_path / "model-small.onnx", kernel=9)
    estimator = estimators.load_estimator(f"onnx:{path}")
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3))
    expected = estimators.estimate_depth(ball(), estimator)
    found = estimators.estimate_depth(ball(ground=noise), estimator)
    np.testing.assert_array_equal(found, expected)

    def wild(rgb):
        """Says monstrous things about the background."""
        prediction = estimator(rgb)
        prediction[(rgb == 255).all(axis=-1)] = 1e6
        return prediction

    np.testing.assert_array_equal(estimators.estimate_depth(ball(), wild), expected)


SMALL = {
    "hidden_size": 8,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
NECK = {"neck_hidden_sizes": [4, 4, 8, 8], "fusion_hidden_size": 8}


def dpt_model(transformers):
    config = transformers.DPTConfig(
        **SMALL,
        **NECK,
        image_size=32,
        patch_size=8,
        is_hybrid=False,
        backbone_out_indices=[0, 1, 2, 3],
    )
    return transformers.DPTForDepthEstimation(config)


def depth_anything_model(transformers, kind):
    backbone = transformers.Dinov2Config(
        **SMALL,
        image_size=28,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    config = transformers.DepthAnythingConfig(
        **NECK,
        backbone_config=backbone,
        reassemble_hidden_size=8,
        head_hidden_size=4,
        depth_estimation_type=kind,
        max_depth=1,
    )
    return transformers.DepthAnythingForDepthEstimation(config)


def preprocessor(size, multiple, mean):
    settings = {
        "image_processor_type": "DPTImageProcessor",
        "size": {"height": size, "width": size},
        "ensure_multiple_of": multiple,
        "image_mean": mean,
        "image_std": (0.5,) * 3,
    }
    return json.dumps(settings)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Tiny models of Hugging Face, saved as published ones are."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    root = tmp_path_factory.mktemp("transformers")
    torch.manual_seed(0)
    dpt = (dpt_model(transformers), preprocessor(32, 1, HALF))
    of_anything = preprocessor(42, 14, IMAGENET_MEAN)
    models = {
        "dpt": dpt,
        "relative": (depth_anything_model(transformers, "relative"), of_anything),
        "metric": (depth_anything_model(transformers, "metric"), of_anything),
    }
    for name, (model, settings) in models.items():
        for weights in model.parameters():
            torch.nn.init.normal_(weights, std=0.3)
        model.save_pretrained(root / name)
        (root / name / "preprocessor_config.json").write_text(settings)
    return root


@pytest.mark.parametrize("name", ["dpt", "relative"])
def test_folders_of_hugging_face(folders, name):
    """Equals the model called by hand on the image prepared by hand."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = folders / name
    estimator = estimators.load_estimator(f"transformers:{folder}", threads=1)
    rgb = np.random.default_rng(0).integers(0, 256, (42, 42, 3), np.uint8)
    if name == "dpt":
        rgb = rgb[:32, :32]  # the size of the network: nothing is resized
    prediction = estimator(rgb)
    assert prediction.shape == rgb.shape[:2]
    assert prediction.dtype == np.float32

    model = transformers.AutoModelForDepthEstimation.from_pretrained(folder)
    mean = IMAGENET_MEAN if name == "relative" else HALF
    image = (rgb / 255 - np.array(mean)) / 0.5
    batch = torch.tensor(image, dtype=torch.float32).permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = model.eval()(batch).predicted_depth
    expected = torch.nn.functional.interpolate(
        expected[None], rgb.shape[:2], mode="bicubic", align_corners=False
    )[0, 0]
    assert expected.std() > 1e-6
    assert_allclose(prediction, expected, atol=1e-4 * float(expected.max()))


def test_a_model_that_answers_in_metres_is_refused(folders):
    with pytest.raises(InputError, match="a metric depth_anything model; expected rel"):
        estimators.load_estimator(f"transformers:{folders / 'metric'}")


def test_a_folder_that_holds_no_model(folders, tmp_path):
    del folders  # only for its packages
    with pytest.raises(InputError, match="cannot be loaded: ") as caught:
        estimators.load_estimator(f"transformers:{tmp_path}")
    assert "\n" not in str(caught.value)


def test_stamp_of_a_folder_follows_its_content(folders):
    name = f"transformers:{folders / 'dpt'}"
    assert estimators.resolve(name) == name
    assert estimators.stamp(name) == estimators.stamp(name)
    assert estimators.stamp(name) != estimators.stamp(
        f"transformers:{folders / 'metric'}"
    )


def test_model_ids_are_taken_as_they_are():
    name = "transformers:Intel/dpt-hybrid-midas"
    assert estimators.resolve(name) == name
    assert estimators.stamp(name) == ""
