"""From the layout of Pix3D to shards.

No data of Pix3D: models, photos, masks and poses are made here, the photos by casting
rays in the frame of the annotations, so that the conventions are tested end to end.
"""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds
import trimesh
from PIL import Image
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from data_pipelines import build
from data_pipelines.building.options import REPORT_NAME, VERSION, Options
from data_pipelines.pix3d import crops, pix3d_dataset_builder, source
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera

WIDTH, HEIGHT = 320, 240
OPTIONS = Options(num_points=2000)
UPRIGHT = Rotation.from_euler("xyz", [0.35, 2.5, 0.1]).as_matrix()


def corner_model():
    """A slab with a post on one corner, somewhere, of some size."""
    slab = trimesh.creation.box((1.0, 0.2, 0.6))
    post = trimesh.creation.box((0.2, 0.5, 0.2))
    post.apply_translation((0.4, 0.25, 0.2))
    mesh = trimesh.util.concatenate([slab, post])
    mesh.apply_scale(0.7)
    mesh.apply_translation((0.05, 0.1, -0.03))
    return mesh


def pose(rotation=UPRIGHT, translation=(0.1, -0.05, 2.2), focal_length=40.0):
    return {
        "rot_mat": np.asarray(rotation).tolist(),
        "trans_mat": list(translation),
        "focal_length": focal_length,
    }


def mask_of(mesh, pose):
    """What Blender would render: a ray through every pixel, in the annotated frame.

    +x is left, +y up, +z forward; 32 mm of the sensor are the width of the photo.
    """
    posed = mesh.vertices @ np.transpose(pose["rot_mat"]) + pose["trans_mat"]
    column, row = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    millimetres = 32 / WIDTH
    left = (WIDTH / 2 - column) * millimetres
    up = (HEIGHT / 2 - row) * millimetres
    forward = np.full(left.shape, pose["focal_length"])
    rays = np.stack([left, up, forward], axis=-1).reshape(-1, 3)
    scene = trimesh.Trimesh(posed, mesh.faces, process=False)
    hit = scene.ray.intersects_any(np.zeros_like(rays), rays)
    return hit.reshape(HEIGHT, WIDTH)


def annotate(folder, number, mesh, pose, model="corner", **others):
    """Writes one photo with mask and model; returns its annotation."""
    mask = mask_of(mesh, pose)
    rows, columns = np.nonzero(mask)
    photo = np.full((HEIGHT, WIDTH, 3), (90, 120, 60), np.uint8)
    photo[mask] = (200, 40, 30)
    files = {
        "img": f"img/chair/{number:04d}.png",
        "mask": f"mask/chair/{number:04d}.png",
        "model": f"model/chair/{model}/model.obj",
    }
    for file in files.values():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo).save(folder / files["img"])
    Image.fromarray(mask.astype(np.uint8) * 255).save(folder / files["mask"])
    mesh.export(folder / files["model"])
    annotation = {
        **files,
        **pose,
        "category": "chair",
        "img_size": [WIDTH, HEIGHT],
        "bbox": [
            int(columns.min()),
            int(rows.min()),
            int(columns.max()) + 1,
            int(rows.max()) + 1,
        ],
        "truncated": False,
        "occluded": False,
        "slightly_occluded": False,
    }
    return annotation | others


def write(folder, annotations):
    (folder / "pix3d.json").write_text(json.dumps(annotations))
    return folder


def example_of(folder, options=OPTIONS):
    (item,), ignored = source.find_items(folder, options)
    assert ignored == {}
    (example,) = source.make_examples(item, options)
    return example


def test_name_is_the_folder():
    assert pix3d_dataset_builder.Builder.name == "pix3d"


@pytest.mark.parametrize("size", [137, 224])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"focal_length": 90.0, "translation": (-0.15, -0.1, 4.0)},
        {"rotation": Rotation.from_euler("xyz", [0.5, 0.8, -0.2]).as_matrix()},
        {"translation": (0.55, 0.3, 1.9)},  # leaves the photo at the upper left
    ],
    ids=["plain", "tele", "turned", "truncated"],
)
def test_model_projects_into_the_cut_out_mask(tmp_path, changes, size):
    """Points, depth and mask agree in the image that was cut out and scaled."""
    annotation = annotate(tmp_path, 1, corner_model(), pose(**changes))
    options = OPTIONS._replace(size=size)
    example = example_of(write(tmp_path, [annotation]), options)
    view, points = example.view, example.surface.points
    assert view.rgba.shape == (size, size, 4)
    uv = camera.project(points, view.intrinsics)
    column, row = np.rint(uv).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < size) & (row < size)
    hit = view.rgba[row[inside], column[inside], 3] > 0
    if annotation["bbox"][0] > 0:
        assert inside.all()
        assert hit.mean() > 0.97
        rows, columns = np.nonzero(view.rgba[..., 3] >= 128)
        pixel = size / 137 * 1.5  # of the photo, at least
        np.testing.assert_allclose(uv.min(0), (columns.min(), rows.min()), atol=pixel)
        np.testing.assert_allclose(uv.max(0), (columns.max(), rows.max()), atol=pixel)
    else:
        assert hit.mean() > 0.6
    seen = camera.unproject(view.depth, view.intrinsics)[view.depth > 0]
    assert len(seen) > 0.9 * (view.rgba[..., 3] >= 128).sum()
    assert np.median(cKDTree(points).query(seen)[0]) < 0.57 / np.sqrt(len(points))


