"""One strip of images: what went in and what came out."""

import io

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw, ImageFont

from pixel2mesh_jax.rendering import mesh_images

# Pixels: side of an image, height of the line of text below it, and of the letters.
TILE = 256
CAPTION = 26
LETTERS = 14
TEXT_COLOR = (90, 90, 90)
# Rays per pixel side: half as many as in a report, where an image is not one of many.
SUPERSAMPLE = 2
# Degrees around the object from the input camera, and above its horizon.
OTHER_SIDES = ((60.0, 20.0), (180.0, 20.0))


def preview(
    rgb: Float[np.ndarray, "S S 3"],
    depth: Float[np.ndarray, "S S"],
    intrinsics: Float[np.ndarray, "3 3"],
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    colors: Float[np.ndarray, "V 3"] | None = None,
) -> UInt8[np.ndarray, "H W 3"]:
    """Input, depth (if there is any), the mesh from the input camera and from aside.

    Args:
      rgb: the image that the network saw, in [0, 1], on white.
      depth: metres, 0 = missing.
      intrinsics: of that image, pixels.
      vertices: predicted mesh in the camera frame of that image.
      faces: counter-clockwise seen from outside.
      colors: sRGB in [0, 1] per vertex; clay if None.
    """
    size = rgb.shape[0]
    same = mesh_images.input_camera(intrinsics, size, TILE)
    tiles = [("input", _enlarged(np.round(rgb * 255).astype(np.uint8)))]
    if depth.any():
        tiles.append(("depth", _enlarged(mesh_images.depth_image(depth))))
    aside = [
        mesh_images.turntable_camera(vertices, azimuth, elevation, TILE)
        for azimuth, elevation in OTHER_SIDES
    ]
    names = ["mesh", *(f"turned by {azimuth:.0f}°" for azimuth, _ in OTHER_SIDES)]
    views = [same, *aside]
    drawn = mesh_images.mesh_images(vertices, faces, views, colors, SUPERSAMPLE)
    tiles.extend(zip(names, drawn, strict=True))
    return np.concatenate([_captioned(*tile) for tile in tiles], axis=1)


def png_bytes(image: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """The image as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _enlarged(values):
    image = Image.fromarray(values)
    return np.asarray(image.resize((TILE, TILE), Image.Resampling.BICUBIC))


def _captioned(text, image):
    tile = Image.new("RGB", (TILE, TILE + CAPTION), "white")
    tile.paste(Image.fromarray(image))
    ImageDraw.Draw(tile).text(
        (TILE / 2, TILE + CAPTION / 2),
        text,
        fill=TEXT_COLOR,
        font=ImageFont.load_default(LETTERS),
        anchor="mm",
    )
    return np.asarray(tile)
