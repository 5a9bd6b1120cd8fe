"""From formulas to shards."""

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines import build
from data_pipelines.building.options import VERSION, Options
from data_pipelines.procedural_shapes import (
    families,
    procedural_shapes_dataset_builder,
    source,
)

FEW = Options(views=1, num_points=200, objects=(2, 1, 1))


def points(item, options=FEW):
    (example,) = source.make_examples(item, options)
    return example.surface.points


def test_name_is_the_folder():
    assert procedural_shapes_dataset_builder.Builder.name == "procedural_shapes"


def test_every_category_is_in_every_split():
    items = source.find_items(FEW)
    assert len(items) == 4 * len(families.CATEGORIES)
    assert len({item.object_id for item in items}) == len(items)
    for split, count in zip(("train", "val", "test"), FEW.objects, strict=True):
        categories = [item.category for item in items if item.split == split]
        assert sorted(categories) == sorted(families.CATEGORIES * count)


def test_more_shapes_do_not_change_the_others():
    few = source.find_items(FEW)
    many = source.find_items(FEW._replace(objects=(5, 3, 2)))
    assert set(few) < set(many)
    np.testing.assert_array_equal(points(few[0]), points(few[0]))


def test_seed_split_and_index_change_the_shape():
    items = source.find_items(FEW)
    chairs = [item for item in items if item.category == families.CATEGORIES[0]]
    shapes = [points(item) for item in chairs]
    shapes.append(points(chairs[0], FEW._replace(seed=1)))
    for i, first in enumerate(shapes):
        for second in shapes[:i]:
            assert np.abs(first - second).max() > 0.01


def test_shards(tmp_path):
    arguments = ["--train=0", "--val=0", "--test=1", "--views=1", "--num_points=300"]
    arguments += ["--workers=1", "--data_dir", str(tmp_path)]
    assert build.main(["procedural_shapes", *arguments]) == 0
    builder = tfds.builder_from_directory(tmp_path / "procedural_shapes" / VERSION)
    assert builder.info.features["category"].names == list(families.CATEGORIES)
    records = list(builder.as_data_source(split="test"))
    assert {int(record["category"]) for record in records} == set(range(10))
    for record in records:
        assert record["depth"].max() > 0
        assert len(np.unique(record["colors"], axis=0)) > 1