def test_object_has_its_canonical_size_and_the_distance_of_its_pose(tmp_path):
    """Scaled with the scene around the camera, so distance over size stays."""
    mesh, placed = corner_model(), pose()
    annotation = annotate(tmp_path, 1, mesh, placed)
    example = example_of(write(tmp_path, [annotation]))
    middle = np.array(placed["rot_mat"]) @ mesh.bounds.mean(axis=0)
    distance = (middle + placed["trans_mat"]) * 0.57 / np.linalg.norm(mesh.extents)
    points = example.surface.points
    back = points * (-1, 1, -1) - distance  # into the frame of the annotation
    upright = back @ np.array(placed["rot_mat"])
    low, high = upright.min(axis=0), upright.max(axis=0)
    np.testing.assert_allclose(np.linalg.norm(high - low), 0.57, rtol=0.02)
    np.testing.assert_allclose((low + high) / 2, 0, atol=0.005)


def test_colours_are_those_of_the_photo_and_nothing_is_left_of_its_background(tmp_path):
    example = example_of(
        write(tmp_path, [annotate(tmp_path, 1, corner_model(), pose())])
    )
    rgba = example.view.rgba
    assert (rgba[rgba[..., 3] == 0] == 0).all()
    np.testing.assert_array_equal(
        np.median(rgba[rgba[..., 3] == 255], axis=0)[:3], (200, 40, 30)
    )
    assert example.surface.colors.shape == (0, 3)


def test_object_fills_the_same_part_of_every_image(tmp_path):
    example = example_of(
        write(tmp_path, [annotate(tmp_path, 1, corner_model(), pose())])
    )
    rows, columns = np.nonzero(example.view.rgba[..., 3] >= 128)
    longest = max(np.ptp(rows), np.ptp(columns)) + 1
    assert longest / 137 == pytest.approx(0.6, abs=0.03)


def test_flagged_objects_are_left_out_unless_asked_for(tmp_path):
    flags = ({}, {"truncated": True}, {"occluded": True}, {"slightly_occluded": True})
    annotations = [
        annotate(tmp_path, i, corner_model(), pose(), **flag)
        for i, flag in enumerate(flags)
    ]
    write(tmp_path, annotations)
    items, ignored = source.find_items(tmp_path, OPTIONS)
    assert [item.object_id for item in items] == ["img/chair/0000.png:0"]
    assert list(ignored.values()) == [1, 2]
    items, _ = source.find_items(tmp_path, OPTIONS._replace(truncated=True))
    assert len(items) == 2
    items, ignored = source.find_items(
        tmp_path, OPTIONS._replace(truncated=True, occluded=True)
    )
    assert len(items) == 4
    assert ignored == {}


def test_photos_of_a_model_stay_in_one_split(tmp_path):
    annotations = [
        annotate(tmp_path, i, corner_model(), pose(), model=f"model{i % 15}")
        for i in range(30)
    ]
    items, _ = source.find_items(write(tmp_path, annotations), OPTIONS)
    splits = {(item.files[2], item.split) for item in items}
    assert len(splits) == 15
    assert len({split for _, split in splits}) == 3


