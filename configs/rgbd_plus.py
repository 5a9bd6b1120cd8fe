r"""Pixel2Mesh that keeps the depth it is given: `configs/plus.py` up to `rendered`.

    python -m data_pipelines.build procedural_shapes --data_dir data
    python -m pixel2mesh_jax.main --config configs/rgbd_plus.py:tiny --workdir runs/plus

`:tiny` after 3,000 steps of 4 views on real objects (96 pixels, all 395 test views):
chamfer 0.62e-3, F(1e-4) 63 %, the visible side 2 mm from the depth map, see
`docs/ablations_plus.md`. The full size has not been trained here.
"""

from configs import common, plus


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    config = common.variant(common.pixel2mesh(inputs=("rgb", "depth")), variant)
    return plus.improved(config)
