"""The input pipeline on a tiny dataset that is written here, in the schema of views."""

import itertools
import json
import re
import shlex

import jax
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines import input_pipeline
from data_pipelines.building import job, shards
from data_pipelines.building.file_format import FILE_FORMAT
from data_pipelines.building.options import REPORT_NAME, VERSION, Options
from data_pipelines.streaming import augment, fields, order, record_files
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera

SIZE = 41  # pixels of the stored views
NUM_POINTS = 200  # stored surface points, except where a test counts otherwise
COUNTS = {"train": 7, "val": 5}


def write_dataset(folder, name, point_counts, num_voxels=0, num_queries=0, num_rays=0):
    """Balls beside the optical axis; with depth, without colours."""
    options = Options(
        size=SIZE, voxels=num_voxels, num_queries=num_queries, volume=num_rays
    )
    path = folder / name / VERSION
    info = tfds.core.DatasetInfo(
        builder=tfds.core.DatasetIdentity(
            name=name,
            version=tfds.core.Version(VERSION),
            data_dir=str(path),
            module_name=__name__,
        ),
        features=shards.features(("ball", "egg"), options),
        metadata=tfds.core.MetadataDict(
            has_depth=True,
            has_points=True,
            has_colors=False,
            image_size=SIZE,
            max_points=max(point_counts),
        ),
    )
    path.mkdir(parents=True)
    writer = tfds.core.SequentialWriter(
        info, max_examples_per_shard=4, file_format=FILE_FORMAT
    )
    writer.initialize_splits(list(COUNTS))
    for split, count in COUNTS.items():
        records = [make_record(split, index, point_counts) for index in range(count)]
        for record in records:
            record |= solid_features(num_voxels, num_queries)
            record |= volume_features(num_rays) if num_rays else {}
        writer.add_examples({split: records})
    writer.close_all()


def volume_features(count):
    """A volume beside the axis; distances grow with the column."""
    columns = np.arange(count, dtype=np.int8)[None, :, None]
    return {
        "placement": np.array([0.1, 0.2, 0.5, 0.6, 0.7], np.float32),
        "distances": np.broadcast_to(columns, (count,) * 3).copy(),
        "far_colors": np.full((count, count, 3), 7, np.uint8),
    }


def solid_features(num_voxels, num_queries):
    """Voxels of the diagonal plane, and queries whose distance is their number."""
    found = {}
    if num_voxels:
        layer = np.eye(num_voxels, dtype=np.uint8)
        found["voxels"] = np.stack([layer] * num_voxels)
    if num_queries:
        distances = np.arange(num_queries, dtype=np.float32)
        found["query_distances"] = distances
        found["query_points"] = np.outer(distances, [1, 2, 3]).astype(np.float32)
        found["query_colors"] = np.full((num_queries, 3), 51, np.uint8)
    return found


