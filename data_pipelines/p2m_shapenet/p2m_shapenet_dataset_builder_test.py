"""From the layout of the released Pixel2Mesh data to shards."""

import json
import os
import pickle

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data_pipelines import build
from data_pipelines.building.options import REPORT_NAME, VERSION, Options
from data_pipelines.p2m_shapenet import p2m_shapenet_dataset_builder, source
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera

CHAIR, CAR = "03001627", "02958343"


def write_view(folder, synset, model, view, size=137):
    rendering = folder / synset / model / "rendering"
    rendering.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(view)
    points = rng.uniform((-0.1, -0.1, -0.9), (0.1, 0.1, -0.7), (20 + view, 3))
    normals = rng.normal(size=points.shape)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    samples = np.concatenate([points, normals], axis=1).astype(np.float32)
    content = pickle.dumps(samples, protocol=4)
    (rendering / f"{view:02d}.dat").write_bytes(content)
    rgba = np.zeros((size, size, 4), np.uint8)
    rgba[40:90, 50:80] = (10, 200, 30, 255)
    Image.fromarray(rgba).save(rendering / f"{view:02d}.png")
    return samples


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "release"
    for synset, model in ((CHAIR, "aa"), (CHAIR, "bb"), (CAR, "cc")):
        for view in (0, 1, 4):
            write_view(folder, synset, model, view)
    return folder


def run(release, tmp_path):
    arguments = ["--source", str(release), "--data_dir", str(tmp_path)]
    assert build.main(["p2m_shapenet", *arguments, "--workers", "1"]) == 0
    return tmp_path / "p2m_shapenet" / VERSION


def test_name_is_the_folder():
    assert p2m_shapenet_dataset_builder.Builder.name == "p2m_shapenet"


def test_official_lists_decide_on_the_split_of_a_view(release):
    root = "Data/ShapeNetP2M"
    (release / "train_list.txt").write_text(
        f"{root}/{CHAIR}/aa/rendering/00.dat\n{root}/{CHAIR}/aa/rendering/04.dat\n"
    )
    (release / "test_list.txt").write_text(f"{root}/{CHAIR}/aa/rendering/01.dat\n")
    items, ignored = source.find_items(release, Options())
    views = {
        (item.split, item.object_id): [os.path.basename(file) for file in item.files]
        for item in items
    }
    assert views == {
        ("train", f"{CHAIR}/aa"): ["00.dat", "04.dat"],
        ("test", f"{CHAIR}/aa"): ["01.dat"],
    }
    assert ignored == {"samples that are in no split list": 6}


def test_without_lists_all_views_of_a_model_stay_together(release):
    items, ignored = source.find_items(release, Options())
    assert [len(item.files) for item in items] == [3, 3, 3]
    assert [item.category for item in items] == ["car", "chair", "chair"]
    assert ignored == {}


def test_records_hold_what_the_files_hold(release, tmp_path):
    folder = run(release, tmp_path)
    builder = tfds.builder_from_directory(folder)
    offers = {"has_depth": False, "has_points": True, "has_colors": False}
    assert builder.info.metadata == {**offers, "image_size": 137, "max_points": 24}
    assert len(builder.info.features["category"].names) == 13
    assert len(builder.info.citation) > 100
    records = [
        record
        for split in builder.info.splits
        for record in builder.as_data_source(split=split)
    ]
    assert len(records) == 9
    for record in records:
        view = int(record["view"])
        samples = write_view(tmp_path / "again", CHAIR, "xx", view)
        np.testing.assert_array_equal(record["points"], samples[:, :3])
        np.testing.assert_allclose(record["normals"], samples[:, 3:], atol=1e-3)
        assert record["colors"].shape == (0, 3)
        assert not record["depth"].any()
        assert (record["rgba"][60, 60] == (10, 200, 30, 255)).all()
        np.testing.assert_array_equal(record["intrinsics"], camera.r2n2_intrinsics(137))


class Evil:
    def __reduce__(self):
        return os.mkdir, ("was_run",)


def test_malicious_and_broken_samples_are_skipped(release, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (release / CHAIR / "aa" / "rendering" / "04.dat").write_bytes(pickle.dumps(Evil()))
    (release / CHAIR / "bb" / "rendering" / "01.png").unlink()
    folder = run(release, tmp_path)
    report = json.loads((folder / REPORT_NAME).read_text())
    reasons = {skipped["object"]: skipped["reason"] for skipped in report["skipped"]}
    assert "forbidden name posix.mkdir" in reasons[f"{CHAIR}/aa"]
    assert "01.png: no such file" in reasons[f"{CHAIR}/bb"]
    assert sum(report["objects"].values()) == 1
    assert not (tmp_path / "was_run").exists()


def test_images_must_be_those_of_the_release(tmp_path):
    write_view(tmp_path, CHAIR, "aa", 0, size=224)
    (item,), _ = source.find_items(tmp_path, Options())
    with pytest.raises(InputError, match=r"224x224 pixels, expected 137x137"):
        source.make_examples(item, Options())


def test_unknown_synsets_are_counted(release):
    write_view(release, "00000001", "dd", 0)
    _, ignored = source.find_items(release, Options())
    assert ignored == {"samples of the unknown synset 00000001": 1}


@pytest.mark.data
def test_development_samples_build(data_dir, tmp_path):
    folder = run(data_dir / "shapenet_sample" / "p2m", tmp_path)
    report = json.loads((folder / REPORT_NAME).read_text())
    assert sum(report["views"].values()) == 15
    assert report["skipped"] == []
