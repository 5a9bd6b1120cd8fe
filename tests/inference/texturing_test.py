"""The texture of a prediction: whichever frame it is in, texels show their pixels."""

import functools

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.inference import finish, texturing
from pixel2mesh_jax.inference.finish import Finish
from pixel2mesh_jax.inference.predict import Prediction, predict
from pixel2mesh_jax.io import captures, exif, meshes
from pixel2mesh_jax.methods import cascade
from pixel2mesh_jax.structures import HostMesh, Texture
from tests.inference import reconstruct_test as files

PIXELS = 200
BOX = (120, 20, 180, 80)


def load(folder, orientation=1, depth=True):
    """A capture: a disc in a corner, red to the right and blue downward."""
    rows, columns = np.indices((PIXELS, PIXELS))
    rgba = np.zeros((PIXELS, PIXELS, 4), np.uint8)
    rgba[..., 0], rgba[..., 2] = columns, rows
    left, top, right, bottom = BOX
    middle = np.array([left + right, top + bottom]) / 2
    disc = np.hypot(columns - middle[0], rows - middle[1]) < (right - left) / 2
    rgba[..., 3] = np.where(disc, 255, 0)
    tags = Image.Exif()
    tags[0x0112] = orientation
    # Stored so that turning it by its tag gives the image above.
    candidates = {tag: exif.turn_image(rgba, tag) for tag in range(1, 9)}
    stored = next(
        image
        for image in candidates.values()
        if np.array_equal(exif.turn_image(image, orientation), rgba)
    )
    image = folder / "disc.png"
    Image.fromarray(stored).save(image, exif=tags)
    map_file = files.save_depth(folder / "disc_depth.png", 1.0, PIXELS)
    lens = camera.pinhole(300.0, 99.5, 99.5)
    return captures.load_capture(
        image, map_file if depth else None, lens if depth else None
    )


def prediction(capture, **options):
    call = functools.partial(files.predict, colors=(0.0, 1.0, 0.0))
    extract = functools.partial(cascade.extract, lambda entry, batch: call(batch))
    return predict(extract, capture, "disc", image_size=files.SIZE, **options)


def shown_by_vertices(found, capture):
    """Whether the lens shows the mesh where the image shows the object."""
    points = found.mesh.vertices
    if found.is_metric:
        points = exif.turn_points(points, capture.orientation)
    pixels = camera.project(points, np.asarray(found.lens))
    left, top, right, bottom = BOX
    return pixels.min(axis=0), pixels.max(axis=0), (left, top), (right, bottom)


@pytest.mark.parametrize("depth", [True, False])
@pytest.mark.parametrize("fit", ["always", "never"])
def test_the_lens_shows_the_mesh_on_the_object(tmp_path, depth, fit):
    capture = load(tmp_path, depth=depth)
    found = prediction(capture, fit=fit)
    low, high, left_top, right_bottom = shown_by_vertices(found, capture)
    if fit == "always":
        assert_allclose(low, left_top, atol=12)
        assert_allclose(high, right_bottom, atol=12)
    else:  # the template stands in the middle of the whole image
        assert_allclose((low + high) / 2, 99.5, atol=4)


def simple_charts(monkeypatch):
    """One chart per triangle in a grid, without xatlas."""
    from pixel2mesh_jax.rendering import atlas

    def unwrap(vertices, faces, size):
        side = int(np.ceil(np.sqrt(len(faces))))
        number = np.arange(len(faces))
        corner = np.stack([number % side, number // side], axis=1)[:, None]
        shape = np.array([[0.05, 0.05], [0.95, 0.05], [0.05, 0.95]])
        uv = ((corner + shape) / side).reshape(-1, 2).astype(np.float32)
        rows = np.asarray(faces).reshape(-1)
        return atlas.Atlas(uv, rows, np.arange(len(rows)).reshape(-1, 3))

    monkeypatch.setattr(atlas, "unwrap", unwrap)
    monkeypatch.setattr(atlas, "load_xatlas", lambda: None)


@pytest.mark.parametrize("orientation", [1, 2, 6])
def test_texels_show_their_pixels(tmp_path, monkeypatch, orientation):
    """Red and blue of a texel are the column and row of its point."""
    simple_charts(monkeypatch)
    capture = load(tmp_path, orientation)
    assert capture.orientation == orientation
    found = prediction(capture)
    painted = texturing.make_texture(found, found.mesh, capture, 1024)
    faces = found.mesh.faces
    middle = found.mesh.vertices[faces].mean(axis=1)
    uv = painted.uv[painted.faces].mean(axis=1) * 1024
    colors = painted.image[1024 - 1 - uv[:, 1].astype(int), uv[:, 0].astype(int)]
    upright = exif.turn_points(middle, orientation)
    pixels = camera.project(upright, np.asarray(found.lens))
    shown = colors[:, 1] == 0  # nothing of the green of the vertices
    assert 200 < shown.sum() < len(faces) / 2
    assert_allclose(colors[shown][:, [0, 2]], pixels[shown], atol=1.5)


@pytest.mark.parametrize(
    "wanted", [Finish("opencv"), Finish("object", up="z"), Finish(faces=500)]
)
def test_positions_are_those_of_the_mesh(tmp_path, monkeypatch, wanted):
    simple_charts(monkeypatch)
    capture = load(tmp_path)
    plain = finish.finish(prediction(capture), wanted, capture)
    found = finish.finish(prediction(capture), wanted._replace(texture=128), capture)
    assert isinstance(found.texture, Texture)
    path = tmp_path / "disc.glb"
    meshes.save_mesh(path, *found.mesh, texture=found.texture)
    read = trimesh.load_mesh(path, process=False)
    wanted_corners = plain.mesh.vertices[plain.mesh.faces]
    assert_allclose(read.vertices[read.faces], wanted_corners, atol=0)


def test_the_object_is_cut_out_and_shrunk_to_what_the_texture_holds(tmp_path):
    capture = load(tmp_path)
    close = texturing._fitting(capture.view, 64)
    assert close.rgba.shape == (98, 98, 4)  # 59 of them are the object
    assert (close.rgba[..., 3] == 255).sum() == (capture.view.rgba[..., 3] == 255).sum()
    left_top = capture.view.intrinsics[:2, 2] - close.intrinsics[:2, 2]
    assert_allclose(left_top, [150 - 49, 50 - 49], atol=1)
    small = texturing._fitting(capture.view, 25)
    assert small.rgba.shape == (49, 49, 4)
    assert small.intrinsics[0, 0] == pytest.approx(150)


def test_textures_are_written_and_named(tmp_path, monkeypatch):
    simple_charts(monkeypatch)
    image = files.save_image(tmp_path / "chair.png")
    wanted = Finish(texture=64)
    options = {"wanted": wanted, "previews": "none"}
    [result] = files.run(image, tmp_path / "out", file_format="obj", **options)
    assert (tmp_path / "out" / "chair_texture.png").is_file()
    assert '"texture": 64' in result.summary.read_text()
    with pytest.raises(InputError, match="stl files hold no texture"):
        files.run(image, tmp_path / "stl", file_format="stl", **options)


def test_a_mesh_of_one_colour_keeps_it(tmp_path, monkeypatch):
    """Where nothing is seen of it: turned away from the camera altogether."""
    simple_charts(monkeypatch)
    capture = load(tmp_path)
    found: Prediction = prediction(capture)
    behind = found.mesh.vertices * np.float32([1, 1, -1])
    mesh = HostMesh(behind, found.mesh.faces, found.mesh.colors)
    painted = texturing.make_texture(found, mesh, capture, 64)
    assert (painted.image == (0, 255, 0)).all()