def make_record(split, index, point_counts):
    """A ball of 0.1 m at 0.8 m, off the axis, and a silhouette that covers it."""
    rng = np.random.default_rng([len(split), index])
    count = point_counts[index % len(point_counts)]
    normals = rng.normal(size=(count, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = 0.1 * normals + np.array([0.12, 0.05, -0.8], np.float32)
    intrinsics = camera.r2n2_intrinsics(SIZE)
    pixels = np.rint(camera.project(points, intrinsics)).astype(int)
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1)
    distance = np.abs(grid[:, :, None] - pixels).max(axis=-1).min(axis=-1)
    mask = distance <= 1
    rgb = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    return {
        "rgba": np.concatenate([rgb, 255 * mask[..., None].astype(np.uint8)], axis=-1),
        "depth": (0.8 * mask).astype(np.float32),
        "intrinsics": intrinsics,
        "points": points.astype(np.float32),
        "normals": normals.astype(np.float16),
        "colors": np.zeros((0, 3), np.uint8),
        "category": index % 2,
        "object_id": f"{split}-{index}",
        "view": index,
    }


@pytest.fixture(scope="module")
def tiny_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_dataset(folder, "tiny_shapes", point_counts=(NUM_POINTS,))
    write_dataset(folder, "uneven_shapes", point_counts=(50, 80, 65))
    return folder


def train(folder, count, **options):
    options = {
        "batch_size": 4,
        "image_size": SIZE,
        "num_points": 30,
        "seed": 0,
        **options,
    }
    batches = input_pipeline.train_batches("tiny_shapes", folder, **options)
    return list(itertools.islice(batches, count))


def evaluate(folder, name="tiny_shapes", **options):
    options = {"split": "val", "batch_size": 2, "image_size": SIZE, **options}
    return list(input_pipeline.eval_batches(name, folder, **options))


def assert_equal(batch, other):
    for name, a, b in zip(batch._fields, batch, other, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_shapes_types_and_ranges(tiny_dir):
    (batch,) = train(tiny_dir, 1, image_size=24, color_jitter=0.3, flip=True)
    assert batch.rgb.shape == (4, 24, 24, 3)
    assert batch.depth.shape == batch.mask.shape == (4, 24, 24)
    assert batch.intrinsics.shape == (4, 3, 3)
    assert batch.points.shape == batch.normals.shape == batch.colors.shape == (4, 30, 3)
    assert batch.category.dtype == np.int32
    numbers = [x for x in batch if x is not None and x is not batch.category]
    assert all(x.dtype == np.float32 for x in numbers)
    assert batch.rgb.min() >= 0
    assert batch.rgb.max() <= 1
    np.testing.assert_array_equal(batch.rgb[batch.mask == 0], 1)  # white
    np.testing.assert_array_equal(batch.colors, 0.5)  # none recorded: grey
    np.testing.assert_array_equal(batch.weight, 1)


def test_voxels_are_there_for_evaluation_where_the_data_have_them(tiny_dir, tmp_path):
    write_dataset(tmp_path, "solid_shapes", point_counts=(50,), num_voxels=6)
    solid = evaluate(tmp_path, "solid_shapes")[0]
    assert solid.voxels.shape == (2, 6, 6, 6)
    np.testing.assert_array_equal(solid.voxels[0, 0], np.eye(6, dtype=bool))
    assert evaluate(tiny_dir)[0].voxels is None
    assert train(tiny_dir, 1)[0].voxels is None


SIZES = {"S": 24, "P": 30, "Q": 20, "R": 6, "L": 6, "3": 3, "5": 5}


@pytest.fixture(scope="module")
def solid_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("solids")
    write_dataset(folder, "tiny_shapes", (NUM_POINTS,), 6, 50, num_rays=6)
    return folder


def with_fields(folder, names):
    options = {"image_size": 24, "num_queries": 20, "color_jitter": 0.3, "flip": True}
    return train(folder, 1, fields=names, **options)[0]


@pytest.fixture(scope="module")
def all_fields(solid_dir):
    return with_fields(solid_dir, tuple(fields.FIELDS))


@pytest.mark.parametrize("name", fields.FIELDS)
def test_a_field_alone_is_as_in_company(solid_dir, all_fields, name):
    """Shape and type as the table says; the others are None; equal values."""
    alone = with_fields(solid_dir, (name,))
    assert {key for key in alone._fields if getattr(alone, key) is not None} == {
        name,
        "category",
        "weight",
    }
    found, field = getattr(alone, name), fields.FIELDS[name]
    assert found.shape == (4, *(SIZES[size] for size in field.shape.split()))
    assert found.dtype == field.dtype.as_numpy_dtype
    np.testing.assert_array_equal(found, getattr(all_fields, name))


def test_features_that_nobody_asked_for_are_not_decoded(solid_dir, monkeypatch):
    asked = []

    class Features(tfds.features.FeaturesDict):
        def __init__(self, features):
            asked.extend(features)
            super().__init__(features)

    monkeypatch.setattr(tfds.features, "FeaturesDict", Features)
    train(solid_dir, 1, fields=("mask", "points"))
    assert sorted(asked) == ["category", "points", "rgba"]


def test_the_view_volume_is_mirrored_with_the_view(solid_dir):
    names = ("placement", "distances", "far_colors")
    (batch,) = train(solid_dir, 1, fields=names, batch_size=7, flip=True)
    mirrored = batch.placement[:, 0] < 0
    assert 0 < mirrored.sum() < 7
    first = np.where(mirrored, 5, 0)
    np.testing.assert_array_equal(batch.distances[:, 3, 0, 2], first)
    np.testing.assert_allclose(np.abs(batch.placement[0]), [0.1, 0.2, 0.5, 0.6, 0.7])


def test_voxels_and_queries_are_mirrored_with_the_view(solid_dir):
    names = ("voxels", "query_points", "query_distances", "query_colors")
    (batch,) = train(solid_dir, 1, fields=names, batch_size=7, flip=True)
    mirrored = ~batch.voxels[:, 0, 0, 0]
    assert mirrored.any()
    assert not mirrored.all()
    layer = np.eye(6, dtype=bool)
    for grid, turned in zip(batch.voxels, mirrored, strict=True):
        assert (grid == (layer[:, ::-1] if turned else layer)).all()
    x = batch.query_distances * np.where(mirrored, -1, 1)[:, None]
    np.testing.assert_array_equal(batch.query_points[..., 0], x)
    np.testing.assert_array_equal(batch.query_points[..., 1], 2 * batch.query_distances)
    np.testing.assert_allclose(batch.query_colors, 0.2)
    assert batch.query_distances.shape == (7, 50)


def test_queries_are_drawn_anew_in_every_epoch(solid_dir):
    options = {"fields": ("query_distances",), "num_queries": 10, "batch_size": 7}
    first, second = train(solid_dir, 2, **options)
    rows = [set(row) for batch in (first, second) for row in batch.query_distances]
    assert all(len(row) == 10 for row in rows)
    assert len({frozenset(row) for row in rows}) == 14


def test_fields_that_are_unknown_or_missing_are_named(tiny_dir):
    with pytest.raises(InputError, match=r"'rgbd' of a batch; valid: rgb, depth"):
        train(tiny_dir, 0, fields=("rgbd",))
    with pytest.raises(InputError, match=r"no voxels.*build.*with --voxels N"):
        evaluate(tiny_dir, fields=("voxels",))


@pytest.mark.parametrize("start", [1, 2, 5])
def test_a_batch_depends_on_seed_and_step_alone(tiny_dir, start):
    """Seven examples, batches of four: batch 1 crosses into the second epoch."""
    options = {"color_jitter": 0.3, "flip": True}
    whole = train(tiny_dir, start + 2, **options)
    resumed = train(tiny_dir, 2, start_step=start, **options)
    for batch, other in zip(whole[start:], resumed, strict=True):
        assert_equal(batch, other)


def test_seeds_and_steps_differ(tiny_dir):
    first, second = train(tiny_dir, 2)
    assert not np.array_equal(first.points, second.points)
    assert not np.array_equal(first.points, train(tiny_dir, 1, seed=1)[0].points)


def test_every_epoch_is_a_permutation(tiny_dir):
    batches = train(tiny_dir, 3, batch_size=7, num_points=NUM_POINTS)
    epochs = [batch.rgb.sum(axis=(1, 2, 3)) for batch in batches]
    assert len(np.unique(epochs[0])) == 7
    np.testing.assert_array_equal(np.sort(epochs[0]), np.sort(epochs[1]))
    assert not all(np.array_equal(epochs[0], epoch) for epoch in epochs[1:])


def test_dataset_smaller_than_a_batch(tiny_dir):
    (batch,) = train(tiny_dir, 1, batch_size=16)
    assert len(np.unique(batch.rgb.sum(axis=(1, 2, 3)))) == 7
    assert batch.weight.sum() == 16


def test_two_processes_together_equal_one(tiny_dir):
    options = {"color_jitter": 0.3, "flip": True}
    parts = [
        train(tiny_dir, 4, process_index=i, process_count=2, **options)
        for i in range(2)
    ]
    for whole, first, second in zip(train(tiny_dir, 4, **options), *parts, strict=True):
        joined = jax.tree.map(lambda *pair: np.concatenate(pair), first, second)
        assert_equal(whole, joined)


def test_only_records_that_end_in_a_batch_are_read(tiny_dir, monkeypatch):
    """Limits, resuming and other processes cost no reading."""
    read, get = [], record_files.Records.__getitem__
    monkeypatch.setattr(
        record_files.Records,
        "__getitem__",
        lambda records, index: read.append(index) or get(records, index),
    )
    monkeypatch.setattr(tf.data, "AUTOTUNE", 1)  # reads no more than it has to
    evaluate(tiny_dir, split="train", limit=2)
    assert sorted(read) == [0, 4]
    read.clear()
    train(tiny_dir, 1, start_step=10**9, process_index=1, process_count=4)
    assert len(read) <= 4  # one example of this batch, and of those fetched ahead


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_the_order_is_a_permutation_for_every_seed_and_epoch(count):
    orders = [
        [order.record_of(epoch * count + place, count, seed) for place in range(count)]
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (-1, 5))
    ]
    for found in orders:
        assert sorted(found) == list(range(count))
    if count == 1000:
        assert len({tuple(found) for found in orders}) == 4
        for found in orders:  # not local: records come from everywhere
            assert np.corrcoef(np.arange(count), found)[0, 1] < 0.1


@pytest.mark.parametrize(("total", "limit"), [(7, 2), (7, 7), (7, 9), (5, None)])
def test_limits_take_evenly_spread_records(total, limit):
    found = order.spread(total, limit)
    assert len(found) == min(limit or total, total)
    steps = np.diff([*found, total])
    assert found[0] == 0
    assert steps.max() - steps.min() <= 1


def test_shares_of_an_evaluation_are_the_whole(tiny_dir):
    whole = [row for batch in evaluate(tiny_dir) for row in real(batch)]
    parts = [
        row
        for i in range(3)
        for batch in evaluate(tiny_dir, process_index=i, process_count=3)
        for row in real(batch)
    ]
    np.testing.assert_array_equal(whole, parts)
    assert evaluate(tiny_dir, limit=2, process_index=2, process_count=3) == []


def real(batch):
    """Images of the examples that are not there to fill up the batch."""
    return batch.rgb[batch.weight > 0]


def test_batch_size_must_be_divisible(tiny_dir):
    with pytest.raises(InputError, match="multiple of 3"):
        train(tiny_dir, 1, process_count=3)


@pytest.mark.parametrize("image_size", [24, SIZE, 64])
@pytest.mark.parametrize("flip", [False, True])
def test_points_stay_inside_the_silhouette(tiny_dir, image_size, flip):
    """Through resizing and mirroring: the silhouette ends a pixel from the points."""
    (batch,) = train(tiny_dir, 1, batch_size=7, image_size=image_size, flip=flip)
    pixels = np.rint(camera.project(batch.points, batch.intrinsics)).astype(int)
    rows = np.arange(7)[:, None]
    assert batch.mask[rows, pixels[..., 1], pixels[..., 0]].min() >= 0.5
    np.testing.assert_allclose(
        batch.depth[rows, pixels[..., 1], pixels[..., 0]], 0.8, rtol=1e-6
    )
    mirrored = batch.points[..., 0].mean(axis=1) < 0
    assert mirrored.any() == flip
    assert not mirrored.all()


def test_normals_are_mirrored_with_the_points(tiny_dir):
    """On a ball, normal = (point - center) / radius, whichever side it is on."""
    (batch,) = train(tiny_dir, 1, batch_size=7, flip=True)
    center = np.array([0.12, 0.05, -0.8]) * np.ones((7, 1))
    center[:, 0] *= np.sign(batch.points[..., 0].mean(axis=1))
    expected = (batch.points - center[:, None]) / 0.1
    np.testing.assert_allclose(batch.normals, expected, atol=2e-3)  # stored as float16


@pytest.mark.parametrize("name", fields.FIELDS)
def test_mirroring_twice_is_the_identity(name):
    field = fields.FIELDS[name]
    shape = [3 if size == "3" else 5 for size in field.shape.split()]
    numbers = np.random.default_rng(0).random(shape) - 0.5
    value = tf.cast(
        tf.constant(numbers > 0 if "R" in field.shape else numbers), field.dtype
    )
    np.testing.assert_array_equal(field.mirrored(field.mirrored(value)), value)


def test_jitter_leaves_mask_depth_and_background(tiny_dir):
    (plain,) = train(tiny_dir, 1)
    (jittered,) = train(tiny_dir, 1, color_jitter=0.4)
    assert not np.array_equal(plain.rgb, jittered.rgb)
    np.testing.assert_array_equal(jittered.rgb[plain.mask == 0], 1)
    assert_equal(plain._replace(rgb=jittered.rgb), jittered)


def test_resized_image_agrees_with_pillow(tiny_dir):
    """Reconstruction reads photographs with Pillow: both must see the same image."""
    for image_size in (24, 64):
        (batch, *_) = evaluate(tiny_dir, image_size=image_size)
        (_, view), *_ = input_pipeline.example_ids("tiny_shapes", tiny_dir, split="val")
        rgba = make_record("val", view, (NUM_POINTS,))["rgba"]
        on_white = np.where(rgba[..., 3:] > 0, rgba[..., :3], 255).astype(np.uint8)
        image = PIL.Image.fromarray(on_white).resize(
            (image_size, image_size), PIL.Image.Resampling.BILINEAR
        )
        np.testing.assert_allclose(batch.rgb[0], np.asarray(image) / 255, atol=2 / 255)


def test_depth_is_not_mixed_with_the_background():
    """A step from 1 m to nothing: the border pixels keep 1 m or are missing."""
    depth = np.zeros((16, 16, 1), np.float32)
    depth[:, :7] = 1
    alpha, rgb = np.sign(depth), np.zeros((16, 16, 3), np.float32)
    _, mask, resized = augment.resize_view(rgb, alpha, depth, 8)
    assert set(np.unique(np.round(resized, 5))) == {0.0, 1.0}
    np.testing.assert_array_equal(resized > 0, mask >= 0.5)


@pytest.mark.parametrize(("count", "wanted"), [(10, 4), (10, 10), (4, 10)])
def test_resampling_takes_every_point_equally_often(count, wanted):
    rows = augment.resample_indices(tf.constant(count), wanted, tf.constant([0, 1]))
    taken = np.bincount(rows, minlength=count)
    assert taken.sum() == wanted
    assert taken.max() - taken.min() <= 1


def test_evaluation_covers_every_example_once(tiny_dir):
    batches = evaluate(tiny_dir)
    weight = np.concatenate([batch.weight for batch in batches])
    np.testing.assert_array_equal(weight, [1, 1, 1, 1, 1, 0])
    ids = input_pipeline.example_ids("tiny_shapes", tiny_dir, split="val")
    assert {object_id for object_id, _ in ids} == {f"val-{i}" for i in range(5)}
    points = np.concatenate([batch.points for batch in batches])
    for (object_id, view), found in zip(ids, points, strict=False):
        assert object_id == f"val-{view}"
        expected = make_record("val", view, (NUM_POINTS,))["points"]
        np.testing.assert_array_equal(
            found[np.lexsort(found.T)], expected[np.lexsort(expected.T)]
        )


def test_evaluation_is_repeatable(tiny_dir):
    for batch, other in zip(evaluate(tiny_dir), evaluate(tiny_dir), strict=True):
        assert_equal(batch, other)


def test_limit_spreads_over_the_split(tiny_dir):
    ids = input_pipeline.example_ids("tiny_shapes", tiny_dir, split="val")
    some = input_pipeline.example_ids("tiny_shapes", tiny_dir, split="val", limit=2)
    assert some == [ids[0], ids[3]]
    assert sum(batch.weight.sum() for batch in evaluate(tiny_dir, limit=2)) == 2
    assert sum(batch.weight.sum() for batch in evaluate(tiny_dir, limit=99)) == 5


def test_uneven_point_counts_are_filled_to_the_largest(tiny_dir):
    batches = evaluate(tiny_dir, "uneven_shapes")
    assert {batch.points.shape[1] for batch in batches} == {80}
    batches = evaluate(tiny_dir, "uneven_shapes", num_points=10)
    assert {batch.points.shape[1] for batch in batches} == {10}


def test_dataset_info(tiny_dir):
    info = input_pipeline.dataset_info("tiny_shapes", tiny_dir)
    assert info.categories == ("ball", "egg")
    assert (info.has_depth, info.has_colors) == (True, False)
    assert info.num_examples == COUNTS


def test_missing_dataset_says_how_to_build_it(tiny_dir):
    with pytest.raises(InputError) as error:
        input_pipeline.dataset_info("procedural_shapes", tiny_dir)
    assert str(error.value) == (
        f"Dataset 'procedural_shapes' was not found in '{tiny_dir}'. Build it with: "
        "python -m data_pipelines.build procedural_shapes --data_dir "
        f"{tiny_dir} (datasets there: tiny_shapes, uneven_shapes)"
    )


@pytest.mark.parametrize("name", sorted(job.DATA_SETS))
def test_command_for_a_missing_dataset_is_one_that_works(name, tmp_path):
    with pytest.raises(InputError) as error:
        input_pipeline.dataset_info(name, tmp_path)
    command = re.search(r"data_pipelines\.build (.*) \(datasets", str(error.value))
    assert job.parse(command.group(1).split()).data_dir == tmp_path


def test_dataset_that_nobody_builds_is_not_given_a_command(tmp_path):
    with pytest.raises(
        InputError, match="that can be built: procedural_shapes"
    ) as error:
        input_pipeline.dataset_info("imagenet", tmp_path)
    assert "python -m" not in str(error.value)


def test_missing_split_and_fields_are_named_before_the_first_batch(tiny_dir):
    with pytest.raises(InputError, match=r"no split 'test'; valid: train, val"):
        train(tiny_dir, 0, split="test")
    with pytest.raises(InputError, match=r"no colors.*it has: depth"):
        train(tiny_dir, 0, require=("depth", "colors"))


def test_shards_of_another_version_say_how_to_build_them_again(tmp_path):
    old = tmp_path / "mesh_folder" / "1.0.0"
    old.mkdir(parents=True)
    (old / "dataset_info.json").write_text("{}")
    options = Options(views=3, voxels=48)._asdict()
    report = {"source": "/my models", "options": options}
    (old / REPORT_NAME).write_text(json.dumps(report))
    with pytest.raises(InputError, match=r"version 1\.0\.0; this") as error:
        input_pipeline.dataset_info("mesh_folder", tmp_path)
    line = str(error.value).split("data_pipelines.build ")[1]
    asked = job.parse(shlex.split(line))
    assert asked.data_dir == tmp_path
    assert str(asked.source) == "/my models"
    assert asked.options == Options(views=3, voxels=48)
    (old / REPORT_NAME).unlink()
    with pytest.raises(InputError, match="build mesh_folder --source DIR"):
        input_pipeline.dataset_info("mesh_folder", tmp_path)


def test_a_missing_shard_is_named(tmp_path):
    write_dataset(tmp_path, "tiny_shapes", (NUM_POINTS,))
    first, *_ = sorted(tmp_path.rglob("*train.array_record*"))
    first.unlink()
    with pytest.raises(InputError, match=re.escape(str(first))):
        train(tmp_path, 0)


def test_platforms_without_array_record_are_told_what_works(tiny_dir, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"macOS \(arm64\).*reconstructs"):
        train(tiny_dir, 0)


def test_tfds_reads_the_records_too(tiny_dir):
    source = tfds.data_source("tiny_shapes", data_dir=tiny_dir, split="val")
    assert len(source) == COUNTS["val"]
    ids = input_pipeline.example_ids("tiny_shapes", tiny_dir, split="val")
    assert [row["object_id"].decode() for row in source] == [name for name, _ in ids]
