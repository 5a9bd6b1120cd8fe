"""What a build is asked for, and the objects that it makes records of.

Everything random is a function of (seed, object id, view), so a record depends neither
on the order of the objects nor on the number of worker processes.
"""

import zlib
from typing import NamedTuple

import numpy as np

# Of the records, for all data sets; the folder that holds the shards.
VERSION = "2.0.0"
# Beside the shards: what was built, from what, and what was skipped.
REPORT_NAME = "build_report.json"
SPLITS = ("train", "val", "test")
DEPTHS = ("rendered", "estimated", "both")
# Share of the objects in each of `SPLITS` where the source does not say.
SPLIT_SHARES = (0.8, 0.1, 0.1)
# Share of the query points anywhere around an object: DeepSDF (Park et al., CVPR 2019),
# supplementary B, 25,000 beside 500,000 near its surface.
UNIFORM_QUERIES = 25 / 525


class Options(NamedTuple):
    """What a user may choose about the records.

    Attributes:
      size: width and height of the images in pixels.
      views: images per object.
      num_points: surface points per object.
      seed: of cameras, points and procedural shapes.
      up: axis that points up in mesh files, "y" or "z".
      objects: procedural objects per category in each of `SPLITS`.
      depth: one of `DEPTHS`, what the records say about depth.
      estimator: network of `depth_estimation.estimators`, where `depth` is estimated.
      estimator_stamp: changes when the files of that network change.
      voxels: cells per side of the occupancy grid of a view; 0 = none.
      volume: cells per side of the signed distances of a view; 0 = none.
      num_queries: points with signed distance per object; 0 = none.
      uniform_queries: share of them anywhere around the object, not near its surface.
      renderings: folder of images that come with the models; "" = the source.
      truncated: whether to take objects that the image does not show completely.
      occluded: whether to take objects that something else hides in part.
      depth_unit: metres per value of measured depth maps, a name or a number as text;
        "" = what the camera file says, else millimetres or metres.
      label: value of the object in masks; 0 = whatever they show.
    """

    size: int = 137
    views: int = 5
    num_points: int = 10_000
    seed: int = 0
    up: str = "y"
    objects: tuple[int, int, int] = (24, 2, 4)
    depth: str = "rendered"
    estimator: str = "none"
    estimator_stamp: str = ""
    voxels: int = 0
    volume: int = 0
    num_queries: int = 0
    uniform_queries: float = UNIFORM_QUERIES
    renderings: str = ""
    truncated: bool = False
    occluded: bool = False
    depth_unit: str = ""
    label: int = 0


class Item(NamedTuple):
    """One object of a source, before it is read.

    Attributes:
      split: one of `SPLITS`.
      category: name.
      object_id: unique within its split.
      files: absolute paths, in the order of the views if there is one per view.
      stamp: changes when a file changes.
      details: what the source says about the object beside its files.
    """

    split: str
    category: str
    object_id: str
    files: tuple[str, ...] = ()
    stamp: str = ""
    details: str = ""


def random_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Independent random numbers for every seed and combination of names."""
    key = zlib.crc32(repr(names).encode())
    return np.random.default_rng(np.random.SeedSequence([seed, key]))


def split_of(object_id: str) -> str:
    """Split of an object by the hash of its name: 80 % train, 10 % val, 10 % test."""
    place = zlib.crc32(object_id.encode()) / 2**32
    return SPLITS[int(np.searchsorted(np.cumsum(SPLIT_SHARES[:2]), place, "right"))]
