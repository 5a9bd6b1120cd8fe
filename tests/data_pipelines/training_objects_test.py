"""Which objects the released weights may be trained on."""

import csv

import numpy as np
import pytest
import trimesh

from data_pipelines import training_objects
from data_pipelines.stretched_copies import MOST
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import meshes

COLUMNS = training_objects.ATTRIBUTION


@pytest.fixture(autouse=True)
def few_shapes(monkeypatch):
    for amount, counts in {"few": {"boat": 2}, "many": {"storage": 3}}.items():
        monkeypatch.setitem(training_objects.PROCEDURAL, amount, counts)


def write_objects(folder, rows):
    """A table, and a cube for every row."""
    for name, _ in rows:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        trimesh.creation.box().export(folder / name)
    with (folder / "OBJECTS.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="x")
        writer.writeheader()
        writer.writerows({"file": name, "licence": licence} for name, licence in rows)
    return folder


def make(objects, out, *more):
    return training_objects.main(
        ["--objects", str(objects), "--out", str(out), *map(str, more)]
    )


def test_permitted_objects_and_shapes_with_their_attribution(tmp_path):
    objects = write_objects(
        tmp_path / "objects",
        [
            ("train/car/a.ply", "CC-BY-4.0"),
            ("train/car/b.ply", "GPL-2.0"),
            ("val/lamp/c.ply", "CC0-1.0"),
            ("test/lamp/d.ply", "CC0-1.0"),
        ],
    )
    out = tmp_path / "out"
    assert make(objects, out) == 0
    files = {str(path.relative_to(out)) for path in out.rglob("*.ply")}
    assert files == {
        "train/car/a.ply",
        "val/lamp/c.ply",
        "train/watercraft/procedural_boat_000.ply",
        "train/watercraft/procedural_boat_001.ply",
    }
    with (out / "ATTRIBUTION.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["train/car/a.ply", "val/lamp/c.ply"]


def test_shapes_are_a_function_of_the_seed(tmp_path):
    shapes = []
    for name in ("a", "b"):
        training_objects.write_shapes(tmp_path / name, 3, "few")
        folder = tmp_path / name / "train" / "watercraft"
        shapes.append(
            [trimesh.load(path).vertices for path in sorted(folder.iterdir())]
        )
    for first, second in zip(*shapes, strict=True):
        np.testing.assert_array_equal(first, second)


def test_many_shapes_are_others(tmp_path):
    objects = write_objects(tmp_path / "objects", [("train/car/a.ply", "CC0-1.0")])
    out = tmp_path / "out"
    assert make(objects, out, "--shapes", "many") == 0
    assert len(list(out.glob("train/cabinet/procedural_storage_*.ply"))) == 3
    assert not (out / "train/watercraft").exists()


def test_no_shapes(tmp_path):
    objects = write_objects(tmp_path / "objects", [("train/car/a.ply", "CC0-1.0")])
    assert make(objects, tmp_path / "out", "--shapes", "none") == 0
    assert not list(tmp_path.rglob("procedural_*"))


def test_stretched_copies_of_the_training_objects_alone(tmp_path):
    names = [("train/car/a.glb", "CC0-1.0"), ("val/car/b.glb", "CC0-1.0")]
    objects, out = write_objects(tmp_path / "objects", names), tmp_path / "out"
    assert make(objects, out, "--stretched", 2) == 0
    copies = sorted(out.rglob("*stretched*"))
    assert [str(path.relative_to(out)) for path in copies] == [
        "train/car/a_stretched_0.glb",
        "train/car/a_stretched_1.glb",
    ]
    sizes = [np.ptp(meshes.load_surface(path).vertices, axis=0) for path in copies]
    for size in sizes:
        assert np.abs(np.log(size)).max() <= np.log(MOST)
    assert np.abs(sizes[0] - sizes[1]).min() > 0


def test_only_glb_can_be_stretched(tmp_path, capsys):
    objects = write_objects(tmp_path / "objects", [("train/car/a.ply", "CC0-1.0")])
    assert make(objects, tmp_path / "out", "--stretched", 1) == 2
    assert "only .glb" in capsys.readouterr().err


def test_without_a_table_nothing_is_made(tmp_path, capsys):
    assert make(tmp_path, tmp_path / "out") == 2
    assert "No table of objects" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_missing_columns_are_named(tmp_path):
    (tmp_path / "OBJECTS.csv").write_text("file,licence\ntrain/a.ply,CC0\n")
    with pytest.raises(InputError, match="no column author, repository"):
        training_objects.permitted(tmp_path)


def test_a_table_reaches_nothing_outside_of_its_folder(tmp_path):
    write_objects(tmp_path, [("train/../../secret.ply", "CC0-1.0")])
    with pytest.raises(InputError, match=r"outside of its folder: train/\.\./"):
        training_objects.permitted(tmp_path)
