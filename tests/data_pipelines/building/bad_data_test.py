"""Bad files through the real command: named in the report, and no harm to the others.

Every builder gets one folder in which each object but one is spoilt in its own way.
"""

import contextlib
import io
import json
import os
import pathlib
import pickle
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow_datasets as tfds
import trimesh
from PIL import Image

import data_pipelines.build
from data_pipelines import input_pipeline
from data_pipelines.building.options import REPORT_NAME, VERSION
from pixel2mesh_jax.geometry import camera

BOX = trimesh.creation.box((1, 0.6, 0.8))
RNG = np.random.default_rng(0)
SYNSET = "03001627"


class Case(NamedTuple):
    """A spoilt object: whether it is built all the same, and what the report says."""

    object_id: str
    built: bool
    words: str


MESHES = (
    Case("chair/cut.glb", False, "cannot be read"),
    Case("chair/cut_texture.obj", True, "a texture cannot be decoded"),
    Case("chair/empty.obj", False, "holds no triangles"),
    Case("chair/flat.obj", False, "every triangle is degenerate"),
    Case("chair/huge.obj", True, "bounding box is 1.41e+06"),
    Case("chair/nan.obj", False, "vertices are NaN"),
    Case("chair/no_material.obj", True, "material file gone.mtl is missing"),
    Case("chair/no_texture.obj", True, "texture gone.png is missing"),
    Case("chair/pickle.ply", False, "cannot be read"),
    Case("chair/range.obj", False, "faces refer to vertices 0 to 98"),
    Case("chair/range.ply", False, "faces refer to vertices 0 to 77"),
    Case("chair/soup.obj", True, "a soup of triangles"),
    Case("chair/tiny.obj", True, "bounding box is 1.41e-06"),
)
RELEASE = (
    Case(f"{SYNSET}/code", False, "io.open in the pickle"),
    Case(f"{SYNSET}/cut", False, "image file is truncated"),
    Case(f"{SYNSET}/nan", False, "NaN"),
    Case(f"{SYNSET}/transparent", False, "fully transparent"),
)
CAPTURES = (
    Case("object/cut", False, "image file is truncated"),
    Case("object/cut_sensor", False, "image file is truncated"),
    Case("object/nothing", False, "the mask is empty"),
    Case("object/no_camera", True, "that of 3D-R2N2 is assumed"),
    Case("object/text_camera", False, "not a JSON file"),
)


class Trap:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (str(self._path), "w")


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def save_noise(path, size=64):
    noise = RNG.integers(0, 256, (size, size, 3), np.uint8)
    Image.fromarray(noise).save(path)


def obj_text(vertices, faces, material=""):
    lines = [f"v {x} {y} {z}" for x, y, z in vertices]
    lines += ["vt 0 0", "vt 1 0", "vt 0 1"]
    lines += [f"f {a}/1 {b}/2 {c}/3" for a, b, c in np.asarray(faces) + 1]
    return "\n".join([f"mtllib {material}", "usemtl a", *lines] if material else lines)


def write_meshes(folder):
    folder = folder / "train" / "chair"
    folder.mkdir(parents=True)
    corners, faces = np.asarray(BOX.vertices), np.asarray(BOX.faces)
    outside, nan = faces.copy(), corners.copy()
    outside[0, 0], nan[0] = 98, np.nan
    soup = RNG.random((30, 3)), RNG.integers(0, 30, (60, 3))
    for name, text in {
        "good": obj_text(corners, faces),
        "empty": "",
        "flat": obj_text(np.zeros((3, 3)), [(0, 1, 2)]),
        "huge": obj_text(corners * 1e6, faces),
        "tiny": obj_text(corners * 1e-6, faces),
        "nan": obj_text(nan, faces),
        "range": obj_text(corners, outside),
        "soup": obj_text(*soup),
        "no_material": obj_text(corners, faces, "gone.mtl"),
        "no_texture": obj_text(corners, faces, "lost.mtl"),
        "cut_texture": obj_text(corners, faces, "cut.mtl"),
    }.items():
        (folder / f"{name}.obj").write_text(text)
    (folder / "lost.mtl").write_text("newmtl a\nKd 0 0 0\nmap_Kd gone.png\n")
    (folder / "cut.mtl").write_text("newmtl a\nKd 0 0 0\nmap_Kd cut.png\n")
    save_noise(folder / "cut.png")
    truncate(folder / "cut.png")
    BOX.export(folder / "cut.glb")
    truncate(folder / "cut.glb")
    ply = BOX.export(file_type="ply", encoding="ascii").decode().splitlines()
    (folder / "range.ply").write_text("\n".join([*ply[:-1], "3 0 1 77", ""]))
    (folder / "pickle.ply").write_bytes(pickle.dumps(Trap(folder / "trap")))


def write_release(folder):
    for name in ("code", "cut", "good", "nan", "transparent"):
        rendering = folder / SYNSET / name / "rendering"
        rendering.mkdir(parents=True)
        points = RNG.random((50, 6)).astype(np.float32)
        if name == "nan":
            points[0, 0] = np.nan
        sample = Trap(folder / "trap") if name == "code" else points
        (rendering / "00.dat").write_bytes(pickle.dumps(sample, protocol=4))
        rgba = RNG.integers(0, 256, (137, 137, 4), np.uint8)
        rgba[..., 3] = 0 if name == "transparent" else 255
        Image.fromarray(rgba).save(rendering / "00.png")
    truncate(folder / SYNSET / "cut" / "rendering" / "00.png")


