"""Shards of rendered mesh files."""

from data_pipelines.building import shards


class Builder(shards.ViewsBuilder, skip_registration=True):
    """RGB-D views and surface points of any folder of mesh files."""
