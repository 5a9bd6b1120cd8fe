"""A program is compiled once per machine."""

import os
import pathlib

import jax

VARIABLE = "JAX_COMPILATION_CACHE_DIR"
FOLDER = pathlib.Path(".cache") / "pixel2mesh_jax"  # in the home of the user


def enable() -> None:
    """Keeps compiled programs, unless the user has said where or that it shall not be.

    `JAX_COMPILATION_CACHE_DIR` (empty: no cache) and `jax.config` come first.
    """
    if VARIABLE not in os.environ and jax.config.jax_compilation_cache_dir is None:
        jax.config.update(
            "jax_compilation_cache_dir", str(pathlib.Path.home() / FOLDER)
        )
