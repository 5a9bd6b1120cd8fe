"""Files in, files out; the network is replaced by a template of fixed shape."""

import functools
import json
import re

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, object_crop, templates
from pixel2mesh_jax.geometry import depth as depth_geometry
from pixel2mesh_jax.inference import reconstruct
from pixel2mesh_jax.inference.finish import Finish
from pixel2mesh_jax.inference.predict import (
    CANONICAL_FRAME,
    IMAGE_FRAME,
    METRIC_FRAME,
)
from pixel2mesh_jax.methods import cascade
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.report import preview, turntable
from pixel2mesh_jax.structures import HostMesh, Mesh, Outputs, Reconstruction
from tests.networks import write_network

SIZE = 32
TEMPLATE = templates.ellipsoid()


def predict(batch, colors=None, inside_out=False):
    """The undeformed ellipsoid at its three levels."""
    assert batch.rgb.shape == (1, SIZE, SIZE, 3)
    vertices, meshes = np.asarray(TEMPLATE.vertices, np.float32), []
    for coarse, level in zip((None, *TEMPLATE.levels), TEMPLATE.levels, strict=False):
        if coarse is not None:
            middles = templates.edge_midpoints(vertices, coarse)
            vertices = np.concatenate([vertices, middles]).astype(np.float32)
        if inside_out:
            level = level._replace(faces=np.asarray(level.faces)[:, ::-1])
        paint = None if colors is None else np.tile(colors, (1, len(vertices), 1))
        meshes.append(Mesh(vertices[None], vertices[None], level, paint))
    return Outputs(tuple(meshes))


def save_image(path, size=48, box=(14, 10, 34, 38)):
    left, top, right, bottom = box
    rgba = np.zeros((size, size, 4), np.uint8)
    rgba[top:bottom, left:right] = (200, 80, 40, 255)
    Image.fromarray(rgba).save(path)
    return path


def save_depth(path, metres=0.72, size=48):
    Image.fromarray(np.full((size, size), round(metres * 1000), np.uint16)).save(path)
    return path


def num_tiles(result):
    with Image.open(result.preview) as strip:
        return strip.width // preview.TILE


@pytest.fixture(autouse=True)
def small_previews(monkeypatch):
    monkeypatch.setattr(preview, "TILE", 64)


def run(source, output, function=predict, **options):
    extract = functools.partial(cascade.extract, lambda entry, batch: function(batch))
    return reconstruct.reconstruct(extract, source, output, image_size=SIZE, **options)


@pytest.mark.parametrize("file_format", reconstruct.FORMATS)
def test_one_image(tmp_path, file_format):
    image = save_image(tmp_path / "chair.png")
    [result] = run(image, tmp_path / "out", file_format=file_format)
    assert result.meshes == (tmp_path / "out" / f"chair.{file_format}",)
    assert result.watertight
    assert result.frame == IMAGE_FRAME
    mesh = trimesh.load_mesh(result.meshes[0], process=False)
    if file_format == "stl":  # triangles alone
        mesh.merge_vertices()
    assert mesh.vertices.shape == (2466, 3)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(result.volume, rel=1e-3)
    assert mesh.volume > 0
    assert num_tiles(result) == 4  # no depth


def test_fewer_triangles_in_the_frame_of_opencv(tmp_path):
    image = save_image(tmp_path / "chair.png")
    paint = functools.partial(predict, colors=(0.0, 0.5, 1.0))
    [whole] = run(image, tmp_path / "whole", paint, file_format="ply")
    wanted = Finish("opencv", faces=500)
    [result] = run(image, tmp_path / "out", paint, file_format="ply", wanted=wanted)
    old, new = (
        trimesh.load_mesh(found.meshes[0], process=False) for found in (whole, result)
    )
    assert len(new.faces) == 500
    assert new.is_watertight
    assert new.volume == pytest.approx(old.volume, rel=0.02)
    assert_allclose(
        new.bounds[0] * (1, -1, -1), old.bounds[[0, 1, 1], [0, 1, 2]], atol=2e-3
    )
    assert_allclose(new.visual.vertex_colors[:, :3], [(0, 128, 255)] * 252, atol=1)
    with pytest.raises(InputError, match="unknown frame 'blender'"):
        run(image, tmp_path / "bad", wanted=Finish("blender"))


