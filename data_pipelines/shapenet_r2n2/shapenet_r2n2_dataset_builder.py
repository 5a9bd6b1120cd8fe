"""Shards of ShapeNet models with the renderings of 3D-R2N2, or with our own."""

from data_pipelines.building import shards
from data_pipelines.shapenet_r2n2 import source


class Builder(shards.ViewsBuilder, skip_registration=True):
    """RGB-D views of ShapeNet: 3D-R2N2 renderings with depth from the meshes."""

    @property
    def HAS_DEPTH(self) -> bool:
        return source.has_meshes(self._items)

    @property
    def HAS_COLORS(self) -> bool:
        return source.has_meshes(self._items)
