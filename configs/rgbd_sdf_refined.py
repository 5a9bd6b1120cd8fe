r"""Signed distances in the view volume, and graph convolutions that refine their mesh.

Does a mesh refined by the stages of Mesh R-CNN beat marching cubes? The network of
`rgbd_sdf.py` is the trunk, at half its resolution; the mesh of the cells inside, moved
to where the distances are zero, is refined by the features of its rays. Needs the same
data as `rgbd_sdf.py`, with `--volume 32` in the build:

    python -m pixel2mesh_jax.main --config configs/rgbd_sdf_refined.py \
        --workdir runs/rgbd_sdf_refined --config.dataset=mesh_folder

`:tiny` is a narrow network for minutes on two CPU cores. The full size has not been
trained here.
"""

import ml_collections

from configs import common, rgbd_sdf


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    config = rgbd_sdf.with_training(common.experiment("frustum_mesh", ("rgb", "depth")))
    config.num_points = 1000
    return common.variant(config, variant, {"tiny": tiny})


def tiny(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The narrow network of `rgbd_sdf.py:tiny`."""
    config = rgbd_sdf.tiny(config)
    config.model.hidden_features = 32
    config.loss.num_samples = 500
    config.num_points = 500
    return config