def test_a_turntable_is_an_animated_image(tmp_path, monkeypatch):
    monkeypatch.setattr(turntable, "SIZE", 32)
    image = save_image(tmp_path / "chair.png")
    [result] = run(image, tmp_path / "out", previews="gif")
    assert result.preview == tmp_path / "out" / "chair.gif"
    with Image.open(result.preview) as animation:
        assert animation.n_frames == turntable.FRAMES
        assert animation.info["loop"] == 0


def test_what_is_known_of_a_mesh_is_beside_it(tmp_path):
    image = save_image(tmp_path / "chair.png")
    save_depth(tmp_path / "chair_depth.png")
    [result] = run(image, tmp_path / "out", inputs=("rgb", "depth"), model="mine")
    facts = json.loads(result.summary.read_text())
    assert result.summary.name == "chair.json"
    assert facts["frame"] == METRIC_FRAME
    assert facts["axes"].startswith("x right, y up")
    assert facts["scale_is_metric"]
    assert facts["intrinsics_assumed"]
    assert facts["depth"] == "chair_depth.png"
    assert facts["camera"] is facts["mask"] is None or "alpha" in facts["mask"]
    assert facts["metres_per_depth_value"] == 1e-3
    assert (facts["vertices"], facts["watertight"]) == (2466, True)
    assert facts["volume"] == pytest.approx(result.volume, rel=1e-5)
    assert facts["model"] == "mine"
    lengths = np.subtract(facts["box"]["max"], facts["box"]["min"])
    assert np.linalg.norm(lengths) == pytest.approx(facts["size"], abs=1e-5)


def test_a_page_or_nothing_in_place_of_the_strip(tmp_path):
    image = save_image(tmp_path / "a<b>.png")
    [result] = run(image, tmp_path / "out", previews="none")
    assert result.preview is None
    [result] = run(image, tmp_path / "out", previews="html")
    text = result.preview.read_text()
    assert result.preview.name == "a<b>.html"
    assert "<h1>a&lt;b&gt;.png</h1>" in text
    assert "<iframe" in text
    assert "http" not in re.sub(r"http://www\.w3\.org\S*", "", text.split("<iframe")[0])


def test_stages_and_colors(tmp_path):
    image = save_image(tmp_path / "chair.png")
    [result] = run(
        image,
        tmp_path / "out",
        lambda batch: predict(batch, colors=(0.0, 0.5, 1.0)),
        stages=True,
        file_format="ply",
    )
    names = [path.name for path in result.meshes]
    assert names == ["chair.ply", *(f"chair_stage{i}.ply" for i in (1, 2, 3))]
    loaded = [trimesh.load_mesh(path, process=False) for path in result.meshes]
    assert [len(mesh.vertices) for mesh in loaded] == [2466, 156, 618, 2466]
    assert_allclose(loaded[0].visual.vertex_colors[0, :3], (0, 128, 255), atol=1)


def test_meshes_are_turned_outward(tmp_path):
    image = save_image(tmp_path / "chair.png")
    [result] = run(
        image, tmp_path / "out", lambda batch: predict(batch, inside_out=True)
    )
    assert result.volume > 0


def test_a_typical_view_is_shown_as_it_is(tmp_path):
    seen = []
    image = save_image(tmp_path / "chair.png", SIZE, (8, 6, 22, 26))
    run(image, tmp_path / "out", lambda batch: seen.append(batch) or predict(batch))
    assert_allclose(seen[0].mask[0, 6:26, 8:22], 1)
    assert seen[0].mask.sum() == 14 * 20
    assert_allclose(seen[0].intrinsics[0], camera.r2n2_intrinsics(SIZE))


@pytest.mark.parametrize(("fit", "fitted"), [("auto", True), ("never", False)])
def test_a_small_object_is_cut_out(tmp_path, fit, fitted):
    seen = []
    image = save_image(tmp_path / "chair.png", 200, (150, 20, 170, 40))
    [result] = run(
        image,
        tmp_path / "out",
        lambda batch: seen.append(batch) or predict(batch),
        fit=fit,
    )
    fill = np.sqrt(seen[0].mask.mean())
    expected = object_crop.TARGET_FILL if fitted else 0.1
    assert fill == pytest.approx(expected, rel=0.05)
    frame = CANONICAL_FRAME if fitted else IMAGE_FRAME
    assert result.frame == frame


