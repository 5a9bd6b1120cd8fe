"""What keeping the depth costs: a training step of `rgbd_plus.py`, and of `rgbd.py`.

The same size, the same views of a ball; `:tiny`, as in `docs/ablations_plus.md`.
"""

from collections.abc import Iterator

import numpy as np

from benchmarks.step import OurProgram, random_batch
from benchmarks.timing import Case
from configs import plus
from pixel2mesh_jax.structures import Batch

ROWS = {"rgbd.py": "released", "without the rendered depth": "smooth"}
GOAL = 0.71  # 1 / 1.4: a step of plus takes at most 1.4 times as long
BALL = (0.2, -0.8)  # radius and depth of the middle, metres


def cases() -> Iterator[Case]:
    """Plus against the released network, and against itself without rendering."""
    ours = make_program(plus.PLUS)
    for name, row in ROWS.items():
        other = make_program(row)
        yield Case(
            f"training step, rgbd_plus.py:tiny, batch {ours.config.batch_size}",
            ours.train,
            other.train,
            name,
            lambda other=other: _check(ours, other),
            amount=ours.config.batch_size,
            unit="image",
            goal=GOAL if row == "released" else None,
        )


def make_program(row: str) -> OurProgram:
    """The training of a row of `configs/plus.py` with depth."""
    config = plus.get_config(f"{row},rgbd")
    return OurProgram(config, ball_batch(config.batch_size, config.image_size))


def ball_batch(batch_size: int, image_size: int) -> Batch:
    """Noise for colours; depth, mask and points of a ball."""
    batch = random_batch(batch_size, image_size)
    focal, center = batch.intrinsics[0, 0, 0], batch.intrinsics[0, :2, 2]
    pixels = np.mgrid[:image_size, :image_size][::-1].transpose(1, 2, 0)
    radius, middle = BALL
    aside = ((pixels - center) / focal * -middle) ** 2
    height = radius**2 - aside.sum(axis=-1)  # of the ball over its middle, squared
    seen = height > 0
    depth = np.where(seen, -middle - np.sqrt(np.where(seen, height, 0)), 0)
    return batch._replace(
        depth=np.tile(np.float32(depth), (batch_size, 1, 1)),
        mask=np.tile(np.float32(seen), (batch_size, 1, 1)),
        points=radius * batch.normals + np.float32([0, 0, middle]),
    )


def _check(ours, other):
    """Both have something to learn from these views; their losses are others."""
    for program in (ours, other):
        program.reset()
        assert np.isfinite(program.train())
