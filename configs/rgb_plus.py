r"""Pixel2Mesh from colour alone, with `configs/plus.py` up to `smooth`.

    python -m data_pipelines.build procedural_shapes --data_dir data
    python -m pixel2mesh_jax.main --config configs/rgb_plus.py:tiny --workdir runs/plus

Without depth nothing anchors a vertex, and the template stands where it always stands:
placed by the outline it was worse, see `docs/ablations_plus.md`. Not trained yet.
"""

from configs import common, plus


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    config = common.variant(common.pixel2mesh(inputs=("rgb",)), variant)
    return plus.improved(config)
