"""A mesh that the reader of a page can turn; nothing is fetched from elsewhere."""

import html

import numpy as np
import trimesh
from trimesh.viewer.notebook import scene_to_html

from pixel2mesh_jax.geometry import surface
from pixel2mesh_jax.rendering import mesh_images
from pixel2mesh_jax.structures import HostMesh

# Material of the 3D view, sRGB bytes: brighter than the clay of the images, because
# the viewer has little light.
CLAY = (240, 236, 228)


def frame(mesh: HostMesh) -> str:
    """The HTML of a view of its own; the mesh is in a camera frame with y up."""
    content = html.escape(scene_to_html(_scene(mesh)))
    return (
        f'<iframe class="viewer" title="3D view" loading="lazy" '
        f'srcdoc="{content}"></iframe>'
    )


def _scene(mesh):
    """The mesh, upright and in the middle."""
    vertices = mesh_images.upright(np.asarray(mesh.vertices, np.float64))
    colors = np.broadcast_to(CLAY, vertices.shape)
    if mesh.colors is not None:
        colors = np.round(mesh.colors * 255)
    shown = trimesh.Trimesh(
        vertices,
        mesh.faces,
        vertex_colors=colors.astype(np.uint8),
        vertex_normals=np.asarray(surface.vertex_normals(vertices, mesh.faces)),
        process=False,
    )
    return trimesh.Scene(shown)
