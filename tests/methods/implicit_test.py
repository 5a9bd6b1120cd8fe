"""The implicit method: how it asks its field, and what it makes of solids."""

import functools

import jax
import numpy as np
import pytest
import trimesh
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from configs import implicit as experiment
from data_pipelines.surfaces.volumes import encode
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import cube, frustum
from pixel2mesh_jax.methods import implicit
from pixel2mesh_jax.models.implicit import FieldCode
from pixel2mesh_jax.training import loop, sharding
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from tests.batches import make_batch
from tests.views_of_solids import CENTER, SIZE, SOLIDS, see

HOW = implicit.Extraction(resolution=48, chunk=1000, truncation=0.1, has_colors=True)


class Analytic:
    """A network that knows the solid; counts how often it is asked."""

    def __init__(self, distance, side=0.6):
        self.distance, self.calls = distance, []
        center = np.array([[0.02, -0.01, -0.8]], np.float32)
        self.cube = cube.Cube(center, np.array([side], np.float32))

    def __call__(self, entry, *arguments):
        if entry == "encode":
            lens = np.zeros((1, 3, 3), np.float32)
            return FieldCode(self.cube, lens, (), (), ())
        self.calls.append((entry, arguments[1].shape))
        points = cube.outside(arguments[1], self.cube)
        if entry == "colors":
            return np.abs(arguments[1] + 0.5)
        sides = self.distance(points.astype(np.float64)) / self.cube.side[0]
        return np.clip(sides, -0.1, 0.1).astype(np.float32)


def extracted(call, **changes):
    (found,) = implicit.extract(call, make_batch(0, 1), HOW._replace(**changes))
    return found


def mesh_of(call, **changes):
    found = extracted(call, **changes)
    assert found.remarks == ()
    return found.mesh


@pytest.mark.parametrize("name", SOLIDS)
def test_a_perfect_field_gives_the_solid(name):
    mesh = mesh_of(Analytic(SOLIDS[name]))
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert solid.is_watertight
    assert solid.volume > 0
    away = SOLIDS[name](mesh.vertices.astype(np.float64))
    assert np.abs(away).max() < 0.5 * 0.6 / HOW.resolution


def test_colours_are_asked_at_the_vertices():
    call = Analytic(SOLIDS["sphere"])
    mesh = mesh_of(call)
    positions = cube.inside(mesh.vertices[None], call.cube)[0]
    np.testing.assert_allclose(mesh.colors, positions + 0.5, atol=1e-5)
    assert mesh_of(call, has_colors=False).colors is None


def test_how_many_points_are_asked_at_once_changes_nothing():
    call = Analytic(SOLIDS["torus"])
    expected = mesh_of(call, chunk=2**20)
    assert {shape for _, shape in call.calls} == {(1, 2**20, 3)}
    for chunk in (64, 997):
        found = mesh_of(call, chunk=chunk)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("sign", "message", "size"),
    [(1, "outside everywhere", 0.035), (-1, "inside everywhere", 0.6)],
)
def test_a_field_of_one_sign_is_said_and_has_a_closed_mesh(sign, message, size):
    found = extracted(Analytic(lambda points: np.full(points.shape[:-1], sign)))
    (remark,) = found.remarks
    assert message in remark
    mesh = found.mesh
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert solid.is_watertight
    assert solid.volume > 0
    extent = np.ptp(mesh.vertices, axis=0)
    np.testing.assert_allclose(extent, size, rtol=0.4)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("model.grid", "octree", "colored_density"),
        ("model.decoder", "deep", "head"),
        ("model.encoder", "vgg16", "resnet18"),
        ("model.grid_resolution", 2, "at least 4"),
        ("extract.resolution", 1, "at least 4"),
        ("extract.chunk", 0, "at least 1"),
        ("inputs", ("rgb",), "needs the input 'depth'"),
        ("inputs", ("rgb", "normals"), "points"),
    ],
)
def test_settings_of_no_use_are_refused_with_the_valid_ones(setting, value, message):
    config = experiment.get_config("tiny")
    config.update_from_flattened_dict({setting: value})
    with pytest.raises(InputError, match=message):
        methods.make(config)


