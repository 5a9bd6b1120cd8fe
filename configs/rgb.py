r"""Pixel2Mesh: colour in, mesh out.

The network of the released Pixel2Mesh, on procedural shapes unless `dataset` says
otherwise. The papers train on ShapeNet; this size has not been trained to the end here.

    python -m data_pipelines.build procedural_shapes --data_dir data
    python -m pixel2mesh_jax.main --config configs/rgb.py --workdir runs/rgb

`:tiny` takes 3 minutes on 2 CPU cores; the README compares it with `rgbd.py:tiny`.

    python -m pixel2mesh_jax.main --config configs/rgb.py:tiny --workdir runs/tiny_rgb
"""

from configs import common


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    return common.variant(common.pixel2mesh(inputs=("rgb",)), variant)
