r"""Pixel2Mesh: colour in, mesh out.

python -m data_pipelines.build procedural_shapes --data_dir data
python -m pixel2mesh_jax.main --config configs/rgb.py --workdir runs/rgb
python -m pixel2mesh_jax.main --config configs/rgb.py:tiny --workdir runs/tiny_rgb
"""

from configs import common


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    return common.variant(common.pixel2mesh(inputs=("rgb",)), variant)
