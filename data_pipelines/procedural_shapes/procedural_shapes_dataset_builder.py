"""Shards of procedural shapes."""

from data_pipelines import shards


class Builder(shards.ViewsBuilder, skip_registration=True):
    """RGB-D views and surface points of coloured furniture and vehicles."""
