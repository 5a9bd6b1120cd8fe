"""Mesh R-CNN: voxels of the view volume, their mesh, graph convolutions."""

import jax
import ml_collections
import numpy as np

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import cubify, surface, touching
from pixel2mesh_jax.losses.voxel_mesh import VoxelMeshWeights, voxel_mesh
from pixel2mesh_jax.methods import cascade
from pixel2mesh_jax.methods.method import (
    Call,
    Field,
    Losses,
    Method,
    check,
    image_fields,
)
from pixel2mesh_jax.methods.refinement import stage_settings
from pixel2mesh_jax.models import refinement
from pixel2mesh_jax.models.mesh_rcnn import MeshRCNN, PaddedRefinement, VoxelHead
from pixel2mesh_jax.structures import (
    Batch,
    HostMesh,
    PaddedMesh,
    Reconstruction,
    VoxelMeshOutputs,
)
from pixel2mesh_jax.weights import importing

# What is said of a mesh that is not simply that of the occupied voxels.
RAISED = "the mesh did not fit into its arrays, the threshold of its voxels was raised"
EMPTY = "no voxel was occupied, or too many: a cube stands in"
FAMILIES = {"voxel_mesh": (VoxelMeshWeights, voxel_mesh)}


def defaults() -> ml_collections.ConfigDict:
    """Source: facebookresearch/meshrcnn, configs/shapenet/voxmesh_R50.yaml."""
    model = {
        "encoder": "resnet50",
        "encoder_width": 1.0,  # factor on its channel counts
        "depth_encoding": "disparity",  # of geometry/depth.py
        "color_encoding": "imagenet",
        "fusion": "stacked",  # of colour and depth
        "resolution": 48,  # voxels per side, even
        "threshold": 0.2,  # probability of occupied voxels
        "alignment": "center",  # or "topleft", as published: half a voxel off
        "max_vertices": 6_144,  # of one mesh, and
        "max_faces": 12_288,  # its triangles; beyond them the threshold rises
        "voxel_features": 256,
        "voxel_convs": 4,
        "hidden_features": 128,
        "num_stages": 3,  # of the refinement; 0: voxels alone
        "num_blocks": 3,  # graph convolutions per stage; residual: pairs of them
        "residual": False,
        "pooling": "align_corners_zeros",
        "unit": 1.0,  # metres; 0.57 for published weights
        "sees_view": False,  # stages know where depth map and outline are; ours
        "dtype": "float32",
    }
    loss = {"family": "voxel_mesh", **VoxelMeshWeights()._asdict()}
    return ml_collections.ConfigDict({"model": model, "loss": loss})


def make(config: ml_collections.ConfigDict) -> Method:
    """See `methods.make`."""
    cascade.check_model(config, defaults())
    _check_model(config.model)
    weights, terms = cascade.choose_loss(config.loss, FAMILIES)
    threshold = config.model.threshold

    def objective(outputs, batch, keys, phase):
        return Losses(*terms(outputs, batch, weights, keys, threshold))

    resolution = (config.model.resolution,) * 3
    return Method(
        fields={
            **image_fields(config.image_size, config.num_points),
            "voxels": Field(resolution, np.bool_, "truth"),
        },
        model=_make_network(config),
        constants=(),
        objective=objective,
        penalty=lambda params: {},
        extract=extract,
        phase=lambda step: None,
        baseline=None,
        formats=importing.FORMATS,
    )


def _check_model(model):
    if model.resolution < 4 or model.resolution % 2:
        raise InputError(
            f"model.resolution is {model.resolution}; expected an even number, at "
            "least 4."
        )
    if not 0 < model.threshold < 1:
        raise InputError(
            f"model.threshold is {model.threshold}; expected a probability between 0 "
            "and 1."
        )
    if model.sees_view and model.num_stages < 1:
        raise InputError(
            "model.sees_view ('told') is of the stages; model.num_stages is 0."
        )
    check("model.alignment", model.alignment, cubify.ALIGNMENTS)
    check("model.pooling", model.pooling, refinement.POOLINGS)
    capacity = cubify.Capacity(model.max_vertices, model.max_faces)
    cubify.check_capacity(capacity, (model.resolution,) * 3)


def _make_network(config):
    model = config.model
    dtype = cascade.dtype_of(model)
    head = PaddedRefinement(
        num_stages=model.num_stages, **stage_settings(model, model.pooling)
    )
    voxel_head = VoxelHead(
        model.resolution, model.voxel_features, model.voxel_convs, dtype
    )
    return MeshRCNN(
        voxel_head=voxel_head,
        head=head,
        capacity=cubify.Capacity(model.max_vertices, model.max_faces),
        threshold=model.threshold,
        alignment=model.alignment,
        unit=model.unit,
        sees_view=model.sees_view,
        **cascade.network_arguments(config),
    )


def extract(call: Call, batch: Batch) -> list[Reconstruction]:
    """The mesh of the voxels and that of every stage, closed and facing outward."""
    found = jax.device_get(call("__call__", batch))
    rows = range(len(batch.weight))
    views = (jax.tree.map(lambda x, row=row: x[row], found) for row in rows)
    return [Reconstruction(_meshes(x), remarks=_remarks(x.mesh)) for x in views]


def _remarks(mesh: PaddedMesh) -> tuple[str, ...]:
    if not mesh.is_found:
        return (EMPTY,)
    return (RAISED,) if mesh.num_rises else ()


def _meshes(found: VoxelMeshOutputs) -> tuple[HostMesh, ...]:
    """Of one example; voxels that touch along an edge are separated there."""
    count = int(found.mesh.vertex_mask.sum())
    faces = found.mesh.faces[np.any(found.mesh.faces != 0, axis=1)]
    owner = touching.owners(found.mesh.vertices[:count], faces)
    stages = [vertices[:count] for vertices in found.stages]
    positions, faces = touching.separated(stages, faces, owner)
    return tuple(
        HostMesh(vertices, surface.oriented_outward(vertices, faces))
        for vertices in positions
    )
