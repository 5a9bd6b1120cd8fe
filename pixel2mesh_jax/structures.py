"""The schema: what travels between the data, the models, the losses and the files.

Frames. Everything lives in the camera frame of the sample, OpenGL convention: +x right,
+y up, the camera looks down -z; see `geometry/camera.py`. Lengths are "P2M metres": a
normalised object has a bounding-box diagonal of 0.57 and stands about 0.8 in front of
the camera.

Pixels. `u` runs to the right, `v` down, pixel centres are at integer coordinates, so
the centre of an image of S pixels is at (S - 1) / 2.
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, Int8, UInt8

Array = jax.Array | np.ndarray


class VolumeTarget(NamedTuple):
    """What is known of the view volume of one image, on the host.

    Attributes:
      placement: of the volume, packed, see `geometry/frustum.py`.
      distances: signed distance in cells, truncated, times 127 / truncation; index
        order row, column, layer.
      far_colors: sRGB of what the rays of the volume meet last.
    """

    placement: np.ndarray  # (5,) float32
    distances: np.ndarray  # (R, R, L) int8
    far_colors: np.ndarray  # (R, R, 3) uint8


class VolumeOutputs(NamedTuple):
    """What a network says about the view volume; see `geometry/frustum.py`.

    Attributes:
      placement: of the volume, packed; the truth in training.
      distances: signed distance in cells.
      base: the part of it that needs no network.
      far_colors: sRGB in [0, 1] of what the rays meet last.
      front: layer where the rays meet the object first, as a share of all layers.
      near: metres to where the first layer begins, a guess from colour alone.
      depth: measured depth of every ray, unit of the depth map; 0 = missing.
      cosine: of the visible surface to every ray, see `frustum.measured_field`.
      measured: signed distance in cells to what is seen, see there.
      has_depth: 1 where the network was given a depth map, else 0.
    """

    placement: Float[Array, "B 5"]
    distances: Float[Array, "B R R L"]
    base: Float[Array, "B R R L"]
    far_colors: Float[Array, "B R R 3"]
    front: Float[Array, "B R R"]
    near: Float[Array, " B"]
    depth: Float[Array, "B R R"]
    cosine: Float[Array, "B R R"]
    measured: Float[Array, "B R R L"]
    has_depth: Float[Array, " B"]


class Batch(NamedTuple):
    """B views of objects; what `data_pipelines.input_pipeline` yields as numpy arrays.

    Fields that nobody asked for are None; category and weight are always there.

    Attributes:
      rgb: colours in [0, 1], composited on white where the object is absent.
      depth: metres along the optical axis (-z), 0 = missing.
      mask: object coverage (alpha) in [0, 1].
      intrinsics: pinhole matrix in pixels of this image.
      points: surface points in metres, camera frame.
      normals: unit normals at `points`; the sign is arbitrary in published data.
      colors: surface colours (sRGB in [0, 1]) at `points`.
      category: index into the category names of the dataset.
      weight: 1 for a real example, 0 for one that only fills up the batch.
      voxels: occupancy of the view volume, see `geometry/voxels.py`.
      query_points: points around the shape in metres, camera frame.
      query_distances: signed distances at `query_points` in metres, negative inside.
      query_colors: colours (sRGB in [0, 1]) of the surface nearest to `query_points`.
      placement: of the view volume, packed, see `geometry/frustum.py`.
      distances: signed distances in its cells, truncated; as stored, times 127 over the
        truncation. Index order row, column, layer.
      far_colors: sRGB of what the rays of the volume meet last.
    """

    rgb: Float[Array, "B H W 3"] | None
    depth: Float[Array, "B H W"] | None
    mask: Float[Array, "B H W"] | None
    intrinsics: Float[Array, "B 3 3"] | None
    points: Float[Array, "B P 3"] | None
    normals: Float[Array, "B P 3"] | None
    colors: Float[Array, "B P 3"] | None
    category: Int[Array, " B"]
    weight: Float[Array, " B"]
    voxels: Bool[Array, "B R R R"] | None = None
    query_points: Float[Array, "B Q 3"] | None = None
    query_distances: Float[Array, "B Q"] | None = None
    query_colors: Float[Array, "B Q 3"] | None = None
    placement: Float[Array, "B 5"] | None = None
    distances: Float[Array, "B R R L"] | Int8[Array, "B R R L"] | None = None
    far_colors: UInt8[Array, "B R R 3"] | None = None


class MeshTopology(NamedTuple):
    """Connectivity of one mesh; static in shape, shared by all meshes of a batch.

    All indices are absolute (row numbers of the vertex or edge array of this level).
    K is the largest vertex degree; rows of fewer neighbours are padded with index 0 and
    weight 0.

    Attributes:
      faces: vertex indices, counter-clockwise seen from outside.
      edges: undirected edges, each once. Graph unpooling puts one new vertex at the
        middle of each, in this order, after the old vertices.
      neighbors: one-ring of every vertex.
      neighbor_mask: 1 where `neighbors` holds a neighbour, 0 where it is padding.
      incident_edges: the edges that touch a vertex, rows of `edges`.
      incident_signs: +1 if the vertex is `edges[e, 0]`, -1 if it is `edges[e, 1]`,
        0 for padding.
      chebyshev_weights: off-diagonal entries of the scaled Laplacian T1.
      chebyshev_diagonal: its diagonal.
    """

    faces: Int[Array, "F 3"]
    edges: Int[Array, "E 2"]
    neighbors: Int[Array, "V K"]
    neighbor_mask: Float[Array, "V K"]
    incident_edges: Int[Array, "V K"]
    incident_signs: Float[Array, "V K"]
    chebyshev_weights: Float[Array, "V K"]
    chebyshev_diagonal: Float[Array, " V"]


class Template(NamedTuple):
    """What a deformation starts from.

    Attributes:
      vertices: positions of the coarsest level, camera frame, metres.
      levels: connectivity, coarse to fine; level i + 1 is level i unpooled once, or
        level i again where a cascade does not refine.
    """

    vertices: Float[Array, "V 3"]
    levels: tuple[MeshTopology, ...]


class Mesh(NamedTuple):
    """A batch of predicted meshes of one topology.

    Attributes:
      vertices: positions in metres, camera frame.
      rest: where the vertices were before this stage moved them.
      topology: connectivity, shared by the batch.
      colors: sRGB in [0, 1] per vertex, or None.
    """

    vertices: Float[Array, "B V 3"]
    rest: Float[Array, "B V 3"]
    topology: MeshTopology
    colors: Float[Array, "B V 3"] | None = None


class PaddedMesh(NamedTuple):
    """A mesh of its own topology in arrays of fixed size, see `geometry/cubify.py`.

    Of a batch, every field has a leading axis. Padded faces are (0, 0, 0).

    Attributes:
      vertices: positions; their unit and frame are said by the function that makes it.
      faces: vertex indices, counter-clockwise seen from outside.
      neighbors: one-ring of every vertex; 0 where there is none.
      neighbor_mask: 1 where `neighbors` holds a neighbour, else 0.
      vertex_mask: 1 for a vertex, 0 for padding.
      is_found: 1, or 0 where the mesh only stands for one that could not be made.
      num_rises: how often the threshold had to rise for the mesh to fit.
    """

    vertices: Float[Array, "*batch V 3"]
    faces: Int[Array, "*batch F 3"]
    neighbors: Int[Array, "*batch V K"]
    neighbor_mask: Float[Array, "*batch V K"]
    vertex_mask: Float[Array, "*batch V"]
    is_found: Float[Array, "*batch"]
    num_rises: Int[Array, "*batch"]


class VoxelMeshOutputs(NamedTuple):
    """What a network says that makes voxels first and refines their mesh.

    Attributes:
      logits: of the voxels of the view volume to be occupied, see `geometry/voxels.py`.
      mesh: connectivity; its vertices are positions (depth, row, column) in voxels.
      stages: positions of the vertices in metres, camera frame: where the refinement
        starts, at the voxels, then after each of its stages.
      volume: of networks that make the voxels from signed distances: what they say;
        `logits` are those of its cells then.
    """

    logits: Float[Array, "B D R R"]
    mesh: PaddedMesh
    stages: tuple[Float[Array, "B V 3"], ...]
    volume: VolumeOutputs | None = None


class FieldOutputs(NamedTuple):
    """What an implicit model says of the query points of a batch.

    Attributes:
      distances: signed distance in sides of the cube of the view, negative inside.
      colors: sRGB in [0, 1] of the nearest surface point; None if it knows none.
      side: of that cube, metres; see `geometry/cube.py`.
    """

    distances: Float[Array, "B Q"]
    colors: Float[Array, "B Q 3"] | None
    side: Float[Array, " B"]


class Outputs(NamedTuple):
    """What every model returns; fields that a family does not predict stay empty.

    Attributes:
      meshes: coarse to fine, one per stage.
      image: the input image, reconstructed from its features; colours in [0, 1].
      depth: the input depth, reconstructed likewise; disparity in [0, 1] as
        `geometry/depth.py` defines it.
    """

    meshes: tuple[Mesh, ...] = ()
    image: Float[Array, "B H W 3"] | None = None
    depth: Float[Array, "B H W"] | None = None


class HostMesh(NamedTuple):
    """One triangle mesh on the host.

    Attributes:
      vertices: metres, in the frame of the reconstruction that it belongs to.
      faces: rows of `vertices`, counter-clockwise seen from outside.
      colors: sRGB in [0, 1] per vertex, or None.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    colors: Float[np.ndarray, "V 3"] | None = None


