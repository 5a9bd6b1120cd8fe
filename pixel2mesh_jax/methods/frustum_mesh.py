"""Signed distances in the view volume, refined by graph convolutions as a mesh.

The voxel head of Mesh R-CNN is replaced by the network of the method `frustum`: objects
of any size, at any distance, before any lens, with and without depth.
"""

import ml_collections

from pixel2mesh_jax.geometry import cubify
from pixel2mesh_jax.losses.frustum_mesh import FrustumMeshWeights, frustum_mesh
from pixel2mesh_jax.methods import frustum, mesh_rcnn
from pixel2mesh_jax.methods.cascade import choose_loss
from pixel2mesh_jax.methods.method import (
    Losses,
    Method,
    check_settings,
    image_fields,
)
from pixel2mesh_jax.methods.refinement import stage_settings
from pixel2mesh_jax.models.frustum_mesh import FrustumMesh
from pixel2mesh_jax.models.mesh_rcnn import PaddedRefinement

FAMILIES = {"frustum_mesh": (FrustumMeshWeights, frustum_mesh)}


def defaults() -> ml_collections.ConfigDict:
    """Those of `frustum`, and of the refinement of `mesh_rcnn`."""
    trunk = {k: v for k, v in frustum.defaults().model.items() if k != "mirrors"}
    model = {
        **trunk,
        "resolution": 32,
        "layers": 32,
        "max_vertices": 4_096,  # of one mesh, and
        "max_faces": 8_192,  # its triangles; beyond them the level falls
        "hidden_features": 64,
        "num_stages": 3,  # of the refinement; 0: the mesh of the distances
        "num_blocks": 3,  # graph convolutions per stage; residual: pairs of them
        "residual": False,
    }
    loss = {"family": "frustum_mesh", **FrustumMeshWeights()._asdict()}
    return ml_collections.ConfigDict({"model": model, "loss": loss})


def make(config: ml_collections.ConfigDict) -> Method:
    """See `methods.make`."""
    model = config.model
    check_settings("model", model, defaults().model, f"method {config.method!r}")
    trunk = frustum.make(_of_trunk(config))
    weights, terms = choose_loss(config.loss, FAMILIES)
    capacity = cubify.Capacity(model.max_vertices, model.max_faces)
    cubify.check_capacity(capacity, (model.layers, model.resolution, model.resolution))

    def objective(outputs, batch, keys, phase):
        return Losses(*terms(outputs, batch, weights, keys))

    head = PaddedRefinement(
        num_stages=model.num_stages,
        **stage_settings(model, "half_pixel"),  # the features are those of the rays
    )
    return trunk._replace(
        fields=image_fields(config.image_size, config.num_points) | trunk.fields,
        model=FrustumMesh(trunk.model, head, capacity, model.level),
        objective=objective,
        extract=mesh_rcnn.extract,
    )


def _of_trunk(config):
    """The config of the method `frustum` alone."""
    alone = frustum.defaults()
    shared = set(alone.model) & set(config.model)
    alone.model.update({name: config.model[name] for name in shared})
    return ml_collections.ConfigDict(
        {**config.to_dict(), **alone.to_dict(), "method": "frustum"}
    )
