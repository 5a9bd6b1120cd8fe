"""Image, depth and point operations of the input pipeline, in TensorFlow.

All take one example. Randomness is stateless: `seed` is a pair of int64 and the same
seed gives the same result. Axes of images are (row, column, channel).
"""

import tensorflow as tf

MISSING_COLOR = 0.5  # grey, for surfaces without recorded colours


def resize_view(
    rgb: tf.Tensor, alpha: tf.Tensor, depth: tf.Tensor, size: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Resizes a picture with depth to `size` x `size` pixels, the background white.

    The filter is a triangle that widens when the picture shrinks (as Pillow's
    BILINEAR). Colours are weighted by coverage and depths by validity, so neither
    bleeds across the silhouette.

    Args:
      rgb: (S, S, 3) straight colours in [0, 1].
      alpha: (S, S, 1) coverage in [0, 1].
      depth: (S, S, 1) metres, 0 = missing.
      size: pixels.

    Returns:
      rgb (size, size, 3), mask (size, size), depth (size, size); the depth is missing
      where less than half of the contributing pixels have one.
    """
    valid = tf.cast(depth > 0, tf.float32)
    channels = tf.concat([rgb * alpha, alpha, depth * valid, valid], axis=-1)
    channels = tf.image.resize(channels, (size, size), "bilinear", antialias=True)
    rgb, alpha, depth, valid = tf.split(channels, [3, 1, 1, 1], axis=-1)
    rgb = tf.clip_by_value(rgb + 1 - alpha, 0.0, 1.0)
    depth = tf.where(valid >= 0.5, depth / tf.maximum(valid, 0.5), 0.0)
    return rgb, tf.clip_by_value(alpha[..., 0], 0.0, 1.0), depth[..., 0]


def jitter_colors(
    rgb: tf.Tensor, alpha: tf.Tensor, amount: float, seed: tf.Tensor
) -> tf.Tensor:
    """Scales brightness, contrast and saturation by random factors.

    Args:
      rgb: (H, W, 3) straight colours in [0, 1].
      alpha: (H, W, 1) coverage; contrast is relative to the mean grey of the object.
      amount: the three factors are uniform in [1 - amount, 1 + amount].
      seed: of this example.

    Returns:
      (H, W, 3) colours in [0, 1].
    """
    factors = tf.random.stateless_uniform([3], seed, 1 - amount, 1 + amount)
    rgb = rgb * factors[0]
    covered = tf.maximum(tf.reduce_sum(alpha), 1e-6)
    mean = tf.reduce_sum(tf.image.rgb_to_grayscale(rgb) * alpha) / covered
    rgb = mean + (rgb - mean) * factors[1]
    gray = tf.image.rgb_to_grayscale(rgb)
    return tf.clip_by_value(gray + (rgb - gray) * factors[2], 0.0, 1.0)


def flip_example(example: dict[str, tf.Tensor], flip: tf.Tensor) -> dict:
    """Mirrors picture, depth, mask, points and normals left-right where `flip` is true.

    The intrinsics belong to the caller (`geometry.camera.flip_intrinsics`).
    """
    mirror = tf.where(flip, tf.constant([-1.0, 1.0, 1.0]), tf.ones([3]))
    images = {
        key: tf.where(flip, tf.reverse(example[key], axis=[1]), example[key])
        for key in ("rgb", "depth", "mask")
    }
    vectors = {key: example[key] * mirror for key in ("points", "normals")}
    return {**example, **images, **vectors}


def flip_volume(volume: dict[str, tf.Tensor], flip: tf.Tensor) -> dict:
    """Mirrors the fields of a `VolumeTarget` left-right where `flip` is true."""
    mirror = tf.where(flip, tf.constant([-1.0, 1, 1, 1, 1]), tf.ones([5]))
    maps = {
        key: tf.where(flip, tf.reverse(volume[key], axis=[1]), volume[key])
        for key in ("distances", "far_colors")
    }
    return {"placement": volume["placement"] * mirror, **maps}


def resample_indices(count: tf.Tensor, num_points: int, seed: tf.Tensor) -> tf.Tensor:
    """Rows that make `num_points` of `count` points.

    Without replacement where there are enough; otherwise every point is taken equally
    often, and a random remainder once more.
    """
    order = tf.random.experimental.stateless_shuffle(tf.range(count), seed)
    return tf.gather(order, tf.range(num_points) % count)


def sample_surface(
    example: dict[str, tf.Tensor], num_points: int, seed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The `points`, `normals` and `colors` of a record, resampled to `num_points`.

    Returns:
      float32 (num_points, 3) each; colours in [0, 1], grey if the record has none;
      points and normals zero if the record has none.
    """
    count = tf.shape(example["points"])[0]
    rows = resample_indices(tf.maximum(count, 1), num_points, seed)
    colors = tf.cond(
        tf.shape(example["colors"])[0] > 0,
        lambda: tf.cast(tf.gather(example["colors"], rows), tf.float32) / 255,
        lambda: tf.fill([num_points, 3], MISSING_COLOR),
    )
    vectors = {
        key: tf.cond(
            count > 0,
            lambda key=key: tf.cast(tf.gather(example[key], rows), tf.float32),
            lambda: tf.zeros([num_points, 3]),
        )
        for key in ("points", "normals")
    }
    return {**vectors, "colors": colors}