class Texture(NamedTuple):
    """An image on a mesh; a vertex on a seam has several texture coordinates.

    Attributes:
      image: sRGB, top row first.
      uv: u right, v up, in [0, 1].
      rows: vertex of the mesh that every row of `uv` belongs to.
      faces: rows of `uv`; the triangles of the mesh in their order.
    """

    image: UInt8[np.ndarray, "H W 3"]
    uv: Float[np.ndarray, "N 2"]
    rows: Int[np.ndarray, " N"]
    faces: Int[np.ndarray, "F 3"]


class Reconstruction(NamedTuple):
    """What a method makes of one view; all that evaluation, report and files see.

    Attributes:
      stages: coarse to fine; the last one is the result. Numbers of vertices and faces
        may differ from stage to stage and from view to view.
      frame: of the vertices; that of the batch unless somebody has moved them.
      remarks: what was out of the ordinary, in words that are the same for all views;
        evaluation counts them, reconstruction warns.
      mirrors: planes of symmetry that completed the hidden side; None where the method
        does not look for any.
      on_depth_map: whether the visible side is where the measured depth is, because the
        method puts it there.
    """

    stages: tuple[HostMesh, ...]
    frame: str = "camera"
    remarks: tuple[str, ...] = ()
    mirrors: int | None = None
    on_depth_map: bool = False

    @property
    def mesh(self) -> HostMesh:
        """The result."""
        return self.stages[-1]


