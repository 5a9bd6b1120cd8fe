"""Mesh R-CNN with voxels: recorded numbers of the published program, invariants."""

import functools

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest

from pixel2mesh_jax.geometry import camera, cubify, graph
from pixel2mesh_jax.models import encoders, mesh_rcnn
from pixel2mesh_jax.models.graph_layers import GraphConv
from pixel2mesh_jax.weights import matching
from pixel2mesh_jax.weights.mesh_rcnn import FORMAT
from tests import named_tensors
from tests.batches import SIZE, make_batch
from tests.models.published_options_test import Patches
from tests.models.refinement_test import noisy

RESOLUTION = 6
ROOM = cubify.Capacity(vertices=400, faces=800)


def make_model(capacity=ROOM, sees_view=False, **head):
    return mesh_rcnn.MeshRCNN(
        encoder=Patches(),
        voxel_head=mesh_rcnn.VoxelHead(RESOLUTION, features=4, num_convs=1),
        head=mesh_rcnn.PaddedRefinement(features=8, num_convs=2, **head),
        capacity=capacity,
        threshold=0.5,
        sees_view=sees_view,
    )


@functools.cache
def initialized(model):
    init = functools.partial(model.init, train=False)
    return noisy(jax.jit(init)(jax.random.key(0), make_batch(), ()), 0.3)


def apply(model, variables, batch=None):
    run = jax.jit(functools.partial(model.apply, train=False))
    return run(variables, batch or make_batch(), ())


def test_an_untrained_refinement_leaves_the_voxels_alone():
    model = make_model()
    init = jax.jit(functools.partial(model.init, train=False))
    outputs = apply(model, init(jax.random.key(0), make_batch(), ()))
    assert len(outputs.stages) == 4
    for stage in outputs.stages:
        np.testing.assert_array_equal(stage, outputs.stages[0])


def test_larger_arrays_hold_the_same_meshes():
    small = apply(make_model(), initialized(make_model()))
    large = apply(make_model(cubify.Capacity(600, 1100)), initialized(make_model()))
    assert small.mesh.is_found.all()
    assert not small.mesh.num_rises.any()
    real = small.mesh.vertex_mask > 0
    np.testing.assert_array_equal(real.sum(axis=1), large.mesh.vertex_mask.sum(axis=1))
    assert np.abs(small.stages[-1] - small.stages[0])[real].max() > 0.01
    for a, b in zip(small.stages, large.stages, strict=True):
        np.testing.assert_allclose(a[real], b[:, : ROOM.vertices][real], atol=1e-6)


@pytest.mark.parametrize("inputs", [("rgb",), ("rgb", "depth")])
def test_stages_that_are_told_see_the_depth_map_if_it_is_an_input(inputs):
    model = make_model(sees_view=True).clone(inputs=inputs)
    variables, batch = initialized(model), make_batch()
    first = apply(model, variables).stages
    # The same to an encoder of relative depth, another place for the vertices.
    farther = apply(model, variables, batch._replace(depth=1.1 * batch.depth)).stages
    moved = np.abs(first[-1] - farther[-1]).max()
    assert moved > 1e-3 if "depth" in inputs else moved == 0


def test_the_unit_scales_what_the_stages_see_and_do():
    """Half the unit before an object of half the size: half the movement."""
    random = np.random.default_rng(0)
    cube = cubify.mesh_of_occupancy(cubify.fallback_cube((4, 4, 4)), ROOM)
    mesh = jax.tree.map(lambda x: x[None], cube)
    vertices = random.normal(size=(1, ROOM.vertices, 3)) - np.array([0, 0, 4])
    vertices = vertices.astype(np.float32)
    maps = [random.normal(size=(1, 4, 4, 3)).astype(np.float32)]
    head = mesh_rcnn.PaddedRefinement(features=8, num_convs=1)
    view = camera.r2n2_intrinsics(SIZE)[None], (SIZE, SIZE)

    def arguments(unit):
        project = lambda x: camera.project_ndc(x / unit, *view)  # noqa: E731
        return maps, mesh, vertices * unit, project, view[1], unit

    variables = noisy(head.init(jax.random.key(0), *arguments(1.0)), 0.3)
    plain, half = (head.apply(variables, *arguments(unit))[-1] for unit in (1.0, 0.5))
    assert np.abs(plain - vertices).max() > 0.1
    np.testing.assert_allclose(half, plain * 0.5, atol=1e-5)


def test_convolution_by_gathers_is_that_of_a_graph_network():
    """The plain form of jraph on the padded graph, with messages along its edges."""
    random = np.random.default_rng(0)
    occupied = jnp.asarray(random.random((4, 4, 4)) < 0.5)
    mesh = cubify.mesh_of_occupancy(occupied, ROOM)
    nodes = jnp.asarray(random.normal(size=(ROOM.vertices, 1, 5)), jnp.float32)
    level = graph.padded_graph(mesh)
    layer = GraphConv(7, "sum")
    variables = noisy(layer.init(jax.random.key(0), level, nodes))
    params = variables["params"]

    def message(edges, senders, receivers, globals_):
        sent = senders @ params["neighbor"] + params["neighbor_bias"][None]
        return sent * edges[:, None]

    def update(nodes, sent, received, globals_):
        return nodes @ params["own"] + params["bias"][None] + received

    network = jraph.GraphNetwork(message, update)
    plain = network(level._replace(nodes=nodes[:, 0], edges=level.edges["sum"])).nodes
    gathered = layer.apply(variables, level, nodes).nodes[:, 0]
    np.testing.assert_allclose(gathered, plain, rtol=1e-5, atol=1e-5)