def test_with_depth_and_camera_the_mesh_is_in_metres(tmp_path):
    """An object 2 m away through a long lens: the template lands around it."""
    seen = []
    image = save_image(tmp_path / "chair.png", 100, (60, 30, 80, 50))
    save_depth(tmp_path / "chair_depth.png", 2.0, 100)
    [result] = run(
        image,
        tmp_path / "out",
        lambda batch: seen.append(batch) or predict(batch),
        inputs=("rgb", "depth"),
        intrinsics="400,400,49.5,49.5",
    )
    assert result.frame == METRIC_FRAME
    visible = seen[0].depth[seen[0].depth > 0]
    assert_allclose(visible, object_crop.CANONICAL_DEPTH, atol=1e-5)
    vertices = trimesh.load_mesh(result.meshes[0], process=False).vertices
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    # The object's middle pixel (69.5, 39.5) at 2 m, the template a little behind.
    assert_allclose(middle[:2], [20 / 400 * 2, 10 / 400 * 2], atol=0.02)
    assert 2.0 < -middle[2] < 2.1
    assert np.ptp(vertices[:, 0]) == pytest.approx(0.11, abs=0.04)
    assert num_tiles(result) == 5
    assert result.distance == pytest.approx(2.0)
    assert result.size == pytest.approx(np.linalg.norm(np.ptp(vertices, axis=0)))


def visible_depth(result, focal, size):
    """Median depth of the written mesh, as the camera of the image sees it."""
    mesh = trimesh.load_mesh(result.meshes[0], process=False)
    lens = camera.pinhole(focal, (size - 1) / 2, (size - 1) / 2)
    hits = raycast.cast(mesh.vertices, np.asarray(mesh.faces), lens, (size, size))
    return np.median(hits.depth[hits.depth > 0])


@pytest.mark.parametrize("fit", reconstruct.FITS)
@pytest.mark.parametrize("metres", [0.39, 0.42, 1.08, 3.0])
def test_metric_depth_makes_a_metric_result(tmp_path, fit, metres):
    """Whether the view is cut out or stays, the mesh is where the depth is."""
    image = save_image(tmp_path / "a.png", 64, (16, 16, 48, 48))
    save_depth(tmp_path / "a_depth.png", metres, 64)
    lens = f"70,70,{31.5},{31.5}"
    [result] = run(image, tmp_path / "out", fit=fit, intrinsics=lens, stages=True)
    assert result.frame == METRIC_FRAME
    assert visible_depth(result, 70, 64) == pytest.approx(metres, rel=0.15)
    sizes = [trimesh.load_mesh(path, process=False).scale for path in result.meshes]
    assert_allclose(sizes, sizes[0], rtol=0.15)  # every stage in the same frame


def test_the_same_view_at_two_distances_is_the_same_mesh_scaled(tmp_path):
    image = save_image(tmp_path / "a.png", 64, (16, 16, 48, 48))
    found = []
    for metres in (0.5, 2.0):
        save_depth(tmp_path / "a_depth.png", metres, 64)
        [result] = run(image, tmp_path / f"out{metres}", intrinsics="70,70,31.5,31.5")
        found.append(trimesh.load_mesh(result.meshes[0], process=False).vertices)
    assert_allclose(found[0] * 4, found[1], atol=1e-4)


def test_a_turned_image_gives_a_mesh_in_the_frame_of_its_depth(tmp_path):
    """EXIF turns what the network sees, not the camera that depth was measured with."""
    path = save_image(tmp_path / "a.png", 100, (60, 30, 80, 50))
    save_depth(tmp_path / "a_depth.png", 2.0, 100)
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as image:
        image.save(path, exif=exif)
    [result] = run(path, tmp_path / "out", intrinsics="400,400,49.5,49.5")
    vertices = trimesh.load_mesh(result.meshes[0], process=False).vertices
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    assert_allclose(middle[:2], [20 / 400 * 2, 10 / 400 * 2], atol=0.02)
    assert result.volume > 0


