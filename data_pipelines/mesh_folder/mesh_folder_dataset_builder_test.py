"""From a folder of mesh files to shards."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
import trimesh

from data_pipelines import build
from data_pipelines.building.options import SPLITS, VERSION, Options
from data_pipelines.mesh_folder import mesh_folder_dataset_builder, source
from pixel2mesh_jax.errors import InputError


def write_wedge(path):
    """A wedge of 3 x 1 x 2 whose sharp edge is at +x."""
    path.parent.mkdir(parents=True, exist_ok=True)
    corners = [(0, 0, 0), (3, 0, 0), (0, 1, 0), (0, 0, 2), (3, 0, 2), (0, 1, 2)]
    wedge = trimesh.Trimesh(corners).convex_hull
    wedge.visual.vertex_colors = (60, 90, 200, 255)
    wedge.export(path)


def test_name_is_the_folder():
    assert mesh_folder_dataset_builder.Builder.name == "mesh_folder"


def test_split_folders_are_obeyed(tmp_path):
    for split in SPLITS:
        write_wedge(tmp_path / split / "chair" / f"{split}.off")
    items, ignored = source.find_items(tmp_path, Options())
    assert [(item.split, item.object_id) for item in items] == [
        ("test", "chair/test.off"),
        ("train", "chair/train.off"),
        ("val", "chair/val.off"),
    ]
    assert ignored == {}


def test_without_split_folders_the_name_decides(tmp_path):
    for i in range(30):
        write_wedge(tmp_path / "chair" / f"{i}.off")
    splits = {
        item.object_id: item.split for item in source.find_items(tmp_path, Options())[0]
    }
    assert set(splits.values()) == set(SPLITS)
    write_wedge(tmp_path / "table" / "more.off")
    again = {
        item.object_id: item.split for item in source.find_items(tmp_path, Options())[0]
    }
    assert again.items() >= splits.items()


def test_files_of_other_kinds_are_counted(tmp_path):
    write_wedge(tmp_path / "chair" / "a.off")
    for name in ("b.fbx", "c.fbx", "readme"):
        (tmp_path / "chair" / name).write_text("")
    items, ignored = source.find_items(tmp_path, Options())
    assert len(items) == 1
    assert ignored == {".fbx": 2, "readme": 1}


def test_links_keep_their_own_names(tmp_path):
    """As in the caches of Hugging Face and DVC, whose files have no suffix."""
    write_wedge(tmp_path / "a.glb")
    (tmp_path / "a.glb").rename(tmp_path / "3f2a9c")
    (tmp_path / "source" / "chair").mkdir(parents=True)
    (tmp_path / "source" / "chair" / "a.glb").symlink_to(tmp_path / "3f2a9c")
    (item,), _ = source.find_items(tmp_path / "source", Options())
    (example,) = source.make_examples(item, Options(views=1, num_points=10))
    assert example.object_id == "chair/a.glb"


@pytest.mark.parametrize(("up", "axis"), [("y", 1), ("z", 2)])
def test_up_axis(tmp_path, up, axis):
    """The long side of the wedge, along x, stays horizontal; the height is `axis`."""
    write_wedge(tmp_path / "chair" / "a.off")
    (item,), _ = source.find_items(tmp_path, Options())
    (example,) = source.make_examples(item, Options(views=1, num_points=4000, up=up))
    # the cameras have no roll: their y and z span the vertical plane
    tilt = np.radians(27.5)  # elevation of the camera, within 2.5 degrees
    vertical = example.surface.points[:, 1:] @ (np.cos(tilt), np.sin(tilt))
    height = 0.57 * (3, 1, 2)[axis] / np.sqrt(14)
    assert np.ptp(vertical) == pytest.approx(height, rel=0.12)


def test_unreadable_file_raises_input_error(tmp_path):
    (tmp_path / "chair").mkdir()
    (tmp_path / "chair" / "a.stl").write_text("solid nothing")
    (item,), _ = source.find_items(tmp_path, Options())
    with pytest.raises(InputError, match=r"a\.stl"):
        source.make_examples(item, Options())


def test_shards(tmp_path):
    write_wedge(tmp_path / "source" / "test" / "chair" / "a.ply")
    arguments = ["mesh_folder", "--source", str(tmp_path / "source"), "--size", "224"]
    arguments += ["--data_dir", str(tmp_path), "--views", "1", "--num_points", "50"]
    assert build.main(arguments) == 0
    builder = tfds.builder_from_directory(tmp_path / "mesh_folder" / VERSION)
    assert "RGB-D views" in builder.info.description
    (record,) = builder.as_data_source(split="test")
    assert record["rgba"].shape == (224, 224, 4)
    assert (record["colors"] == (60, 90, 200)).all()
    normals = record["normals"].astype(float)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=2e-3)  # float16