def test_samples_of_a_batch_do_not_meet():
    model, batch = make_model(), make_batch()
    together = apply(model, initialized(model), batch).stages[-1]
    for row in range(2):
        single = jax.tree.map(lambda x, row=row: x[row : row + 1], batch)
        alone = apply(model, initialized(model), single).stages[-1]
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-5, atol=1e-5)


# Recorded numbers of facebookresearch/meshrcnn.


def zeros(module, *args, **options):
    """Variables of a module, all zero."""
    init = functools.partial(module.init, **options)
    shapes = jax.eval_shape(init, jax.random.key(0), *args)
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)


@pytest.mark.data
def test_logits_of_the_published_voxel_head(data_dir):
    recorded = named_tensors.Recorded(data_dir, "mrcnn_voxel_head")
    shape = recorded["input_shape"]
    features = named_tensors.random("feat3", recorded.seed).standard_normal(shape)
    features = np.moveaxis(np.abs(features), 1, -1).astype(np.float32)
    tensors = {f"voxel_head.{name}": x for name, x in recorded.tensors.items()}
    head = mesh_rcnn.VoxelHead()
    nested = {"params": {"voxel_head": zeros(head, features)["params"]}}
    assigned = matching.assign(nested, tensors, FORMAT, "recorded")
    params = assigned["params"]["voxel_head"]
    logits = jax.jit(head.apply)({"params": params}, features)
    logits = np.asarray(logits, np.float64)
    np.testing.assert_allclose(
        logits[:, ::4, 1::6, 2::5], recorded["logits_slice"], atol=2e-5
    )
    np.testing.assert_allclose(
        logits[:, :, 24, 16], recorded["logits_column"], atol=2e-5
    )
    np.testing.assert_allclose(
        logits.mean(axis=(2, 3)), recorded["logits_mean_per_depth"], atol=1e-5
    )
    sums = [logits.sum(), (logits**2).sum()]
    np.testing.assert_allclose(sums, recorded["logits_sum_sumsq"], rtol=1e-5)
    ramp = np.linspace(-1, 1, 48)
    ramps = [(logits * x).mean(axis=(1, 2, 3)) for x in (ramp[:, None], ramp)]
    np.testing.assert_allclose(ramps, recorded["logits_weighted_rows_cols"], atol=1e-5)


@pytest.mark.data
def test_the_published_model_from_the_image_to_the_mesh(data_dir):
    recorded = named_tensors.Recorded(data_dir, "mrcnn_voxmesh")
    size, resolution = int(recorded["image_size"]), int(recorded["voxel_size"])
    model = mesh_rcnn.MeshRCNN(
        encoder=encoders.ResNet50(),
        voxel_head=mesh_rcnn.VoxelHead(resolution),
        head=mesh_rcnn.PaddedRefinement(),
        unit=camera.P2M_SCALE,
        capacity=cubify.default_capacity(resolution),
        threshold=float(recorded["cubify_thresh"]),
        alignment="topleft",
        inputs=("rgb",),
    )
    batch = make_batch()._replace(
        rgb=named_tensors.image(recorded.seed, 2, size),
        intrinsics=np.tile(camera.r2n2_intrinsics(size), (2, 1, 1)),
    )
    fresh = zeros(model, batch, (), train=False)
    variables = matching.assign(fresh, recorded.tensors, FORMAT, "recorded")
    outputs = apply(model, variables, batch)
    np.testing.assert_allclose(outputs.logits, recorded["voxel_logits"], atol=5e-5)
    for row in range(2):
        order = recorded_order(outputs.mesh, row, resolution)
        first = outputs.stages[0][row][order] / camera.P2M_SCALE
        faces = recorded[f"cubified/faces{row}"]
        np.testing.assert_allclose(first, recorded[f"cubified/verts{row}"], atol=1e-5)
        found = np.asarray(outputs.mesh.faces[row])
        assert np.any(found != 0, axis=1).sum() == len(faces)
        for stage in (1, 2, 3):
            found = outputs.stages[stage][row][order] / camera.P2M_SCALE
            expected = recorded[f"stage{stage}/verts{row}"]
            np.testing.assert_allclose(found, expected, atol=2e-5)


def recorded_order(mesh, row, resolution):
    """Our numbers of the vertices in the order of PyTorch3D: by row, column, depth."""
    real = np.flatnonzero(mesh.vertex_mask[row])
    depth, line, column = np.asarray(mesh.vertices[row])[real].T
    return real[np.lexsort((depth, column, line))]