def test_size_and_distance_are_told_for_every_result(tmp_path):
    told = []
    image = save_image(tmp_path / "[b]a.png")
    run(image, tmp_path / "out", report=told.append)
    save_depth(tmp_path / "[b]a_depth.png", 0.72)
    run(image, tmp_path / "out", report=told.append)
    assert all(text.startswith("[b]a.png: ") for text in told)
    assert "of unknown scale" in told[0]
    assert told[0].endswith(f"away ({IMAGE_FRAME})")
    assert told[1].endswith(f"0.72 m away ({METRIC_FRAME})")


def test_an_implausible_size_names_the_likely_units(tmp_path, caplog):
    image = save_image(tmp_path / "a.png")
    np.save(tmp_path / "a_depth.npy", np.full((48, 48), 720, np.float32))
    run(image, tmp_path / "out", intrinsics="50,50,24,24")
    assert "720 m away" in caplog.text
    assert "Likely: --depth_unit mm (0.72 m away)" in caplog.text
    caplog.clear()
    run(image, tmp_path / "b", intrinsics="50,50,24,24", depth_unit=1e-3)
    assert caplog.text == ""


def test_depth_without_a_camera_is_announced(tmp_path, caplog):
    image = save_image(tmp_path / "chair.png")
    save_depth(tmp_path / "chair_depth.png", 0.72)
    run(image, tmp_path / "out")
    assert "--intrinsics or put" in caplog.text
    assert "chair_camera.json" in caplog.text


