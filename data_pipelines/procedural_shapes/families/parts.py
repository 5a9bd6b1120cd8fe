"""Solids that the families are composed of: lofts between rings, painted per face.

Everything is y-up, in an arbitrary unit. A ring is (N, 3): a closed outline, its points
in order. A colour is sRGB in [0, 1].
"""

import colorsys
from collections.abc import Sequence

import numpy as np
import trimesh

Color = Sequence[float]
Vector = Sequence[float]

GLASS = (0.12, 0.16, 0.22)
RUBBER = (0.08, 0.08, 0.09)
CHROME = (0.75, 0.76, 0.8)

# The other two axes in right-handed order, and the axis itself.
AXES = {"x": (1, 2, 0), "y": (2, 0, 1), "z": (0, 1, 2)}


def random_color(
    rng: np.random.Generator,
    hue: tuple[float, float] = (0.0, 1.0),
    saturation: tuple[float, float] = (0.35, 0.8),
    value: tuple[float, float] = (0.4, 0.9),
) -> Color:
    """A colour uniform in ranges of HSV."""
    return colorsys.hsv_to_rgb(*(rng.uniform(*r) for r in (hue, saturation, value)))


def wood(rng: np.random.Generator) -> Color:
    """From pale birch to dark walnut."""
    return random_color(rng, (0.06, 0.11), (0.35, 0.7), (0.3, 0.85))


def metal(rng: np.random.Generator) -> Color:
    """From black steel to chrome."""
    return random_color(rng, (0.55, 0.65), (0.0, 0.08), (0.15, 0.8))


def shade(color: Color, factor: float) -> Color:
    """The colour darkened (factor < 1) or lightened towards white (factor > 1)."""
    color = np.asarray(color)
    return color * factor if factor <= 1 else 1 - (1 - color) * (2 - factor)


def paint(mesh: trimesh.Trimesh, color: Color, where=slice(None)) -> trimesh.Trimesh:
    """Colours the faces selected by `where` (a mask or slice) and returns the mesh."""
    mesh.visual.face_colors[where] = [*np.rint(np.clip(color, 0, 1) * 255), 255]
    return mesh


def loft(rings: Sequence[np.ndarray], color: Color, caps: bool = True):
    """The skin through rings of equal length, facing outwards.

    Args:
      rings: two or more, along the body.
      color: of all faces.
      caps: closes the first and last ring with fans around their means, which must see
        the whole outline.
    """
    rings = np.asarray(rings, dtype=float)
    count, size = rings.shape[:2]
    corner = np.arange(count - 1)[:, None] * size + np.arange(size)
    right = np.roll(corner, -1, axis=1)
    quads = np.stack([corner, right, right + size, corner + size], axis=-1)
    quads = quads.reshape(-1, 4)
    first, last = np.arange(size), np.arange(size) + (count - 1) * size
    apex = np.full(size, count * size)
    faces = [
        quads[:, [0, 1, 2]],
        quads[:, [0, 2, 3]],
        np.stack([np.roll(first, -1), first, apex], axis=1),
        np.stack([last, np.roll(last, -1), apex + 1], axis=1),
    ]
    vertices = [*rings, rings[[0, -1]].mean(axis=1)]
    mesh = trimesh.Trimesh(np.concatenate(vertices), np.concatenate(faces))
    if mesh.volume < 0:
        mesh.invert()
    if not caps:
        mesh.update_faces(np.arange(len(mesh.faces)) < 2 * len(quads))
    return paint(mesh, color)


def faces_between(rows: np.ndarray, size: int, caps: bool = True) -> np.ndarray:
    """Mask of the faces of a loft.

    Args:
      rows: bool, one per pair of neighbouring rings.
      size: points per ring.
      caps: whether the loft has them; they are not selected.
    """
    sides = np.tile(np.repeat(rows, size), 2)
    return np.concatenate([sides, np.zeros(2 * size * caps, bool)])


def panel_centers(mesh: trimesh.Trimesh, size: int) -> np.ndarray:
    """(F, 3) centres of the faces of a capped loft of `size` points per ring.

    The two triangles of a quadrilateral share its centre, so that stripes painted by
    position have straight borders.
    """
    centers = np.array(mesh.triangles_center)
    count = len(centers) // 2 - size
    shared = (centers[:count] + centers[count : 2 * count]) / 2
    centers[: 2 * count] = np.tile(shared, (2, 1))
    return centers


def rounded_rectangle(
    width: float, height: float, radius: float = 0.0, segments: int = 4
) -> np.ndarray:
    """(N, 2) outline around the origin; `radius` is clipped to what fits."""
    radius = min(radius, 0.4999 * width, 0.4999 * height)
    if radius <= 0:
        x, y = width / 2, height / 2
        return np.array([[x, -y], [x, y], [-x, y], [-x, -y]])
    angle = np.linspace(0, np.pi / 2, segments + 1)
    arc = radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    x, y = width / 2 - radius, height / 2 - radius
    turn = np.array([[0, 1], [-1, 0]])
    corners = [(x, y), (-x, y), (-x, -y), (x, -y)]
    return np.concatenate(
        [arc @ np.linalg.matrix_power(turn, i) + c for i, c in enumerate(corners)]
    )


