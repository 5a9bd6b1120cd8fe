"""From images with depth to shards."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds
import trimesh
from PIL import Image
from scipy.spatial import cKDTree

from data_pipelines import build, input_pipeline
from data_pipelines.building.options import REPORT_NAME, VERSION, Options
from data_pipelines.rgbd_folder import rgbd_folder_dataset_builder, source
from data_pipelines.streaming.datasets import dataset_info
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, object_crop
from pixel2mesh_jax.io import captures, depth_maps, views
from pixel2mesh_jax.rendering import raycast

# A camera with a long lens that sees a box of 20 cm, 1.5 m away and off its axis.
SHAPE = (120, 160)
INTRINSICS = camera.pinhole(300, 80, 60)
BOX = trimesh.creation.box((0.2, 0.12, 0.16), np.diag([1.0, 1, 1, 1]))
BOX.apply_transform(trimesh.transformations.rotation_matrix(0.6, (0.3, 1, 0.2)))
BOX.apply_translation((0.15, -0.1, -1.5))


def write_capture(folder, name="a", *, mesh=False, own_camera=True):
    """A red box before a grey wall; the depth of the wall is measured as well."""
    folder.mkdir(parents=True, exist_ok=True)
    hits = raycast.cast(BOX.vertices, np.asarray(BOX.faces), INTRINSICS, SHAPE)
    mask = hits.depth > 0
    rgb = np.where(mask[..., None], (200, 30, 30), 128).astype(np.uint8)
    depth = np.where(mask, hits.depth, 2.5)
    Image.fromarray(rgb).save(folder / f"{name}.png")
    Image.fromarray(mask).save(folder / f"{name}_mask.png")
    stored = np.round(depth * 1000).astype(np.uint16)
    Image.fromarray(stored).save(folder / f"{name}_depth.png")
    if own_camera:
        text = json.dumps({"intrinsics": INTRINSICS.tolist()})
        (folder / f"{name}_camera.json").write_text(text)
    if mesh:
        BOX.export(folder / f"{name}_mesh.ply")


def run(folder, data_dir, *arguments):
    arguments = ["rgbd_folder", "--source", str(folder), *arguments]
    return build.main([*arguments, "--data_dir", str(data_dir), "--workers", "1"])


def records(data_dir):
    builder = tfds.builder_from_directory(data_dir / "rgbd_folder" / VERSION)
    found = builder.as_data_source(split="test")
    return builder.info, sorted(found, key=lambda record: record["object_id"])


def read_report(data_dir):
    path = data_dir / "rgbd_folder" / VERSION / REPORT_NAME
    return json.loads(path.read_text())


def seen_points(record):
    """What the sensor saw of the object, in the frame of the record."""
    points = camera.unproject(record["depth"], record["intrinsics"])
    return points[(record["depth"] > 0) & (record["rgba"][..., 3] > 127)]


def distances(points, surface_points):
    return cKDTree(surface_points).query(points)[0]


def test_name_is_the_folder():
    assert rgbd_folder_dataset_builder.Builder.name == "rgbd_folder"


@pytest.mark.parametrize(
    ("place", "split", "object_id"),
    [
        (".", "test", "object/a"),
        ("mug", "test", "mug/a"),
        ("train/mug", "train", "mug/a"),
    ],
)
def test_flat_and_divided_folders(tmp_path, place, split, object_id):
    write_capture(tmp_path / place, mesh=True)
    (tmp_path / place / "notes.txt").touch()
    (item,), ignored = source.find_items(tmp_path, Options())
    assert (item.split, item.object_id) == (split, object_id)
    names = [file.rsplit("/", 1)[-1] for file in item.files]
    assert names == [f"a{end}" for end in (".png", "_depth.png", "_mask.png")] + [
        "a_camera.json",
        "a_mesh.ply",
    ]
    assert ignored == {".txt": 1}


def test_folders_without_images(tmp_path):
    (tmp_path / "mug").mkdir()
    with pytest.raises(InputError, match="no images; expected <name>"):
        source.find_items(tmp_path, Options())
    with pytest.raises(InputError, match="no such folder"):
        source.find_items(tmp_path / "nowhere", Options())


def test_the_object_is_cut_out_and_moved_to_the_canonical_frame(tmp_path):
    """Depth, mask, camera and true points of a record tell the same story."""
    write_capture(tmp_path / "in", mesh=True)
    (item,), _ = source.find_items(tmp_path / "in", Options())
    (example,) = source.make_examples(item, Options(size=137))
    view, points = example.view, example.surface.points
    np.testing.assert_allclose(view.intrinsics, camera.r2n2_intrinsics(137), rtol=1e-3)
    mask = view.rgba[..., 3] > 127
    rows, columns = np.nonzero(mask)
    longest = max(np.ptp(rows), np.ptp(columns)) / 137
    assert longest == pytest.approx(object_crop.TARGET_FILL, abs=0.03)
    np.testing.assert_array_equal(
        view.rgba[60:70, 60:70, :3], [[(200, 30, 30)] * 10] * 10
    )
    median = np.median(view.depth[mask])
    assert median == pytest.approx(object_crop.CANONICAL_DEPTH, abs=0.01)
    u, v = np.round(camera.project(points, view.intrinsics)).astype(int).T
    assert mask[v, u].mean() > 0.97
    seen = seen_points(view._asdict())
    assert np.median(distances(seen, points)) < 0.005  # 10,000 points on 0.4 m²
    normals = example.surface.normals
    assert np.einsum("ni,ni->n", normals, points - points.mean(axis=0)).min() > 0


def test_captures_without_truth_can_be_streamed_but_not_trained_on(tmp_path):
    write_capture(tmp_path / "in" / "mug", "a", mesh=True)
    write_capture(tmp_path / "in" / "mug", "b")
    assert run(tmp_path / "in", tmp_path / "data") == 0
    info, (known, unknown) = records(tmp_path / "data")
    assert info.metadata["has_depth"]
    assert not info.metadata["has_points"]
    assert known["points"].shape == (10_000, 3)
    assert unknown["points"].shape == unknown["colors"].shape == (0, 3)
    np.testing.assert_array_equal(known["depth"], unknown["depth"])
    where = ("rgbd_folder", tmp_path / "data")
    assert not dataset_info(*where).has_points
    sizes = {"batch_size": 2, "image_size": 64}
    (batch,) = input_pipeline.eval_batches(*where, split="test", **sizes)
    assert batch.depth.any()
    assert batch.points.any(axis=(1, 2)).sum() == 1
    with pytest.raises(InputError, match="has no points"):
        input_pipeline.train_batches(
            *where, split="test", num_points=10, seed=0, **sizes
        )


def test_no_capture_with_truth(tmp_path):
    write_capture(tmp_path / "in")
    assert run(tmp_path / "in", tmp_path / "data", "--size", "224") == 0
    where = ("rgbd_folder", tmp_path / "data")
    sizes = {"batch_size": 1, "image_size": 64}
    (batch,) = input_pipeline.eval_batches(*where, split="test", **sizes)
    assert batch.points.shape == (1, 0, 3)
    assert batch.mask.max() == 1


def test_captures_that_cannot_be_used_are_named(tmp_path):
    folder = tmp_path / "in"
    for name in ("cut", "good", "no_camera", "no_sensor", "resized", "eight_bit"):
        write_capture(folder, name, own_camera=name != "no_camera")
    content = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(content[: len(content) // 2])
    (folder / "no_sensor_depth.png").unlink()
    with Image.open(folder / "resized_depth.png") as depth:
        depth.resize((80, 80)).save(folder / "resized_depth.png")
    Image.new("L", SHAPE[::-1], 7).save(folder / "eight_bit_depth.png")
    assert run(folder, tmp_path / "data") == 0
    report = read_report(tmp_path / "data")
    reasons = {row["object"]: row["reason"] for row in report["skipped"]}
    assert sorted(reasons) == [
        f"object/{name}" for name in ("cut", "eight_bit", "no_sensor", "resized")
    ]
    assert "no depth beside it; expected one of" in reasons["object/no_sensor"]
    assert "got 80x80" in reasons["object/resized"]
    assert report["warnings"] == [
        {
            "object": "object/no_camera",
            "warning": "no camera beside the image: that of 3D-R2N2 is assumed",
        }
    ]
    _, found = records(tmp_path / "data")
    names = [record["object_id"].decode() for record in found]
    assert names == ["object/good", "object/no_camera"]


def write_at_distance(folder, factor, unit=1e-3):
    """The box in the middle before an R2N2 lens, the whole scene scaled by a factor."""
    folder.mkdir(parents=True, exist_ok=True)
    lens = camera.r2n2_intrinsics(160)
    box = trimesh.creation.box((0.36, 0.3, 0.2))
    box.apply_transform(trimesh.transformations.rotation_matrix(0.6, (0.3, 1, 0.2)))
    box.apply_translation((0, 0, -0.9))
    box.apply_scale(factor)
    hits = raycast.cast(box.vertices, np.asarray(box.faces), lens, (160, 160))
    mask = hits.depth > 0
    rgba = np.where(mask[..., None], (200, 30, 30, 255), 0).astype(np.uint8)
    Image.fromarray(rgba).save(folder / "a.png")
    stored = np.round(hits.depth / unit).astype(np.uint16)
    Image.fromarray(stored).save(folder / "a_depth.png")
    text = json.dumps({"intrinsics": lens.tolist()})
    (folder / "a_camera.json").write_text(text)
    box.export(folder / "a_mesh.ply")
    return folder


def only_example(folder, **options):
    (item,), _ = source.find_items(folder, Options())
    (example,) = source.make_examples(item, Options(**options))
    return example


def assert_same_depth(depth, other, atol):
    """But for a few pixels beside steep edges, where rounding decides."""
    differs = np.abs(depth - other) > atol
    assert differs.mean() < 2e-4


def test_records_do_not_depend_on_the_distance(tmp_path):
    """One view at four distances: a data set has one unit, not two."""
    examples = []
    for factor in (0.45, 0.5, 1.25, 1.4):  # 0.39, 0.42, 1.08 and 1.2 m
        folder = write_at_distance(tmp_path / str(factor), factor, 1e-4)
        examples.append(only_example(folder, depth_unit="0.1mm"))
    for example in examples:
        assert_same_depth(example.view.depth, examples[0].view.depth, atol=2e-3)
        np.testing.assert_allclose(
            example.surface.points, examples[0].surface.points, atol=2e-3
        )
        seen = example.view.depth[example.view.rgba[..., 3] > 127]
        assert np.median(seen) == pytest.approx(object_crop.CANONICAL_DEPTH, abs=0.01)


def test_depth_in_another_unit(tmp_path, caplog):
    folder = write_at_distance(tmp_path / "tum", 1.0, 1 / 5000)
    usual = only_example(write_at_distance(tmp_path / "mm", 1.0))
    named = only_example(folder, depth_unit="tum")
    assert_same_depth(named.view.depth, usual.view.depth, atol=1e-3)
    assert caplog.text == ""
    far = write_at_distance(tmp_path / "far", 8.0)
    (far / "a_mesh.ply").unlink()
    only_example(far, depth_unit="kitti")
    assert "Likely: --depth_unit" in caplog.text
    with pytest.raises(SystemExit):
        run(folder, tmp_path / "data", "--depth_unit", "furlong")


@pytest.mark.parametrize("change", ["millimetres", "object frame", "another object"])
def test_a_true_mesh_that_does_not_fit_is_refused(tmp_path, change):
    folder = write_at_distance(tmp_path, 1.0)
    mesh = trimesh.load_mesh(folder / "a_mesh.ply")
    if change == "millimetres":
        mesh.apply_scale(1000)
    elif change == "object frame":
        mesh.apply_translation(-mesh.bounds.mean(axis=0))
    else:
        mesh.apply_translation((1.0, 0, 0))
    mesh.export(folder / "a_mesh.ply")
    with pytest.raises(InputError, match=r"a_mesh\.ply: does not fit its image"):
        only_example(folder)


def test_images_beside_the_categories_are_named_and_not_built(tmp_path):
    for name in ("mug", "box"):
        write_capture(tmp_path / name)
    write_capture(tmp_path, "overview")
    for folder in (tmp_path, tmp_path / "mug"):
        (folder / "._a.png").write_bytes(b"what macOS leaves")
    (tmp_path / "mug" / "b.HEIC").touch()
    items, ignored = source.find_items(tmp_path, Options())
    assert [item.object_id for item in items] == ["box/a", "mug/a"]
    assert ignored.pop(".heic") == 1
    assert sorted(ignored) == [
        f"overview{end} (beside the folders of categories)"
        for end in (".png", "_camera.json", "_depth.png", "_mask.png")
    ]


def test_a_image_that_its_tag_turns_agrees_with_its_true_mesh(tmp_path):
    folder = write_at_distance(tmp_path, 1.0)
    plain = only_example(folder)
    with Image.open(folder / "a.png") as image:
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(folder / "a.png", exif=exif)
    turned = only_example(folder)
    seen = seen_points(turned.view._asdict())
    assert np.median(distances(seen, turned.surface.points)) < 0.006
    np.testing.assert_array_equal(
        turned.view.depth > 0, np.rot90(plain.view.depth > 0, -1)
    )


@pytest.mark.data
def test_sensor_depth_lies_on_the_true_surface(tmp_path, data_dir):
    """Records of real captures, moved back into the room: median below 1.5 mm."""
    folder = data_dir / "rgbd_captures"
    assert run(folder, tmp_path, "--size", "224", "--num_points", "100000") == 0
    info, found = records(tmp_path)
    assert info.metadata["has_points"]
    assert len(found) == 3
    for record in found:
        stem = folder / record["object_id"].decode().removeprefix("object/")
        capture = captures.load_capture(
            f"{stem}.png",
            f"{stem}_depth.png",
            depth_maps.load_intrinsics(f"{stem}_camera.json"),
            f"{stem}_mask.png",
        ).view
        _, fitted = views.canonicalize(capture)
        seen, true = (
            object_crop.camera_from_canonical(points, fitted)
            for points in (seen_points(record), record["points"])
        )
        assert np.median(distances(seen, true)) < 0.0015
        as_stored = seen_points(capture._asdict())
        assert len(seen) > 0.5 * len(as_stored)
        assert np.median(distances(as_stored, true)) < 0.0015
