r"""Signed distances in the view volume from colour alone.

The network of `rgbd_sdf.py` that never sees depth; what else it says holds here too.

    python -m pixel2mesh_jax.main --config configs/rgb_sdf.py --workdir runs/rgb_sdf \\
        --config.dataset=mesh_folder

The weights of `rgbd_sdf.py` serve images without depth as well: 3 in 10 of its
training examples have to do without. `:tiny` is for minutes. This one has not been
trained to the end here.
"""

from configs import common, rgbd_sdf


def get_config(variant=""):
    """Settings of the experiment; variants: tiny, large."""
    config = rgbd_sdf.signed_distances(("rgb",))
    changes = {"tiny": rgbd_sdf.tiny, "large": rgbd_sdf.large}
    return common.variant(config, variant, changes)
