"""The file format of shards, which gives access to any record at once.

array_record has wheels for Linux (x86-64, aarch64) and macOS (arm64), Python 3.11 and
newer. Elsewhere data sets can be neither written nor read.
"""

import importlib.util

from pixel2mesh_jax.errors import InputError

FILE_FORMAT = "array_record"


def check_platform() -> None:
    """Raises InputError where array_record is not installed."""
    if importlib.util.find_spec("array_record") is None:
        raise InputError(
            "data sets need array_record, which has wheels for Linux (x86-64, aarch64) "
            "and macOS (arm64): pip install array_record. Without it this program "
            "reconstructs, but does not build data sets, train or evaluate."
        )