class View(NamedTuple):
    """One image of one object on the host, without ground truth.

    Attributes:
      rgba: straight (not premultiplied) sRGB colour and coverage.
      depth: metres along the optical axis, 0 = missing; all zero if there is none.
      intrinsics: pinhole matrix in pixels.
      estimated: relative inverse depth in [0, 1] over the object, 0 outside; what a
        monocular estimator says, or None if none was asked.
    """

    rgba: np.ndarray  # (H, W, 4) uint8
    depth: np.ndarray  # (H, W) float32
    intrinsics: np.ndarray  # (3, 3) float32
    estimated: np.ndarray | None = None  # (H, W) float32


class SurfaceSamples(NamedTuple):
    """Points on a surface, on the host.

    Attributes:
      points: metres, frame said by the function that returns them.
      normals: unit length, of the face that holds the point.
      colors: sRGB.
    """

    points: np.ndarray  # (N, 3) float32
    normals: np.ndarray  # (N, 3) float32
    colors: np.ndarray  # (N, 3) uint8


class FieldSamples(NamedTuple):
    """A solid seen from points around its surface, on the host.

    Attributes:
      points: metres, frame said by the function that returns them.
      distances: to the surface in metres, negative inside.
      colors: sRGB of the nearest surface point.
    """

    points: np.ndarray  # (N, 3) float32
    distances: np.ndarray  # (N,) float32
    colors: np.ndarray  # (N, 3) uint8


class Example(NamedTuple):
    """One record of a shard: a view and the shape that it shows, camera frame.

    Attributes:
      view: the image.
      surface: points of the shape.
      category: name.
      object_id: unique within its split.
      view_index: number of the view.
      voxels: occupancy of the view volume, see `geometry/voxels.py`; or None.
      field: signed distances around the shape, or None.
      volume: signed distances in the view volume, or None.
    """

    view: View
    surface: SurfaceSamples
    category: str
    object_id: str
    view_index: int
    voxels: np.ndarray | None = None  # (D, H, W) bool
    field: FieldSamples | None = None
    volume: VolumeTarget | None = None