def ellipse(width: float, height: float, segments: int = 24) -> np.ndarray:
    """(N, 2) outline around the origin."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    return np.stack([width / 2 * np.cos(angle), height / 2 * np.sin(angle)], axis=-1)


def place(outline: np.ndarray, center: Vector, axis: str = "y") -> np.ndarray:
    """A ring: the (N, 2) outline in the plane through `center` normal to `axis`.

    The axes of the outline are (y, z), (z, x) or (x, y) for axis x, y, z.
    """
    ring = np.zeros((len(outline), 3))
    first, second, _ = AXES[axis]
    ring[:, first], ring[:, second] = outline.T
    return ring + np.asarray(center)


def box(size: Vector, center: Vector, color: Color) -> trimesh.Trimesh:
    """An axis-aligned box of size (x, y, z)."""
    return tapered_box((size[0], size[2]), (size[0], size[2]), size[1], center, color)


def tapered_box(
    bottom: Vector, top: Vector, height: float, center: Vector, color: Color, radius=0.0
) -> trimesh.Trimesh:
    """A frustum of (x, z) sizes `bottom` and `top`, its upright edges rounded."""
    rings = [
        place(
            rounded_rectangle(size[1], size[0], radius),
            np.add(center, (0, y, 0)),
        )
        for size, y in ((bottom, -height / 2), (top, height / 2))
    ]
    return loft(rings, color)


def cushion(
    size: Vector, center: Vector, color: Color, radius: float, segments: int = 3
) -> trimesh.Trimesh:
    """A box of size (x, y, z) with all edges rounded."""
    radius = min(radius, 0.49 * min(size))
    angle = np.linspace(-np.pi / 2, np.pi / 2, 2 * segments + 2)
    inset = 2 * radius * (1 - np.cos(angle))
    height = np.sign(angle) * (size[1] / 2 - radius) + radius * np.sin(angle)
    rings = [
        place(
            rounded_rectangle(size[2] - i, size[0] - i, max(radius - i / 2, 1e-3), 3),
            np.add(center, (0, y, 0)),
        )
        for i, y in zip(inset, height, strict=True)
    ]
    return loft(rings, color)


def rod(
    start: Vector,
    end: Vector,
    radius: float,
    color: Color,
    end_radius: float | None = None,
    segments: int = 12,
) -> trimesh.Trimesh:
    """A round or, with four segments, square bar between two points, tapered."""
    radii = [radius, radius if end_radius is None else end_radius]
    return tube([start, end], radii, color, segments)


def tube(
    path: Sequence[Vector], radii: Sequence[float], color: Color, segments: int = 12
) -> trimesh.Trimesh:
    """A round bar along a path of points, one radius at each."""
    path = np.asarray(path, dtype=float)
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    helper = np.eye(3)[np.argmin(np.abs(tangents).sum(axis=0))]
    side = np.cross(tangents, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, tangents)
    angle = 2 * np.pi * (np.arange(segments) + 0.5) / segments
    circle = (
        np.cos(angle)[:, None] * side[:, None] + np.sin(angle)[:, None] * up[:, None]
    )
    return loft(path[:, None] + np.reshape(radii, (-1, 1, 1)) * circle, color)


def lathe(
    profile: Sequence[Vector], center: Vector, color: Color, segments: int = 32
) -> trimesh.Trimesh:
    """The solid of revolution around y of (radius, y) points; its ends are discs."""
    rings = [
        place(ellipse(2 * r, 2 * r, segments), np.add(center, (0, y, 0)))
        for r, y in profile
    ]
    return loft(rings, color)


def disc(
    radius: float, width: float, center: Vector, color: Color, axis: str = "x"
) -> trimesh.Trimesh:
    """A cylinder along an axis: wheels, hubs, lights."""
    half = width / 2 * np.eye(3)["xyz".index(axis)]
    center = np.asarray(center)
    return rod(center - half, center + half, radius, color, segments=24)


def ball(
    size: Vector, center: Vector, color: Color, detail: int = 2
) -> trimesh.Trimesh:
    """An ellipsoid of size (x, y, z) with 20 * 4**detail faces."""
    mesh = trimesh.creation.icosphere(subdivisions=detail, radius=0.5)
    mesh.apply_scale(size)
    mesh.apply_translation(center)
    return paint(mesh, color)


def plate(
    outline: Sequence[Vector], center: Vector, thickness: float, axis: str, color: Color
) -> trimesh.Trimesh:
    """An extruded (N, 2) outline that its mean point can see all of."""
    half = thickness / 2 * np.eye(3)["xyz".index(axis)]
    outline, center = np.asarray(outline, dtype=float), np.asarray(center)
    rings = [place(outline, center + s * half, axis) for s in (-1, 1)]
    return loft(rings, color)


def tilt(mesh: trimesh.Trimesh, degrees: float, axis: Vector, pivot: Vector):
    """Rotates a part in place around an axis through `pivot`; returns it."""
    mesh.apply_transform(
        trimesh.transformations.rotation_matrix(np.radians(degrees), axis, pivot)
    )
    return mesh


def mirrored(parts: Sequence[trimesh.Trimesh]) -> list[trimesh.Trimesh]:
    """The parts and their mirror images at the plane x = 0."""
    images = [part.copy() for part in parts]
    for image in images:
        image.apply_transform(np.diag([-1.0, 1, 1, 1]))
    return [*parts, *images]
