"""The program as a function: `load` a model, call it, get a mesh.

    from pixel2mesh_jax import load

    model = load("rgbd_sdf")
    result = model("photo.png", depth="depth.png", intrinsics="camera.json")
    result.mesh                  # trimesh.Trimesh with colours and normals
    result.save("photo.glb")

Neither TensorFlow nor the configs are needed. docs/python.md shows more.
"""

import functools
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import trimesh

from pixel2mesh_jax import compilation_cache
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.inference import finish
from pixel2mesh_jax.inference.evidence import Evidence, evidence
from pixel2mesh_jax.inference.finish import Finish
from pixel2mesh_jax.inference.predict import Prediction, predict, warn_of_doubts
from pixel2mesh_jax.io import (
    cameras,
    captures,
    depth_cameras,
    masks,
    materials,
    meshes,
    textured_meshes,
    units,
    views,
)
from pixel2mesh_jax.io.in_memory import InMemory
from pixel2mesh_jax.io.matting import Matting, load_matting
from pixel2mesh_jax.training import run_folder
from pixel2mesh_jax.weights import release

_matting = functools.cache(load_matting)


class Result:
    """A mesh, and what is known of it.

    Attributes:
      frame: of the vertices. Unless another one was asked for, x points right, y up,
        and the camera looks along -z from the origin.
      scale_is_metric: whether the unit is the metre, as measured by the depth map;
        without one the size is a guess.
      seconds: from the call to the mesh, compilation included.
      stages: meshes of the method's stages, the last one is `mesh`; arrays.
      evidence: the whole image with what was taken for the object, and its depth.
      size: diagonal of the box of the mesh.
      distance: of the object from the camera.
      mirrors: planes of symmetry that completed the hidden side; None where the model
        does not look for any.
      volume: enclosed by the mesh.
      is_watertight: whether every edge has two faces.
    """

    def __init__(self, found: Prediction, evidence: Evidence, seconds: float):
        self._found = found
        self.evidence = evidence
        self.frame = found.frame
        self.scale_is_metric = found.is_metric
        self.seconds = seconds
        self.stages = found.stages
        self.size, self.distance = found.size, found.distance
        self.mirrors = found.mirrors

    @functools.cached_property
    def volume(self) -> float:
        """Cubic units of the frame."""
        return self._found.volume

    @functools.cached_property
    def is_watertight(self) -> bool:
        """Whether every edge has two faces."""
        return self._found.is_watertight

    @functools.cached_property
    def mesh(self) -> trimesh.Trimesh:
        """The final mesh; `visual.vertex_colors` are sRGB, `vertex_normals` outward.

        With a texture, its vertices are repeated on seams.
        """
        vertices, faces, colors = self._found.mesh
        if self._found.texture is not None:
            return textured_meshes.textured(vertices, faces, self._found.texture)
        visual = None if colors is None else materials.vertex_visual(colors)
        return trimesh.Trimesh(vertices, faces, visual=visual, process=False)

    def save(self, path: str | pathlib.Path, stage: int | None = None) -> pathlib.Path:
        """Writes .glb, .obj, .ply or .stl; folders are made.

        Args:
          path: of the file.
          stage: number of the mesh, from 1; the last one, which alone has a texture, by
            default.

        Raises:
          InputError: another suffix, one of a file that holds no texture, or no such
            stage.
        """
        last = len(self.stages)
        number = last if stage is None else stage
        if number not in range(1, last + 1):
            raise InputError(f"stage is {stage}; expected 1 to {last}")
        texture = self._found.texture if number == last else None
        meshes.save_mesh(path, *self.stages[number - 1], texture=texture)
        return pathlib.Path(path)

    def __repr__(self) -> str:
        size = units.describe_size(self.size, self.distance, self.scale_is_metric)
        return f"Result({len(self._found.mesh.faces)} faces, {size}, {self.frame})"


