"""Signed distances and colours at points around an object, for implicit models.

Points near the surface are points of it, moved by normally distributed noise of two
widths. The others fill the space around the object: how many is a setting of a build.
With few of them, as published, a network hears little of places far away and may put
loose parts there.

Source of the mixture: Park et al., *DeepSDF*, CVPR 2019, supplementary B: variances
0.0025 and 0.00025 with an object scaled into 1 / 1.03 of the unit ball, 250,000 points
of each and 25,000 in the ball, which here is the cube around it, where implicit models
are evaluated.
"""

import numpy as np
from jaxtyping import Float

from data_pipelines.surfaces import render, solids
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.structures import FieldSamples

# Metres in the unit of DeepSDF: no normalised object reaches farther from its centre.
UNIT = 1.03 * camera.P2M_SCALE / 2
# Standard deviations of the noise in that unit, and a third kind: uniform in the cube.
NOISE = (0.0025**0.5, 0.00025**0.5)


def sample_field(
    surface: Surface,
    num_queries: int,
    rng: np.random.Generator,
    uniform_share: float,
) -> FieldSamples:
    """Draws query points and looks up the solid there, in the frame of the surface.

    Args:
      surface: object frame, metres; see `solids.find_visible_surface`.
      num_queries: how many points.
      rng: decides everything.
      uniform_share: of the points, fills the space around the object; the others have
        each width of noise alike.
    """
    points = sample_queries(surface, num_queries, rng, uniform_share).astype(np.float32)
    return evaluate_field(surface, points)


def sample_queries(
    surface: Surface,
    num_queries: int,
    rng: np.random.Generator,
    uniform_share: float,
) -> Float[np.ndarray, "N 3"]:
    """Points near the surface and around the object, in random order."""
    near_share = (1 - uniform_share) / len(NOISE)
    shares = (*(near_share for _ in NOISE), uniform_share)
    kind = rng.choice(len(shares), size=num_queries, p=shares)
    on_surface = render.sample_surface(surface, num_queries, rng).points
    width = UNIT * np.array([*NOISE, 0.0])[kind, None]
    near = on_surface + width * rng.normal(size=(num_queries, 3))
    anywhere = rng.uniform(-UNIT, UNIT, (num_queries, 3))
    return np.where(kind[:, None] == len(NOISE), anywhere, near)


def evaluate_field(surface: Surface, points: Float[np.ndarray, "N 3"]) -> FieldSamples:
    """Signed distance to the surface, and the colour of its nearest point.

    Args:
      surface: see `solids.find_visible_surface`.
      points: in the frame and unit of the surface.
    """
    distances, face, nearest = solids.nearest_on_surface(surface, points)
    weights = solids.barycentric(surface.vertices[surface.faces[face]], nearest)
    sign = np.where(solids.is_inside(surface, points), -1, 1)
    return FieldSamples(
        points=points.astype(np.float32),
        distances=(sign * distances).astype(np.float32),
        colors=render.colors_at(surface, face, weights),
    )


def move_field(
    field: FieldSamples, transform: Float[np.ndarray, "4 4"]
) -> FieldSamples:
    """Samples after a rigid transform."""
    points = camera.transform_points(field.points, transform)
    return field._replace(points=points.astype(np.float32))
