"""From the frames of ShapeNetCore to the object frame.

    v1   front at +x, middle of the bounding box at the origin, box diagonal 1;
         what 3D-R2N2 rendered (measured on a car: at azimuth 0 it is seen from ahead)
    v2   front at -z, mean of the vertices at the origin, box diagonal 1

Both have y up. The object frame is that of v1, 0.57 times as large. The README of v2
says that its axes fix "the mirroring issue in ShapeNetCore v1", so a model of v2 may be
the mirror image of what was rendered.
"""

import numpy as np

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import meshes
from pixel2mesh_jax.io.meshes import Surface

# Where the mesh lies in the folder of a model.
V1_MESH, V2_MESH = "model.obj", "models/model_normalized.obj"
V1_FROM_V2 = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
V1_FROM_MIRRORED_V2 = np.diag([1.0, 1.0, -1.0]) @ V1_FROM_V2


def normalized(surface: Surface, file: str) -> Surface:
    """A model in the object frame.

    Args:
      surface: as in the file.
      file: its name tells the version of ShapeNetCore.
    """
    if file.endswith(V2_MESH):
        surface = meshes.turn(surface, V1_FROM_V2)
    return meshes.normalize(surface)


def as_rendered(surface: Surface, file: str) -> list[Surface]:
    """The places that a model may have had when 3D-R2N2 rendered it, object frame.

    Models of v1 are taken as they are in the file, as by 3D-R2N2. Those of v2 are
    turned and centred; their mirror images are the second candidate.
    """
    if file.endswith(V2_MESH):
        return [
            meshes.normalize(meshes.turn(surface, matrix))
            for matrix in (V1_FROM_V2, V1_FROM_MIRRORED_V2)
        ]
    return [surface._replace(vertices=camera.P2M_SCALE * surface.vertices)]