class Model:
    """A trained network; call it with an image.

    Attributes:
      name: as it was loaded.
      config: settings of the run.
      extract: a `Batch` of data to one `Reconstruction` per row.
    """

    def __init__(self, run: run_folder.Run, name: str):
        self._run = run
        self.name = name
        self.config = run.config
        self.extract = run.extract

    def __call__(
        self,
        image: Any,
        depth: Any = None,
        intrinsics: Any = None,
        mask: Any = None,
        *,
        depth_unit: float | str | None = None,
        depth_intrinsics: Any = None,
        depth_to_color: Any = None,
        label: int | None = None,
        box: tuple[int, int, int, int] | None = None,
        matting: str | Matting = "none",
        fit: str = "auto",
        frame: str = "camera",
        up: str = "y",
        faces: int = 0,
        smooth: int = 0,
        refine: int = 0,
        texture: int = 0,
    ) -> Result | list[Result]:
        """One image to one result; a list of images to a list of results.

        Args:
          image: path, Pillow image or array (H, W, 3 or 4; 8 or 16 bits, or floats in
            [0, 1]). The object is where `mask` is, else where alpha is, else what is
            not white, else what stands on the plane that `depth` shows.
          depth: path, or array (H, W) along the optical axis, 0 where it is missing:
            floats are metres, integers millimetres. Without depth the size of the mesh
            is a guess.
          intrinsics: (fx, fy, cx, cy) in pixels, a 3x3 matrix, or the path of a camera
            file. By default the camera of 3D-R2N2 is assumed, with a warning.
          mask: path or array (H, W) of the object.
          depth_unit: metres per value of `depth`, or a name such as "mm".
          depth_intrinsics: of `depth`, where it is of another camera than the image.
          depth_to_color: 4x4 matrix from that camera to the one of the image, metres,
            x right, y down, z forward; an array or the path of a JSON file.
          label: value of the object in `mask`.
          box: left, top, right, bottom of the object, pixels, where depth alone cuts it
            out of the scene.
          matting: "rembg" or "onnx:FILE" cuts out what has neither alpha nor mask; or
            a function from colours (H, W, 3) to coverage (H, W), both 0 to 255.
          fit: "always" cuts out and centres the object, "never" does not, "auto"
            does so unless it looks as the network expects it.
          frame: of the mesh: "camera" (x right, y up, z towards the viewer), "opencv"
            (x right, y down, z away from the viewer), or "object" (upright, the middle
            of its box in the origin).
          up: axis that points up in the frame of the object, "y" or "z".
          faces: at most so many triangles, 0 for all.
          smooth: passes of a smoothing filter.
          refine: steps that move the visible side onto the measured depth map.
          texture: texels per side of a texture, which takes the image where the
            camera sees the mesh; 0 for colours of the vertices. Needs xatlas.

        For a list of images, `depth`, `intrinsics` and `mask` are lists as long, or
        None; one camera serves all.

        Raises:
          InputError: unusable input; says what was expected.
        """
        wanted = Finish(frame, faces, up, smooth, texture)
        finish.check(wanted)
        options = {
            "wanted": wanted,
            "refine": refine,
            "depth_unit": units.parse_choice(str(depth_unit or "")),
            "depth_camera": depth_cameras.depth_camera(
                _camera(depth_intrinsics, None), depth_to_color
            ),
            "label": label,
            "box": masks.parse_box(box),
            "cut_out": _matting(matting) if isinstance(matting, str) else matting,
            "fit": _checked_fit(fit),
        }
        if not isinstance(image, list | tuple):
            return self._one(image, depth, intrinsics, mask, "", **options)
        count = len(image)
        columns = (
            image,
            _as_list(depth, count, "depth"),
            _cameras(intrinsics, count),
            _as_list(mask, count, "mask"),
        )
        rows = enumerate(zip(*columns, strict=True))
        return [self._one(*row, f" {number}", **options) for number, row in rows]

    def _one(
        self,
        image,
        depth,
        intrinsics,
        mask,
        number,
        *,
        wanted,
        refine,
        depth_unit,
        depth_camera,
        label,
        box,
        cut_out,
        fit,
    ) -> Result:
        started = time.perf_counter()
        name = _name(image, f"image{number}")
        self._check_inputs(depth, name)
        capture = captures.load_capture(
            _source(image, f"image{number}"),
            _source(depth, f"depth{number}"),
            _camera(intrinsics, name),
            _source(mask, f"mask{number}"),
            depth_unit,
            cut_out,
            label,
            box,
            depth_camera,
        )
        size = self.config.image_size
        extract = self._run.extract
        found = predict(extract, capture, name, image_size=size, fit=fit, refine=refine)
        warn_of_doubts(found, capture, name, "Give the intrinsics.")
        found = finish.finish(found, wanted, capture)
        return Result(found, evidence(capture), time.perf_counter() - started)

    def _check_inputs(self, depth, name):
        if "points" in self.config.inputs:
            raise InputError(
                f"{name}: the model {self.name} completes point clouds, with "
                "--mode reconstruct --input cloud.ply"
            )
        needed = set(self.config.inputs) - set(self._run.method.optional)
        if "depth" in needed and depth is None:
            raise InputError(f"{name}: the model {self.name} needs depth")

    def __repr__(self) -> str:
        return f"Model({self.name!r}, inputs={tuple(self.config.inputs)})"


