"""Image, depth and point operations of the input pipeline, in TensorFlow.

All take one example. Randomness is stateless: `seed` is a pair of int64 and the same
seed gives the same result. Axes of images are (row, column, channel).
"""

import tensorflow as tf

MISSING_COLOR = 0.5  # grey, for surfaces without recorded colours


def resize_view(
    rgb: tf.Tensor, alpha: tf.Tensor, depth: tf.Tensor | None, size: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Resizes an image with depth to `size` x `size` pixels, the background white.

    The filter is a triangle that widens when the image shrinks (as Pillow's
    BILINEAR). Colours are weighted by coverage and depths by validity, so neither
    bleeds across the silhouette.

    Args:
      rgb: (S, S, 3) straight colours in [0, 1].
      alpha: (S, S, 1) coverage in [0, 1].
      depth: (S, S, 1) metres, 0 = missing; or None.
      size: pixels.

    Returns:
      rgb (size, size, 3), mask (size, size), depth (size, size) or None; the depth is
      missing where less than half of the contributing pixels have one.
    """
    channels = [rgb * alpha, alpha]
    if depth is not None:
        valid = tf.cast(depth > 0, tf.float32)
        channels += [depth * valid, valid]
    resized = tf.image.resize(
        tf.concat(channels, axis=-1), (size, size), "bilinear", antialias=True
    )
    rgb, alpha = resized[..., :3], resized[..., 3:4]
    rgb = tf.clip_by_value(rgb + 1 - alpha, 0.0, 1.0)
    mask = tf.clip_by_value(alpha[..., 0], 0.0, 1.0)
    if depth is None:
        return rgb, mask, None
    depth, valid = resized[..., 4], resized[..., 5]
    return rgb, mask, tf.where(valid >= 0.5, depth / tf.maximum(valid, 0.5), 0.0)


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
    """Surface points of a record with what belongs to them, resampled to `num_points`.

    Args:
      example: `points` (N, 3) and, if they are wanted, `normals` (N, 3) and `colors`
        (N, 3) bytes.
      num_points: rows of the result.
      seed: of this example.

    Returns:
      float32 (num_points, 3) each; colours in [0, 1], grey if the record has none;
      points and normals zero if the record has none.
    """
    count = tf.shape(example["points"])[0]
    rows = resample_indices(tf.maximum(count, 1), num_points, seed)
    sampled = {
        key: _rows_or(0.0, example[key], rows)
        for key in ("points", "normals")
        if key in example
    }
    if "colors" in example:
        colors = _rows_or(255 * MISSING_COLOR, example["colors"], rows)
        sampled["colors"] = colors / 255
    return sampled


def _rows_or(missing, array, rows):
    """float32 rows of an array, or of a constant if the array is empty."""
    return tf.cond(
        tf.shape(array)[0] > 0,
        lambda: tf.cast(tf.gather(array, rows), tf.float32),
        lambda: tf.fill([tf.size(rows), 3], missing),
    )


def sample_queries(
    example: dict[str, tf.Tensor], num_queries: int | None, seed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The queries of a record, resampled to `num_queries`; all of them if it is None.

    Args:
      example: any of `query_points` (N, 3), `query_distances` (N,), `query_colors`
        (N, 3) bytes.
      num_queries: rows of the result.
      seed: of this example.

    Returns:
      float32 each; colours in [0, 1].
    """
    found = {key: example[key] for key in example if key.startswith("query_")}
    if num_queries is not None:
        count = tf.shape(next(iter(found.values())))[0]
        rows = resample_indices(count, num_queries, tf.random.fold_in(seed, 1))
        found = {key: tf.gather(value, rows) for key, value in found.items()}
    found = {key: tf.cast(value, tf.float32) for key, value in found.items()}
    if "query_colors" in found:
        found["query_colors"] /= 255
    return found
