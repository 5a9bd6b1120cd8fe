"""Imported first by what reads or writes data sets: TensorFlow is an extra.

Without it the program ends with a line that says how to install it.
"""

import importlib.util
import sys

MESSAGE = (
    "data sets, training and evaluation need TensorFlow: "
    "pip install 'pixel2mesh-jax[train]', or in a checkout pip install -e '.[train]'"
)
NOT_INSTALLED = 2  # exit code


def _is_installed():
    try:
        return importlib.util.find_spec("tensorflow") is not None
    except ValueError:  # somebody has put None in its place
        return False


if not _is_installed():
    sys.stderr.write(f"error: {MESSAGE}\n")
    sys.exit(NOT_INSTALLED)
