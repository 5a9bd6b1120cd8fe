"""Shards of the released Pixel2Mesh data."""

from data_pipelines.building import shards


class Builder(shards.ViewsBuilder, skip_registration=True):
    """3D-R2N2 renderings of ShapeNet with points in the camera frame."""

    HAS_DEPTH = False
    HAS_COLORS = False
