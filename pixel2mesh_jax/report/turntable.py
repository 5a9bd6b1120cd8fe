"""A mesh that turns, as an animated image."""

import io

import numpy as np
from PIL import Image

from pixel2mesh_jax.rendering import mesh_images
from pixel2mesh_jax.structures import HostMesh

# Pixels per side, images per turn, milliseconds for each, degrees above the horizon.
SIZE = 256
FRAMES = 24
DURATION = 100
ELEVATION = 20.0


def gif_bytes(mesh: HostMesh) -> bytes:
    """One turn around a mesh as a GIF file that repeats for ever.

    Args:
      mesh: in the camera frame of the input.
    """
    views = [
        mesh_images.turntable_camera(mesh.vertices, azimuth, ELEVATION, SIZE)
        for azimuth in np.linspace(0, 360, FRAMES, endpoint=False)
    ]
    images = mesh_images.mesh_images(*mesh[:2], views, mesh.colors)
    first, *others = (Image.fromarray(image) for image in images)
    file = io.BytesIO()
    first.save(
        file, "GIF", save_all=True, append_images=others, duration=DURATION, loop=0
    )
    return file.getvalue()
