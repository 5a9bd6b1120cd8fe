r"""Depth-Aware Pixel2Mesh: colour and depth in, mesh out.

python -m data_pipelines.build procedural_shapes --data_dir data
python -m pixel2mesh_jax.main --config configs/rgbd.py --workdir runs/rgbd
python -m pixel2mesh_jax.main --config configs/rgbd.py:tiny --workdir runs/tiny
"""

from configs import common


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    return common.variant(common.pixel2mesh(inputs=("rgb", "depth")), variant)
