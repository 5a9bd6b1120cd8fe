"""Published splits of ShapeNet in the formats of their authors."""

import json

import numpy as np
import pytest
from PIL import Image

from data_pipelines.building.options import split_of
from data_pipelines.sources import shapenet
from pixel2mesh_jax.errors import InputError

CHAIR = "03001627"


def write_p2m(folder):
    line = f"Data/ShapeNetP2M/{CHAIR}/aa/rendering/"
    (folder / "train_list.txt").write_text(f"{line}00.dat\n{line}02.dat\n")
    (folder / "test_list.txt").write_text(f"{line}01.dat\n")


def write_mrcnn(folder):
    lists = {"train": {CHAIR: {"aa": [0, 1]}}, "val": {CHAIR: ["bb"]}, "test": {}}
    (folder / "pix2mesh_splits_val05.json").write_text(json.dumps(lists))


def write_shrec(folder):
    (folder / "all.csv").write_text(
        f"id,synsetId,subSynsetId,modelId,split\n1,{CHAIR},{CHAIR},aa,test\n"
    )


def splits_of_views(splits, model, views=(0, 1, 2)):
    return [shapenet.split_of_view(splits, CHAIR, model, view) for view in views]


def test_the_13_classes_of_the_papers_come_first():
    assert len(shapenet.PAPER_SYNSETS) == 13
    assert list(shapenet.SYNSETS)[:13] == list(shapenet.PAPER_SYNSETS)
    assert len(set(shapenet.SYNSETS.values())) == len(shapenet.SYNSETS) == 57


def test_without_lists_the_name_of_the_model_decides(tmp_path):
    assert shapenet.read_splits(tmp_path) == {}
    assert splits_of_views({}, "aa") == [split_of("aa")] * 3


def test_lists_of_pixel2mesh(tmp_path):
    write_p2m(tmp_path)
    splits = shapenet.read_splits(tmp_path)
    assert splits_of_views(splits, "aa") == ["train", "test", "train"]
    assert splits_of_views(splits, "bb") == [None] * 3


def test_lists_of_mesh_rcnn(tmp_path):
    write_mrcnn(tmp_path)
    splits = shapenet.read_splits(tmp_path)
    assert splits_of_views(splits, "aa") == ["train", "train", None]
    assert splits_of_views(splits, "bb") == ["val"] * 3


def test_list_of_the_retrieval_contest(tmp_path):
    write_shrec(tmp_path)
    splits = shapenet.read_splits(tmp_path)
    assert splits_of_views(splits, "aa") == ["test"] * 3


def test_lists_of_mesh_rcnn_go_before_others_wherever_they_lie(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    write_p2m(first)
    write_shrec(first)
    write_mrcnn(second)
    splits = shapenet.read_splits(first, second)
    assert splits_of_views(splits, "bb") == ["val"] * 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pix2mesh_splits_val05.json", "{"),
        ("pix2mesh_splits_val05.json", "[]"),
        ("train_list.txt", "03001627/aa.dat"),
        ("all.csv", "model,set\naa,train\n"),
    ],
)
def test_other_files_of_these_names_are_refused(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match="is not the published list"):
        shapenet.read_splits(tmp_path)


@pytest.mark.parametrize(
    ("size", "alpha", "message"),
    [(224, 255, "224x224 pixels, expected 137x137"), (137, 0, "fully transparent")],
)
def test_renderings_must_be_those_of_r2n2(tmp_path, size, alpha, message):
    Image.fromarray(np.full((size, size, 4), alpha, np.uint8)).save(tmp_path / "0.png")
    with pytest.raises(InputError, match=message):
        shapenet.load_rendering(tmp_path / "0.png")