def load(
    name: str | pathlib.Path = release.DEFAULT, mirrors: int | None = None
) -> Model:
    """A model that ships with the package, or the best one of a run.

    Compiled programs are kept on disk, see `compilation_cache.enable`.

    Args:
      name: one of `released()`, the folder of a run, or a file that `--mode release`
        wrote.
      mirrors: planes of symmetry at most by which a signed-distance model completes
        what is hidden, 0 for none; by default as the model says.

    Raises:
      InputError: there is none of this name; lists those that ship. Or it does not
        look for planes.
    """
    compilation_cache.enable()
    path = pathlib.Path(name)
    anew = {} if mirrors is None else {"model.mirrors": mirrors}
    if path.is_dir():
        config = run_folder.use_config(path, anew)
        return Model(run_folder.load_run(path, config), str(name))
    if path.suffix == release.SUFFIX:
        return _released(path, anew, str(name))
    if str(name) not in release.released():
        raise InputError(
            f"No model {str(name)!r}: neither one that ships with the package "
            f"({', '.join(release.released())}) nor the folder of a run."
        )
    return _released(release.path_of(str(name)), anew, str(name))


def _released(path, anew, name):
    """Weights in one file, with some settings given anew."""
    config = run_folder.load_released_config(path)
    config = run_folder.with_overrides(config, anew, name)
    return Model(run_folder.load_released(path, config), name)


def _checked_fit(fit):
    if fit not in views.FITS:
        raise InputError(f"unknown fit {fit!r}; valid: {', '.join(views.FITS)}")
    return fit


def _as_list(values, count, name) -> Sequence:
    """One value per image."""
    if values is None:
        return [None] * count
    if not isinstance(values, list | tuple) or len(values) != count:
        length = len(values) if isinstance(values, list | tuple) else "one value"
        raise InputError(f"{name}: expected a list of {count}, one each; got {length}")
    return values


def _cameras(intrinsics, count):
    """One camera per image; a single one serves all."""
    is_list = isinstance(intrinsics, list | tuple)
    if is_list and any(_is_camera(value) for value in intrinsics):
        return _as_list(intrinsics, count, "intrinsics")
    return [intrinsics] * count


def _is_camera(value):
    """Whether an entry of a list is a camera, not a number or a row of a matrix."""
    if value is None or _is_path(value) or isinstance(value, cameras.Camera):
        return True
    return np.ndim(value) == 2 or np.size(value) == 4


def _is_path(value):
    return isinstance(value, str | pathlib.Path)


def _source(value, name):
    """A path, or what stands for one."""
    return value if value is None or _is_path(value) else InMemory(name, value)


def _name(value, name):
    return str(value) if _is_path(value) else name


def _camera(intrinsics, image) -> cameras.Camera | None:
    if intrinsics is None or isinstance(intrinsics, cameras.Camera):
        return intrinsics
    if _is_path(intrinsics):
        return cameras.load_camera(intrinsics, image)
    return cameras.of_numbers(intrinsics)