def test_a_photo_has_no_true_distances():
    method = methods.make(experiment.get_config("gt_sdf,tiny"))
    with pytest.raises(InputError, match="cannot be used on images"):
        method.model.given(make_batch(0, 1))


def solid_batch(config):
    """A view of each solid with its stored distances."""
    rows = []
    for name in SOLIDS:
        view = see(SOLIDS[name])
        volume = frustum.view_volume(view.depth, view.mask, view.intrinsics)
        volume = volume._replace(extent=np.float32(1.5) * volume.extent)
        side = config.model.volume
        cells = frustum.cell_points(volume, side, side).astype(np.float64)
        cell = float(frustum.thickness(volume, side))
        rows.append(
            {
                "rgb": np.ones((SIZE, SIZE, 3), np.float32),
                "depth": view.depth,
                "mask": view.mask,
                "intrinsics": view.intrinsics,
                "placement": frustum.pack(volume).astype(np.float32),
                "distances": encode(view.distance(cells) / cell),
            }
        )
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return make_batch(0, len(rows))._replace(**columns)


def with_queries(batch, count, rng):
    """The batch with new points around the solids: fixed ones would be memorised."""
    points = CENTER + rng.uniform(-0.32, 0.32, (len(batch.weight), count, 3))
    distances = [f(p) for f, p in zip(SOLIDS.values(), points, strict=True)]
    return batch._replace(
        query_points=points.astype(np.float32),
        query_distances=np.stack(distances).astype(np.float32),
        query_colors=np.full(points.shape, 0.5, np.float32),
    )


def one_device():
    """Shardings for the first device alone."""
    auto = (AxisType.Auto,)
    mesh = jax.make_mesh(
        (1,), (sharding.AXIS,), axis_types=auto, devices=jax.devices()[:1]
    )
    return sharding.Shardings(
        NamedSharding(mesh, PartitionSpec()),
        NamedSharding(mesh, PartitionSpec(sharding.AXIS)),
    )


@functools.cache
def trained_on_solids():
    """A small network that sees the true distances, and what it was trained on."""
    config = experiment.get_config("gt_sdf,no_image,tiny")
    config.model.update(grid_channels=(8, 8, 8), hidden_features=64)
    config.image_size, config.num_steps = SIZE, 400
    batch = solid_batch(config)
    config.batch_size = len(batch.weight)
    method, tx = methods.make(config), make_optimizer(config)
    shardings = one_device()
    state = states.init_state(method, tx, (), 0)
    state = jax.device_put(state, shardings.replicated)
    step = loop.compile_steps(config, method, tx, shardings)(1)
    rng, count = np.random.default_rng(0), config.model.num_queries
    for _ in range(config.num_steps):
        there = sharding.put_batch(with_queries(batch, count, rng), shardings)
        state, _ = step(state, there, ())
    return method, jax.device_get(state), batch


@pytest.mark.slow
@pytest.mark.parametrize("row", range(len(SOLIDS)), ids=list(SOLIDS))
def test_solids_come_back_within_a_cell_of_the_true_grid(row):
    method, state, batch = trained_on_solids()
    call = states.Programs(method).bind(state.variables, ())
    one = jax.tree.map(lambda x: x[row : row + 1], batch)
    how = HOW._replace(resolution=64, chunk=4096)
    (found,) = implicit.extract(call, one, how)
    side = float(cube.of_view(one.depth, one.mask, one.intrinsics).side[0])
    away = list(SOLIDS.values())[row](found.mesh.vertices.astype(np.float64))
    assert np.quantile(np.abs(away), 0.98) < side / 32


@pytest.mark.slow
def test_a_trained_network_is_asked_in_chunks_to_the_same_bits():
    method, state, batch = trained_on_solids()
    call = states.Programs(method).bind(state.variables, ())
    one = jax.tree.map(lambda x: x[2:3], batch)
    code = call("encode", one)
    ask = functools.partial(call, "distances", code)
    positions = np.random.default_rng(0).uniform(-0.5, 0.5, (5000, 3))
    positions = positions.astype(np.float32)
    expected = implicit._in_chunks(ask, 5000)(positions)
    for chunk in (1, 700, 1999):
        found = implicit._in_chunks(ask, chunk)(positions)
        np.testing.assert_array_equal(found, expected)
