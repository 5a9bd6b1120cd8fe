"""The input pipeline on a tiny dataset that is written here, in the schema of views."""

import itertools
import re

import jax
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines import augment, input_pipeline, job, shards, views
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera

SIZE = 41  # pixels of the stored views
NUM_POINTS = 200  # stored surface points, except where a test counts otherwise
COUNTS = {"train": 7, "val": 5}


def write_dataset(folder, name, point_counts, num_voxels=0):
    """Balls beside the optical axis; with depth, without colours."""
    options = views.Options(size=SIZE, voxels=num_voxels)
    info = tfds.core.DatasetInfo(
        builder=tfds.core.DatasetIdentity(
            name=name,
            version=tfds.core.Version("1.0.0"),
            data_dir=str(folder / name / "1.0.0"),
            module_name=__name__,
        ),
        features=shards.features(("ball", "egg"), options),
        metadata=tfds.core.MetadataDict(
            has_depth=True, has_colors=False, image_size=SIZE
        ),
    )
    (folder / name / "1.0.0").mkdir(parents=True)
    writer = tfds.core.SequentialWriter(info, max_examples_per_shard=4)
    writer.initialize_splits(list(COUNTS))
    for split, count in COUNTS.items():
        records = [make_record(split, index, point_counts) for index in range(count)]
        if num_voxels:
            layer = np.eye(num_voxels, dtype=np.uint8)
            records = [
                {**row, "voxels": np.stack([layer] * num_voxels)} for row in records
            ]
        writer.add_examples({split: records})
    writer.close_all()


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


def test_flipping_twice_is_the_identity():
    rng = np.random.default_rng(0)
    shapes = {
        "rgb": (5, 5, 3),
        "depth": (5, 5),
        "mask": (5, 5),
        "points": (9, 3),
        "normals": (9, 3),
    }
    example = {
        key: tf.constant(rng.random(shape), tf.float32) for key, shape in shapes.items()
    }
    once = augment.flip_example(example, tf.constant(True))
    twice = augment.flip_example(once, tf.constant(True))
    for key, value in example.items():
        assert not np.array_equal(once[key], value)
        np.testing.assert_array_equal(twice[key], value)


def test_jitter_leaves_mask_depth_and_background(tiny_dir):
    (plain,) = train(tiny_dir, 1)
    (jittered,) = train(tiny_dir, 1, color_jitter=0.4)
    assert not np.array_equal(plain.rgb, jittered.rgb)
    np.testing.assert_array_equal(jittered.rgb[plain.mask == 0], 1)
    assert_equal(plain._replace(rgb=jittered.rgb), jittered)


def test_resized_picture_agrees_with_pillow(tiny_dir):
    """Reconstruction reads photographs with Pillow: both must see the same picture."""
    for image_size in (24, 64):
        (batch, *_) = evaluate(tiny_dir, image_size=image_size)
        (_, view), *_ = input_pipeline.example_ids("tiny_shapes", tiny_dir, split="val")
        rgba = make_record("val", view, (NUM_POINTS,))["rgba"]
        on_white = np.where(rgba[..., 3:] > 0, rgba[..., :3], 255).astype(np.uint8)
        picture = PIL.Image.fromarray(on_white).resize(
            (image_size, image_size), PIL.Image.Resampling.BILINEAR
        )
        np.testing.assert_allclose(
            batch.rgb[0], np.asarray(picture) / 255, atol=2 / 255
        )


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
