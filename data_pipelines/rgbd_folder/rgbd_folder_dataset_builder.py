"""Shards of RGB-D captures."""

from data_pipelines.building import shards
from data_pipelines.rgbd_folder import source


class Builder(shards.ViewsBuilder, skip_registration=True):
    """Images of real objects with measured depth, cut out and centred."""

    HAS_COLORS = False

    @property
    def HAS_POINTS(self) -> bool:
        return source.have_meshes(self._items)
