"""The settings of a run, so that some of them can be given anew on the command line.

`pixel2mesh-jax eval runs/a --config.data_dir=elsewhere` uses it, and so does main.py
with the same flags; there is nothing here to train.
"""

import ml_collections

from pixel2mesh_jax.training import run_folder
from pixel2mesh_jax.weights import release


def get_config(run: str = "") -> ml_collections.ConfigDict:
    """Of a folder; without one, of the weights that ship."""
    if run:
        return run_folder.load_config(run)
    path = release.path_of(release.DEFAULT)
    return ml_collections.ConfigDict(release.load_settings(path))
