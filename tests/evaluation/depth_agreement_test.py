"""A sphere in closed form; predictions that miss, and captures without depth."""

import io
import json

import numpy as np
import pytest
import trimesh
from rich.console import Console

from pixel2mesh_jax.evaluation import depth_agreement
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import Batch, HostMesh, Reconstruction

SIZE = 64
INTRINSICS = camera.r2n2_intrinsics(SIZE)
BALL = trimesh.creation.icosphere(subdivisions=4, radius=0.2)
FACES = np.asarray(BALL.faces, np.int32)


def ball(x=0.0, z=-0.8, scale=1.0):
    return (BALL.vertices * scale + (x, 0, z)).astype(np.float32)


def capture(vertices):
    """Depth and mask of a mesh."""
    depth = raycast.cast(vertices, FACES, INTRINSICS, (SIZE, SIZE)).depth
    return depth.astype(np.float32), (depth > 0).astype(np.float32)


def test_a_perfect_prediction():
    depth, mask = capture(ball())
    agreement = depth_agreement.compare(ball(), FACES, depth, mask, INTRINSICS)
    assert agreement.depth_error < 1e-6
    assert agreement.mask_iou == agreement.mask_covered == 1


def test_moving_along_a_ray_changes_depth_but_not_the_outline():
    depth, mask = capture(ball())
    farther = depth_agreement.compare(ball() * 1.1, FACES, depth, mask, INTRINSICS)
    assert farther.depth_error == pytest.approx(0.1 * np.median(depth[mask > 0]))
    assert farther.mask_iou == 1


def test_a_smaller_prediction_covers_a_part_of_the_mask():
    depth, mask = capture(ball())
    half = ball(scale=0.5)
    agreement = depth_agreement.compare(half, FACES, depth, mask, INTRINSICS)
    share = (capture(half)[1]).sum() / mask.sum()
    assert agreement.mask_iou == pytest.approx(share)
    assert agreement.mask_covered == pytest.approx(share)
    swapped = depth_agreement.compare(ball(), FACES, *capture(half), INTRINSICS)
    assert swapped.mask_covered == 1
    assert swapped.mask_iou == pytest.approx(share)


def test_a_prediction_that_misses_has_no_depth_error():
    depth, mask = capture(ball(-0.3, -1.4, 0.5))
    agreement = depth_agreement.compare(
        ball(0.3, -1.4, 0.5), FACES, depth, mask, INTRINSICS
    )
    assert agreement == depth_agreement.Agreement(None, 0.0, 0.0)


def test_pixels_without_measured_depth_do_not_count():
    depth, mask = capture(ball())
    depth[: SIZE // 2] = 0
    depth[SIZE // 2 :] += 0.01 * mask[SIZE // 2 :]
    agreement = depth_agreement.compare(ball(), FACES, depth, mask, INTRINSICS)
    assert agreement.depth_error == pytest.approx(0.01, rel=1e-4)
    assert agreement.mask_iou == 1


def batch_of(captures, weight):
    depth, mask = map(np.stack, zip(*captures, strict=True))
    count = len(depth)
    nothing = np.zeros((count, 0, 3), np.float32)
    return Batch(
        rgb=np.ones((count, SIZE, SIZE, 3), np.float32),
        depth=depth,
        mask=mask,
        intrinsics=np.tile(INTRINSICS, (count, 1, 1)),
        points=nothing,
        normals=nothing,
        colors=nothing,
        category=np.arange(count, dtype=np.int32) % 2,
        weight=np.array(weight, np.float32),
    )


def predict_ball(batch):
    """A ball at the right place, whatever the image shows."""
    return [Reconstruction((HostMesh(ball(), FACES),)) for _ in batch.weight]


def evaluate(extract, batches):
    half = HostMesh(ball(scale=0.5), FACES)
    return depth_agreement.evaluate(
        extract,
        batches,
        categories=("mug", "brick"),
        baselines={"half a ball": lambda batch, row: half},
    )


def test_a_split_is_averaged_and_printed(tmp_path):
    captures = [capture(ball()), capture(ball(scale=0.5)), capture(ball())]
    run = evaluate(predict_ball, [batch_of(captures, (1, 1, 0))])
    assert run["num_samples"] == 2
    first, second = run["depth_agreement"]["samples"]
    assert (first["category"], second["category"]) == ("mug", "brick")
    assert first["mask_iou"] == 1
    mean = run["depth_agreement"]["mean"]["mask_iou"]
    assert mean == pytest.approx((1 + second["mask_iou"]) / 2)
    assert run["baselines"]["half a ball"]["samples"][1]["mask_iou"] == 1
    depth_agreement.write_scores(tmp_path, run)
    assert json.loads((tmp_path / depth_agreement.FILE_NAME).read_text()) == run
    console = Console(file=io.StringIO(), width=100)
    depth_agreement.print_table(run, console)
    text = console.file.getvalue()
    assert "brick" in text
    assert "half a ball" in text


def test_predictions_that_are_not_finite_stop_the_evaluation():
    def extract(batch):
        return [Reconstruction((HostMesh(ball() * np.nan, FACES),))]

    with pytest.raises(FloatingPointError, match="not finite"):
        evaluate(extract, [batch_of([capture(ball())], (1,))])
