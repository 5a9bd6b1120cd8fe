r"""Depth-Aware Pixel2Mesh: colour and depth in, mesh out.

The network of the released Pixel2Mesh with a fourth input channel, on procedural shapes
unless `dataset` says otherwise. The papers train on ShapeNet; this size has not been
trained to the end here.

    python -m data_pipelines.build procedural_shapes --data_dir data
    python -m pixel2mesh_jax.main --config configs/rgbd.py --workdir runs/rgbd

`:tiny` takes 3 minutes on 2 CPU cores. Expected on the held-out shapes, seed 0: chamfer
3.3e-3 (undeformed ellipsoid 20.6e-3), F(1e-4) 25 %, protocol `pixel2mesh`.

    python -m pixel2mesh_jax.main --config configs/rgbd.py:tiny --workdir runs/tiny
"""

from configs import common


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    return common.variant(common.pixel2mesh(inputs=("rgb", "depth")), variant)
