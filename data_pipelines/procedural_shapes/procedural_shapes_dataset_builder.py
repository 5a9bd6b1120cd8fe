"""Shards of procedural shapes."""

from data_pipelines.building import shards


class Builder(shards.ViewsBuilder, skip_registration=True):
    """RGB-D views and surface points of coloured furniture and vehicles."""
