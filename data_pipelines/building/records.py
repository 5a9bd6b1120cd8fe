"""From an example to the features of a record, see `shards.features`."""

import io

import numpy as np
from PIL import Image

from pixel2mesh_jax.structures import Example


def arrays_of(example: Example) -> dict[str, np.ndarray]:
    """What a record holds in arrays; the image as the bytes of a PNG."""
    view, surface, field = example.view, example.surface, example.field
    png = io.BytesIO()
    Image.fromarray(view.rgba).save(png, "PNG")
    arrays = {
        "rgba": np.frombuffer(png.getvalue(), np.uint8),
        "depth": view.depth,
        "intrinsics": view.intrinsics,
        "points": surface.points,
        "normals": surface.normals.astype(np.float16),
        "colors": surface.colors,
    }
    if view.estimated is not None:
        arrays["estimated"] = view.estimated.astype(np.float16)
    if example.voxels is not None:
        arrays["voxels"] = example.voxels.astype(np.uint8)
    if example.volume is not None:
        arrays |= example.volume._asdict()
    if field is not None:
        arrays["query_points"] = field.points
        arrays["query_distances"] = field.distances
        arrays["query_colors"] = field.colors
    return arrays


def record(
    arrays: dict[str, np.ndarray], category: str, object_id: str, view: int
) -> tuple[str, dict]:
    """Key and features, as a TFDS builder yields them."""
    features = {
        **arrays,
        "rgba": io.BytesIO(arrays["rgba"].tobytes()),
        "category": category,
        "object_id": object_id,
        "view": view,
    }
    return f"{object_id}/{view}", features