def test_published_lists_decide_on_the_split(tmp_path):
    annotations = [annotate(tmp_path, i, corner_model(), pose()) for i in range(3)]
    write(tmp_path, annotations)
    for split, number in (("train", 2), ("test", 0)):
        image = {"file_name": f"img/chair/{number:04d}.png", "id": number}
        content = json.dumps({"images": [image], "annotations": []})
        (tmp_path / f"pix3d_s1_{split}.json").write_text(content)
    items, ignored = source.find_items(tmp_path, OPTIONS)
    assert [(item.split, item.object_id[-1]) for item in items] == [
        ("test", "0"),
        ("train", "2"),
    ]
    assert ignored == {"objects that are in no split list": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rot_mat": [[1, 0, 0], [0, 1, 0], [0, 0, 2]]}, "is not a rotation"),
        ({"rot_mat": np.diag([1, 1, -1]).tolist()}, "is not a rotation"),
        ({"rot_mat": None}, "rot_mat: expected 3x3 finite"),
        ({"trans_mat": [0, 0]}, "trans_mat: expected 3 finite"),
        ({"trans_mat": [0, 0, -2.0]}, "beside or behind the camera"),
        ({"focal_length": 0}, "focal_length 0.0 is not positive"),
        ({"bbox": [10, 10, 5, 20]}, r"bbox \[10, 10, 5, 20\] is not a box"),
        ({"img_size": [HEIGHT, WIDTH]}, "320x240 pixels, expected 240x320"),
        ({"trans_mat": [-0.6, -0.4, 2.0]}, "does not fit its images"),
        ({"model": "model/nowhere.obj"}, "no such file"),
        ({"mask": "img/nowhere.png"}, "no such file"),
    ],
)
def test_broken_annotations_are_named(tmp_path, change, message):
    annotation = annotate(tmp_path, 1, corner_model(), pose()) | change
    if "img_size" in change:
        annotation["bbox"] = [10, 10, 50, 50]
    (item,), _ = source.find_items(write(tmp_path, [annotation]), OPTIONS)
    with pytest.raises(InputError, match=message):
        source.make_examples(item, OPTIONS)


def test_incomplete_annotations_are_counted(tmp_path):
    good = annotate(tmp_path, 1, corner_model(), pose())
    bad = [good | {"model": None}, good | {"category": "boat"}]
    _, ignored = source.find_items(write(tmp_path, [good, *bad]), OPTIONS)
    assert ignored == {
        "annotations without img, mask, model": 1,
        "objects of the unknown category 'boat'": 1,
    }


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret.png", "img/../../secret.png", "..\\\\secret.png"]
)
def test_annotations_cannot_name_files_outside_of_the_folder(tmp_path, path):
    good = annotate(tmp_path, 1, corner_model(), pose())
    bad = [good | {key: path} for key in ("img", "mask", "model")]
    items, ignored = source.find_items(write(tmp_path, [good, *bad]), OPTIONS)
    assert len(items) == 1
    assert ignored == {"annotations of files outside of the folder": 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "pix3d.json: no such file"),
        ("[" * 100_000, "nested too deeply"),
        ("{", "not a JSON file"),
        ("{}", "expected a list at the top"),
        ("[]", "no objects of use; found nothing"),
    ],
)
def test_mistakes_are_explained(tmp_path, content, message):
    if content is not None:
        (tmp_path / "pix3d.json").write_text(content)
    with pytest.raises(InputError, match=message):
        source.find_items(tmp_path, OPTIONS)


def test_shards(tmp_path):
    annotations = [
        annotate(tmp_path, i, corner_model(), pose(), occluded=i > 0) for i in range(3)
    ]
    annotations.append(annotations[1] | {"trans_mat": [0, 0, -1]})
    write(tmp_path, annotations)
    arguments = ["--source", str(tmp_path), "--data_dir", str(tmp_path / "data")]
    arguments += ["--occluded", "--num_points", "50", "--workers", "1"]
    assert build.main(["pix3d", *arguments]) == 0
    builder = tfds.builder_from_directory(tmp_path / "data" / "pix3d" / VERSION)
    assert builder.info.metadata["has_depth"]
    assert not builder.info.metadata["has_colors"]
    assert tuple(builder.info.features["category"].names) == source.CATEGORIES
    report = json.loads((builder.data_path / REPORT_NAME).read_text())
    assert sum(report["objects"].values()) == 3
    (skipped,) = report["skipped"]
    assert skipped["object"] == "img/chair/0001.png:3"


def test_camera_of_a_cut_sees_a_point_where_the_photo_does(tmp_path):
    annotation = annotate(tmp_path, 1, corner_model(), pose())
    checked = crops.check_pose(annotation)
    square = crops.object_crop.square_of_box(checked.box)
    point = np.array([[0.2, -0.1, -1.5]])
    photo = camera.pinhole(40 / 32 * WIDTH, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
    u, v = camera.project(point, photo)[0]
    scale = 224 / square.side
    expected = (
        (u + 0.5 - square.left) * scale - 0.5,
        (v + 0.5 - square.top) * scale - 0.5,
    )
    cut = crops.crop_intrinsics(checked, square, 224)
    np.testing.assert_allclose(camera.project(point, cut)[0], expected, rtol=1e-5)


def test_annotations_beyond_the_limit_are_refused_unread(tmp_path, monkeypatch):
    folder = write(tmp_path, [annotate(tmp_path, 1, corner_model(), pose())])
    monkeypatch.setattr(source.limits, "MAX_ANNOTATION_BYTES", 10)
    with pytest.raises(InputError, match=r"pix3d\.json: .* expected at most"):
        source.find_items(folder, OPTIONS)