def test_inverse_depth_serves_as_an_estimate(tmp_path):
    seen = []
    image = save_image(tmp_path / "a.png")
    ramp = np.tile(np.linspace(1, 65535, 48).astype(np.uint16), (48, 1))
    Image.fromarray(ramp).save(tmp_path / "a_depth.png")
    [result] = run(
        image,
        tmp_path / "out",
        lambda batch: seen.append(batch) or predict(batch),
        inputs=("rgb", "depth"),
        depth_unit="inverse",
    )
    assert result.frame != METRIC_FRAME
    row = seen[0].depth[0][SIZE // 2]
    near, far = row[row > 0][-1], row[row > 0][0]
    assert near < far
    ends = (depth_geometry.NEAREST, depth_geometry.FARTHEST)
    assert_allclose((near, far), ends[::-1] if ends[0] > ends[1] else ends, rtol=0.1)


def test_a_label_of_the_mask(tmp_path, caplog):
    seen = []
    Image.new("RGB", (48, 48), "grey").save(tmp_path / "a.png")
    mask = np.zeros((48, 48), np.uint8)
    mask[4:24, 4:24], mask[30:44, 30:44] = 3, 7
    Image.fromarray(mask).save(tmp_path / "a_mask.png")

    def remember(batch):
        seen.append(batch.mask[0])
        return predict(batch)

    for label in (None, 3, 7):
        run(
            tmp_path / "a.png",
            tmp_path / str(label),
            remember,
            label=label,
            fit="never",
        )
    assert_allclose(seen[0], seen[1])
    assert seen[2][:16, :16].max() == 0
    assert "labels (3 on 400 pixels, 7 on 196 pixels); the largest" in caplog.text
    (tmp_path / "a_mask.png").unlink()
    with pytest.raises(InputError, match="--label 3 needs a mask"):
        run(tmp_path / "a.png", tmp_path / "out", label=3)


@pytest.mark.parametrize(
    ("fit", "frame"),
    [("always", CANONICAL_FRAME), ("never", IMAGE_FRAME)],
)
def test_estimated_depth_stands_in_for_a_depth_map(tmp_path, fit, frame):
    """The network says: the farther right, the nearer; it sees what the model sees."""
    seen, shown = [], []

    def estimate(rgba):
        shown.append(rgba)
        columns = np.nonzero(rgba[..., 3].any(axis=0))[0]
        ramp = (np.arange(rgba.shape[1]) - columns[0]) / np.ptp(columns)
        return np.where(rgba[..., 3] > 0, ramp, 0).astype(np.float32)

    image = save_image(tmp_path / "chair.png", 100, (20, 30, 70, 80))
    [result] = run(
        image,
        tmp_path / "out",
        lambda batch: seen.append(batch) or predict(batch),
        inputs=("rgb", "depth"),
        estimate=estimate,
        fit=fit,
    )
    assert result.frame == frame
    side = shown[0].shape[0]
    assert shown[0].shape == (side, side, 4)
    assert (side == 100) == (fit == "never")
    (depth,), (mask,) = seen[0].depth, seen[0].mask
    assert ((depth > 0) == (mask >= 0.5)).all()
    ends = depth[depth > 0].max(), depth[depth > 0].min()
    assert_allclose(ends, (depth_geometry.FARTHEST, depth_geometry.NEAREST), rtol=0.05)
    row = np.asarray(depth_geometry.disparity(depth, mask))[SIZE // 2]
    inside = row[mask[SIZE // 2] >= 0.5]
    assert_allclose(inside, np.linspace(0, 1, len(inside)), atol=0.04)
    assert num_tiles(result) == 5


def test_a_depth_map_goes_before_an_estimate(tmp_path):
    image = save_image(tmp_path / "chair.png")
    save_depth(tmp_path / "chair_depth.png", 0.72)

    def estimate(rgba):
        raise AssertionError("not needed")

    [result] = run(image, tmp_path / "out", inputs=("rgb", "depth"), estimate=estimate)
    assert result.frame == METRIC_FRAME


def test_a_model_without_depth_needs_no_estimate(tmp_path, caplog):
    image = save_image(tmp_path / "chair.png")
    run(image, tmp_path / "out", estimate=lambda rgba: 1 / 0)
    assert "no depth is estimated" in caplog.text


def test_a_photo_is_cut_out_by_a_network(tmp_path):
    """Dark object before a grey ground; the network takes darkness for salience."""
    network = write_network(tmp_path / "u2net.onnx", weights=(-1.0, 0.0, 0.0))
    photo = np.full((64, 64, 3), 180, np.uint8)
    photo[16:48, 20:44] = 10
    Image.fromarray(photo).save(tmp_path / "photo.png")
    seen = []
    run(
        tmp_path / "photo.png",
        tmp_path / "out",
        lambda batch: seen.append(batch) or predict(batch),
        matting=f"onnx:{network}",
        fit="never",
    )
    covered = (seen[0].mask >= 0.5).mean()
    assert covered == pytest.approx(24 * 32 / 64**2, rel=0.05)
    with pytest.raises(InputError, match="unknown matting 'scissors'; valid: rembg"):
        run(tmp_path / "photo.png", tmp_path / "out", matting="scissors")


def test_model_that_needs_depth_says_so(tmp_path):
    image = save_image(tmp_path / "chair.png")
    with pytest.raises(InputError, match=r"needs depth: give --depth.*configs/rgb\.py"):
        run(image, tmp_path / "out", inputs=("rgb", "depth"))


def test_depth_for_a_model_without_depth_is_announced(tmp_path, caplog):
    image = save_image(tmp_path / "chair.png")
    run(image, tmp_path / "out", depth=save_depth(tmp_path / "d.png"))
    assert "metric scale" in caplog.text


def test_a_folder_with_a_bad_file(tmp_path):
    save_image(tmp_path / "a.png")
    save_image(tmp_path / "c.png")
    (tmp_path / "b.png").write_text("hello")
    with pytest.raises(InputError, match=r"1 of 3 images .*\n.*b\.png: not an image"):
        run(tmp_path, tmp_path / "out")
    assert (tmp_path / "out" / "a.obj").is_file()
    assert (tmp_path / "out" / "c.obj").is_file()


@pytest.mark.parametrize(
    "error", [RecursionError, MemoryError, OverflowError, AttributeError]
)
def test_one_image_never_ends_a_folder(tmp_path, error):
    for name in "abc":
        save_image(tmp_path / f"{name}.png")
    calls = []

    def fails_once(batch):
        calls.append(batch)
        if len(calls) == 2:
            raise error("of this image")
        return predict(batch)

    with pytest.raises(InputError, match=rf"1 of 3 .*\n.*b\.png: {error.__name__}: of"):
        run(tmp_path, tmp_path / "out", fails_once)
    assert (tmp_path / "out" / "c.obj").is_file()


def test_files_of_a_folder_that_are_not_used_are_named(tmp_path, caplog):
    save_image(tmp_path / "a.png")
    for name in ("IMG_1.HEIC", "b.avif", "a_mask.gif", "._a.png"):
        (tmp_path / name).touch()
    run(tmp_path, tmp_path / "out")
    assert "3 files are not used: IMG_1.HEIC, a_mask.gif, b.avif" in caplog.text


def test_results_never_overwrite_in_silence(tmp_path, caplog):
    for name in ("mug", "mug_stage1"):
        save_image(tmp_path / f"{name}.png")
    with pytest.raises(InputError, match="to the same file: mug_stage1"):
        run(tmp_path, tmp_path / "out", stages=True)
    assert not (tmp_path / "out").exists()
    run(tmp_path, tmp_path / "out")
    assert "are replaced" not in caplog.text
    run(tmp_path / "mug.png", tmp_path / "out")
    assert "3 files of another run are replaced: mug.obj, mug_preview" in caplog.text
    (tmp_path / "mug.obj").write_text("somebody's")
    with pytest.raises(InputError, match=r"mug\.obj: is there already, beside its"):
        run(tmp_path / "mug.png", tmp_path)


def test_a_prediction_that_is_not_finite_is_not_written(tmp_path):
    def broken(batch):
        mesh = predict(batch).meshes[-1]
        return Outputs((mesh._replace(vertices=mesh.vertices * np.float32(np.nan)),))

    with pytest.raises(InputError, match="not finite"):
        run(save_image(tmp_path / "a.png"), tmp_path / "out", broken)
    assert not (tmp_path / "out").exists()


def test_a_prediction_without_a_surface_is_not_written(tmp_path):
    nothing = HostMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), None)
    image = save_image(tmp_path / "a.png")
    with pytest.raises(InputError, match="the prediction is empty"):
        reconstruct.reconstruct(
            lambda batch: [Reconstruction((nothing,))],
            image,
            tmp_path / "out",
            image_size=SIZE,
        )
    assert not (tmp_path / "out").exists()


def test_a_folder(tmp_path):
    for name in ("b", "a"):
        save_image(tmp_path / f"{name}.png")
        save_depth(tmp_path / f"{name}_depth.png")
    results = run(tmp_path, tmp_path / "out", inputs=("rgb", "depth"))
    assert [result.image.name for result in results] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file_format": "fbx"}, "unknown format 'fbx'; valid: obj, ply, glb, stl"),
        ({"previews": "jpg"}, "unknown preview 'jpg'; valid: png, html, gif, none"),
        ({"fit": "yes"}, "unknown fit 'yes'; valid: auto, always, never"),
        ({"refine": -1}, "refine is -1; expected 0 or a number of steps"),
    ],
)
def test_unknown_choices(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        run(save_image(tmp_path / "chair.png"), tmp_path / "out", **options)


@pytest.mark.data
def test_real_captures_come_back_to_their_place(tmp_path, data_dir):
    """The template, whatever its shape, lands on the true object."""
    results = run(data_dir / "rgbd_captures", tmp_path / "out", inputs=("rgb", "depth"))
    assert len(results) == 3
    for result in results:
        predicted = trimesh.load_mesh(result.meshes[0])
        true = trimesh.load_mesh(
            result.image.with_name(f"{result.image.stem}_mesh.ply")
        )
        assert np.linalg.norm(predicted.bounds.mean(0) - true.bounds.mean(0)) < 0.025
        assert predicted.scale == pytest.approx(true.scale, rel=0.35)


def test_refined_the_visible_side_lies_on_the_depth_map(tmp_path):
    """A flat depth map, and an ellipsoid in front of it."""
    image = save_image(tmp_path / "plate.png")
    depth = save_depth(tmp_path / "plate_depth.png", 0.72)
    options = {
        "depth": depth,
        "intrinsics": "52.5,52.5,23.5,23.5",
        "inputs": ("rgb", "depth"),
    }
    errors = []
    for steps in (0, 25):
        [result] = run(image, tmp_path / str(steps), refine=steps, **options)
        assert result.watertight
        errors.append(abs(visible_depth(result, 52.5, 48) - 0.72))
    assert errors[1] < errors[0] / 3
    with pytest.raises(InputError, match="refine is -1; expected 0 or a number"):
        run(image, tmp_path / "bad", refine=-1, **options)