def write_captures(folder):
    folder.mkdir()
    matrix = camera.pinhole(100, 32, 32).tolist()
    for name in ("cut", "cut_sensor", "nothing", "good", "no_camera", "text_camera"):
        save_noise(folder / f"{name}.png")
        depth = RNG.integers(900, 1100, (64, 64)).astype(np.uint16)
        Image.fromarray(depth).save(folder / f"{name}_depth.png")
        mask = np.zeros((64, 64), bool)
        mask[20:50, 20:50] = name != "nothing"
        Image.fromarray(mask).save(folder / f"{name}_mask.png")
        if name != "no_camera":
            (folder / f"{name}_camera.json").write_text(json.dumps(matrix))
    (folder / "text_camera_camera.json").write_text("500 pixels")
    truncate(folder / "cut.png")
    truncate(folder / "cut_sensor_depth.png")


class Build(NamedTuple):
    """What a build left behind."""

    printed: str
    report: dict
    data_dir: pathlib.Path
    source: pathlib.Path


BUILDERS = {
    "mesh_folder": (write_meshes, MESHES, ("--views", "1", "--num_points", "100")),
    "p2m_shapenet": (write_release, RELEASE, ()),
    "rgbd_folder": (write_captures, CAPTURES, ()),
}
CASES = [(name, case) for name, (_, cases, _) in BUILDERS.items() for case in cases]


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Builds every data set once; mesh files as a user would, with two workers."""
    done = {}

    def run(name):
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            write, _, options = BUILDERS[name]
            write(folder / "source")
            arguments = [name, *options, "--source", str(folder / "source")]
            start = run_program if name == "mesh_folder" else run_here
            printed = start([*arguments, "--data_dir", str(folder)])
            report = json.loads((folder / name / VERSION / REPORT_NAME).read_text())
            done[name] = Build(printed, report, folder, folder / "source")
        return done[name]

    return run


def run_program(arguments):
    """What `python -m data_pipelines.build` prints."""
    repository = pathlib.Path(__file__).resolve().parents[2]
    finished = subprocess.run(
        [sys.executable, "-m", "data_pipelines.build", *arguments, "--workers", "2"],
        env=os.environ | {"PYTHONPATH": str(repository)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return " ".join(finished.stderr.split())


def run_here(arguments):
    """The same in this process, which has TensorFlow already."""
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        assert data_pipelines.build.main([*arguments, "--workers", "1"]) == 0
    return " ".join(printed.getvalue().split())


@pytest.mark.parametrize(
    ("name", "case"), CASES, ids=[f"{name}-{case.object_id}" for name, case in CASES]
)
def test_a_bad_object_is_named(build, name, case):
    done = build(name)
    rows, key = done.report["skipped"], "reason"
    if case.built:
        rows, key = done.report["warnings"], "warning"
    (said,) = [row[key] for row in rows if row["object"] == case.object_id]
    assert case.words in said
    assert case.object_id in done.printed
    assert "Traceback" not in done.printed


@pytest.mark.parametrize("name", BUILDERS)
def test_nothing_else_is_named_and_every_record_can_be_read(build, name):
    done, cases = build(name), BUILDERS[name][1]
    skipped = {case.object_id for case in cases if not case.built}
    odd = {case.object_id for case in cases if case.built}
    assert {row["object"] for row in done.report["skipped"]} == skipped
    assert {row["object"] for row in done.report["warnings"]} == odd
    builder = tfds.builder_from_directory(done.data_dir / name / VERSION)
    found = set()
    for split in builder.info.splits:
        for record in builder.as_data_source(split=split):
            found.add(record["object_id"].decode())
            assert record["rgba"][..., 3].any()
            for key in ("depth", "intrinsics", "points", "normals"):
                assert np.isfinite(record[key].astype(np.float32)).all()
    assert len(found - odd) == 1
    assert found >= odd


@pytest.mark.parametrize("name", BUILDERS)
def test_the_rest_can_be_streamed(build, name):
    done = build(name)
    builder = tfds.builder_from_directory(done.data_dir / name / VERSION)
    total = 0
    for split in builder.info.splits:
        for batch in input_pipeline.eval_batches(
            name, done.data_dir, split=split, batch_size=4, image_size=32
        ):
            total += int(batch.weight.sum())
            arrays = [array for array in batch if array is not None]
            assert all(np.isfinite(array).all() for array in arrays)
    assert total == sum(done.report["views"].values())


@pytest.mark.parametrize("name", ["mesh_folder", "p2m_shapenet"])
def test_no_pickle_is_run(build, name):
    assert not list(build(name).source.rglob("trap"))


def test_objects_of_absurd_scale_are_built_like_any_other(build):
    done = build("mesh_folder")
    builder = tfds.builder_from_directory(done.data_dir / "mesh_folder" / VERSION)
    (split,) = builder.info.splits
    extents = {
        record["object_id"].decode(): np.ptp(record["points"], axis=0).max()
        for record in builder.as_data_source(split=split)
    }
    for name in ("good", "huge", "tiny"):
        assert 0.25 < extents[f"chair/{name}.obj"] < camera.P2M_SCALE
