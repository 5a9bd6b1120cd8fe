"""Shards of Pix3D."""

from data_pipelines.building import shards


class Builder(shards.ViewsBuilder, skip_registration=True):
    """Photos of Pix3D cut to their objects, with depth and points of aligned models."""

    HAS_COLORS = False
