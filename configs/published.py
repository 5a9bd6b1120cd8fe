r"""Pixel2Mesh with published weights: the same numbers from the same files.

Variant -> weights (`init_from`), and the published scores on P2M ShapeNet, mean of 13
categories: chamfer x1e3, F(1e-4), F(2e-4), protocol `pixel2mesh`.

    tensorflow      the release (nywang16/Pixel2Mesh) as npz       0.482 65.22 78.80
    torch_tf        the same, migrated (noahcao/Pixel2Mesh)        0.498 64.21 78.03
    torch_vgg       its VGG trained from scratch                   not published
    torch_resnet50  its ResNet-50                                  0.443 65.36 79.24

Every variant has the camera, the pooling and the padding of its program, and starts
from `info_ellipsoid.dat`, which the release holds. `--mode import` makes a run of the
weights, in seconds and without data; then evaluate it or reconstruct with it:

    python -m pixel2mesh_jax.main --config configs/published.py:tensorflow \
        --workdir runs/released --mode import --config.init_from=tensorflow:released.npz
    python -m pixel2mesh_jax.main --config configs/published.py:tensorflow \
        --workdir runs/released --mode reconstruct --input photo.png

Without `--mode import`, training goes on from the weights, with the losses of the
program. The scores above were not measured here.
"""

from configs import common, rgb_resnet50
from pixel2mesh_jax.errors import InputError

# The template of all published weights; the vertices are numbered as there.
ELLIPSOID = "dat:data/info_ellipsoid.dat"


def get_config(variant="tensorflow"):
    """Settings of the program that the weights come from."""
    if variant not in VARIANTS:
        valid = ", ".join(map(repr, VARIANTS))
        raise InputError(f"Unknown variant {variant!r}. Valid choices: {valid}.")
    return VARIANTS[variant]()


def tensorflow():
    """p2m/models.py and p2m/layers.py of the release."""
    config = common.pixel2mesh(inputs=("rgb",))
    config.model.template = ELLIPSOID
    config.model.origin = (0.0, 0.0, 0.0)
    config.model.camera = "250,112"
    config.model.pooling = "p2m_tf"
    return config


def torch_tf():
    """experiments/default/tensorflow.yml of the PyTorch program."""
    config = tensorflow()
    config.loss.laplacian_stages = (0.2, 1.0, 1.0)
    return config


def torch_resnet50():
    """experiments/default/resnet.yml, pooled as on the PyTorch that it was trained on.

    `--config.model.pooling=p2m_torch` gives what later versions of PyTorch make of it.
    """
    config = rgb_resnet50.get_config()
    config.model.template = ELLIPSOID
    config.model.camera = "248,111.5"
    config.model.pooling = "align_corners"
    return config


def torch_vgg():
    """The same with the VGG that pads on both sides."""
    config = torch_resnet50()
    config.model.encoder = "conv18_symmetric"
    return config


VARIANTS = {
    "tensorflow": tensorflow,
    "torch_tf": torch_tf,
    "torch_vgg": torch_vgg,
    "torch_resnet50": torch_resnet50,
}
