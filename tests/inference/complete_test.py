"""Point clouds to meshes, with a network that draws a box around them."""

import json

import numpy as np
import pytest
import trimesh
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.inference import complete
from pixel2mesh_jax.structures import HostMesh, Reconstruction


def write_cloud(path, points, colors=None):
    names = ["float x", "float y", "float z"]
    rows = [" ".join(f"{x:.6f}" for x in point) for point in points]
    if colors is not None:
        names += ["uchar red", "uchar green", "uchar blue"]
        pairs = zip(rows, colors, strict=True)
        rows = [f"{row} {' '.join(map(str, color))}" for row, color in pairs]
    head = ["ply", "format ascii 1.0", f"element vertex {len(points)}"]
    lines = [*head, *(f"property {name}" for name in names), "end_header", *rows]
    path.write_text("\n".join(lines) + "\n")
    return path


class Boxes:
    """A box around the points of a batch; remembers the batch."""

    def __call__(self, batch):
        self.batch = batch
        low, high = batch.points[0].min(axis=0), batch.points[0].max(axis=0)
        box = trimesh.creation.box(bounds=[low, high])
        vertices = np.asarray(box.vertices, np.float32)
        return [Reconstruction((HostMesh(vertices, np.asarray(box.faces)),))]


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-1, 1, (40, 3))


def run(source, tmp_path, extract=None, **changes):
    options = {"image_size": 16, "inputs": ("points",), "needs_colors": False}
    return complete.complete(
        extract or Boxes(), source, tmp_path / "out", **{**options, **changes}
    )


def test_a_cloud_becomes_a_mesh_in_its_frame(tmp_path, points):
    path = write_cloud(tmp_path / "chair.ply", points)
    (written,) = run(path, tmp_path)
    mesh = trimesh.load_mesh(written)
    np.testing.assert_allclose(mesh.bounds[0], points.min(axis=0), atol=1e-5)
    facts = json.loads(written.with_suffix(".json").read_text())
    assert facts["points"] == 40
    assert facts["faces"] == 12


def test_the_network_gets_all_points_with_their_colours_in_random_order(
    tmp_path, points
):
    colors = np.random.default_rng(1).integers(0, 256, (40, 3))
    extract = Boxes()
    path = write_cloud(tmp_path / "a.ply", points, colors)
    run(path, tmp_path, extract, needs_colors=True)
    found = np.concatenate([extract.batch.points[0], extract.batch.colors[0]], axis=1)
    expected = np.concatenate([points, colors / 255], axis=1)
    assert not np.allclose(found, expected)
    order = lambda rows: rows[np.argsort(rows[:, 0])]  # noqa: E731
    np.testing.assert_allclose(order(found), order(expected), atol=1e-5)


def test_a_image_beside_the_cloud_is_seen(tmp_path, points):
    path = write_cloud(tmp_path / "a.ply", points)
    image = np.zeros((32, 32, 4), np.uint8)
    image[8:24, 8:24] = [255, 0, 0, 255]
    Image.fromarray(image).save(tmp_path / "a.png")
    camera = {"fx": 40, "fy": 40, "cx": 15.5, "cy": 15.5, "width": 32, "height": 32}
    (tmp_path / "a_camera.json").write_text(json.dumps(camera))
    extract = Boxes()
    run(path, tmp_path, extract, inputs=("rgb", "points"))
    assert extract.batch.rgb.shape == (1, 16, 16, 3)
    np.testing.assert_allclose(extract.batch.rgb[0, 8, 8], [1, 0, 0], atol=1e-3)
    np.testing.assert_allclose(extract.batch.intrinsics[0, 0, 0], 20, rtol=1e-5)


def test_all_clouds_of_a_folder(tmp_path, points):
    folder = tmp_path / "clouds"
    folder.mkdir()
    for name in ("b", "a"):
        write_cloud(folder / f"{name}.ply", points)
    assert [path.stem for path in run(folder, tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": ("rgb", "depth")}, "sees images, not points"),
        ({"needs_colors": True}, "have no colours"),
        ({"inputs": ("rgb", "points")}, "needs an image beside the cloud"),
    ],
)
def test_what_is_missing_is_said(tmp_path, points, changes, message):
    path = write_cloud(tmp_path / "a.ply", points)
    with pytest.raises(InputError, match=message):
        run(path, tmp_path, **changes)


def test_files_of_no_use(tmp_path, points):
    few = write_cloud(tmp_path / "few.ply", points[:3])
    with pytest.raises(InputError, match="3 points; expected at least 4"):
        run(few, tmp_path)
    empty = write_cloud(tmp_path / "empty.ply", points[:0])
    with pytest.raises(InputError, match=r"empty\.ply: holds no points"):
        run(empty, tmp_path)
    with pytest.raises(InputError, match="completes point clouds"):
        run(tmp_path / "photo.png", tmp_path)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    with pytest.raises(InputError, match=r"no \.ply files"):
        run(nothing, tmp_path)


def test_points_that_are_not_finite_are_left_out(tmp_path, points):
    points[3] = np.nan
    extract = Boxes()
    run(write_cloud(tmp_path / "a.ply", points), tmp_path, extract)
    assert extract.batch.points.shape == (1, 39, 3)
