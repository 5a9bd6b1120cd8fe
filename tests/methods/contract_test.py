"""What every method promises, those of the house and two toys."""

import functools
import importlib
import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from rich.console import Console

from configs import common
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import evaluate
from pixel2mesh_jax.training import loop, run_folder, sharding
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from tests.batches import SIZE, make_batch

BATCH = 4
TOYS = {"box": "tests.methods.box", "ball": "tests.methods.ball"}
# Config of each method of the house, and the changes that make it small.
SMALL_CASCADE = {"encoder_width": 0.05, "hidden_features": 8, "num_stages": 1}
HOUSE = {
    "frustum": ("rgbd_sdf", {"resolution": 8, "layers": 8, "widths": (8, 8)}),
    "frustum_mesh": (
        "rgbd_sdf_refined",
        {
            "resolution": 8,
            "layers": 8,
            "widths": (8, 8),
            "max_vertices": 400,
            "max_faces": 800,
            "hidden_features": 8,
        },
    ),
    "mesh_rcnn": (
        "rgbd_mesh_rcnn",
        {
            "encoder": "resnet18",
            "encoder_width": 0.05,
            "resolution": 8,
            "max_vertices": 400,
            "max_faces": 800,
            "voxel_features": 8,
            "hidden_features": 8,
        },
    ),
    "pixel2mesh": ("rgbd", {**SMALL_CASCADE, "last_features": 8, "num_blocks": 1}),
    "pixel2mesh_plus": (
        "rgbd_plus",
        {**SMALL_CASCADE, "last_features": 8, "num_blocks": 1},
    ),
    "pixel2mesh2": (
        "rgb_resnet18",
        {**SMALL_CASCADE, "num_blocks": 1, "scales": (3,)},
    ),
    "refinement": (
        "rgbd_pixel2mesh_r50",
        {**SMALL_CASCADE, "num_blocks": 1, "encoder": "resnet18"},
    ),
}
# What frustum_mesh does, frustum and mesh_rcnn do as well, and what pixel2mesh_plus
# does, pixel2mesh; they compile for minutes.
SLOW = ("frustum_mesh", "pixel2mesh_plus")
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in (*HOUSE, *TOYS)
]


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    for name, module in TOYS.items():
        monkeypatch.setitem(methods.METHODS, name, module)


def config_of(name, **changes):
    if name in TOYS:
        methods.METHODS[name] = TOYS[name]
        config = common.short(common.experiment(name, ("rgb", "depth")))
    else:
        module, model = HOUSE[name]
        config = importlib.import_module(f"configs.{module}").get_config("tiny")
        config.model.update(model)
    config.image_size, config.num_points, config.batch_size = SIZE, 20, BATCH
    config.num_steps, config.log_every, config.checkpoint_every = 4, 1, 2
    config.eval_every = 0
    config.update(changes)
    return config


def batch_of(method, seed=0, batch_size=BATCH):
    """Noise, and an object in the middle of the picture."""
    batch = make_batch(seed, batch_size, num_points=20)
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    disc = (np.hypot(rows, columns) < SIZE / 3).astype(np.float32)
    batch = batch._replace(mask=batch.mask * disc, depth=batch.depth * disc)
    extra = {
        name: np.zeros((batch_size, *field.shape), field.dtype)
        for name, field in method.fields.items()
        if getattr(batch, name) is None
    }
    if "placement" in extra:
        extra["placement"] += np.float32([0, 0, 0.5, 0.6, 0.5])
    if "distances" in extra:  # inside behind what is seen, as an untrained network says
        extra["distances"][:, 2:-2, 2:-2, 1:] = -40
    if "voxels" in extra:
        extra["voxels"][:] = True  # as an untrained network says
    return batch._replace(**extra)


@functools.cache
def trained_step(name):
    """The method, a fresh state on all devices, the state after a step, its scalars."""
    config = config_of(name)
    method, tx = methods.make(config), make_optimizer(config)
    shardings = sharding.make_shardings(BATCH)
    decay = config.optimizer.average_decay
    fresh = states.init_state(method, tx, method.constants, 0, decay)
    before = jax.device_get(fresh)
    step = loop.compile_steps(config, method, tx, shardings)(1)
    placed = jax.device_put((fresh, method.constants), shardings.replicated)
    batch = sharding.put_batch(batch_of(method), shardings)
    after, scalars = step(placed[0], batch, placed[1])
    return method, before, jax.device_get(after), jax.device_get(scalars)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_has_finite_named_terms_that_add_up(name):
    _, _, _, scalars = trained_step(name)
    terms = [value for key, value in scalars.items() if key.startswith("loss/")]
    assert terms
    assert np.isfinite(list(scalars.values())).all()
    np.testing.assert_allclose(scalars["loss"], sum(terms), rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient_once_the_last_layers_are_not_zero(name):
    method, state, _, _ = trained_step(name)
    rng = np.random.default_rng(0)
    noise = lambda x: x + 0.05 * rng.standard_normal(x.shape, np.float32)  # noqa: E731
    params = jax.tree.map(noise, state.params)
    batch = jax.tree.map(jnp.asarray, batch_of(method))
    keys = jax.random.split(jax.random.key(0), BATCH)

    def loss(params):
        augmented = method.augment(batch, keys)
        variables = {"params": params, "batch_stats": state.batch_stats}
        # Statistics as they are: those of a batch need the devices of the step.
        outputs = method.model.apply(variables, augmented, method.constants, False)
        return sum(method.objective(outputs, augmented, keys, None).terms.values())

    grads = jax.jit(jax.grad(loss))(params)
    still = [
        jax.tree_util.keystr(path)
        for path, grad in jax.tree_util.tree_leaves_with_path(grads)
        if not np.any(np.asarray(grad) != 0)
    ]
    assert still == []


@pytest.mark.parametrize("name", NAMES)
def test_a_view_does_not_depend_on_the_others(name):
    method, state, _, _ = trained_step(name)
    call = states.Programs(method).bind(state.variables, method.constants)
    batch = batch_of(method, batch_size=2)
    both = method.extract(call, batch)
    for row in range(2):
        one = jax.tree.map(lambda x, row=row: x[row : row + 1], batch)
        (alone,) = method.extract(call, one)
        np.testing.assert_allclose(
            alone.mesh.vertices, both[row].mesh.vertices, atol=1e-4
        )


@pytest.mark.parametrize("name", NAMES)
def test_meshes_are_closed_and_face_outward(name):
    method, state, _, _ = trained_step(name)
    call = states.Programs(method).bind(state.variables, method.constants)
    for found in method.extract(call, batch_of(method)):
        for mesh in found.stages:
            shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
            assert shape.is_watertight
            assert shape.volume > 0


@pytest.mark.parametrize("name", NAMES)
def test_unknown_settings_are_refused_by_name(name):
    config = config_of(name)
    config.model.absent = 1
    with pytest.raises(InputError, match="unknown: absent"):
        methods.make(config)


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
