r"""Pixel2Mesh that keeps the depth it is given: `configs/plus.py`, all of it.

python -m data_pipelines.build procedural_shapes --data_dir data
python -m pixel2mesh_jax.main --config configs/rgbd_plus.py:tiny --workdir runs/plus
"""

from configs import common, plus


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    config = common.variant(common.pixel2mesh(inputs=("rgb", "depth")), variant)
    return plus.improved(config)
