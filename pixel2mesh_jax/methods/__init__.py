"""The methods by name; `config.method` chooses one."""

import importlib

import ml_collections

from pixel2mesh_jax.methods.method import Method, check

# Name -> module; imported when it is asked for.
METHODS = {
    "frustum": "pixel2mesh_jax.methods.frustum",
    "frustum_mesh": "pixel2mesh_jax.methods.frustum_mesh",
    "implicit": "pixel2mesh_jax.methods.implicit",
    "mesh_rcnn": "pixel2mesh_jax.methods.mesh_rcnn",
    "pixel2mesh": "pixel2mesh_jax.methods.pixel2mesh",
    "pixel2mesh2": "pixel2mesh_jax.methods.pixel2mesh2",
    "refinement": "pixel2mesh_jax.methods.refinement",
}


def defaults(name: str) -> ml_collections.ConfigDict:
    """The sections `model` and `loss` of a config of this method, at full size.

    Raises:
      InputError: no such method; lists those there are.
    """
    return _module(name).defaults()


def make(config: ml_collections.ConfigDict) -> Method:
    """The method of a config.

    Raises:
      InputError: no such method, or settings that it does not have.
    """
    return _module(config.method).make(config)


def _module(name):
    check("method", name, METHODS)
    return importlib.import_module(METHODS[name])
