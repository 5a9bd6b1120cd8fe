"""What stands on the page: fields, results and examples, as components of gradio."""

import pathlib
from typing import Any, NamedTuple

from pixel2mesh_jax.io import cameras, sources, units
from pixel2mesh_jax.web.job import FORMATS, TEXTURE, Form

INTRODUCTION = """# One image in, a mesh out
With depth the mesh is closed, coloured and in metres; without it, size and hidden side
are guesses. The object should be cut out; with depth, it may stand on a table."""
# fx, fy, cx, cy of well-known sensors at their usual size.
PRESETS = {
    "from the image (assumed)": "",
    "RealSense D435, 640x480": "617,617,320,240",
    "Kinect v1, 640x480": "525,525,319.5,239.5",
    "Azure Kinect, 1280x720": "609,609,640,360",
}
CAMERA_FILES = (
    "Camera of the image",
    "Camera of the depth map, if another one",
    "Depth to colour: matrix, or turn and shift",
)
CAMERAS = "As RealSense, ROS, Open3D, COLMAP, nerfstudio or BOP write them."
FRAMES = {
    "camera": "as it is seen, y up",
    "opencv": "y down, z forward",
    "object": "upright around the origin",
}
EVIDENCE = "What was taken for the object, and its depth: bright is near."
EXAMPLES = ("taxi", "bench", "gelatin_box")
# Fields that examples fill: the first ones of the form.
EXAMPLE_FIELDS = Form._fields[: Form._fields.index("file_format") + 1]
FILE_HEIGHT = 150  # of a field for a file, pixels
# Of a field that stands beside another one; on a phone, below it.
FIELD_WIDTH = 220
MESH_HEIGHT = 420


class Outputs(NamedTuple):
    """Where the answer is shown.

    Attributes:
      mesh, download, image, facts: as in `job.Answer`.
      stages: slider over the meshes of the stages, hidden until there are several.
      result: what the slider looks at; kept by the server for a while.
    """

    mesh: Any
    stages: Any
    download: Any
    image: Any
    facts: Any
    result: Any


def inputs(gradio: Any, background: str | None) -> Form:
    """The fields.

    Args:
      gradio: the library.
      background: name of the network that removes backgrounds, if there is one.
    """
    image = _as_uploaded(
        gradio.Image(
            label="Image", type="filepath", image_mode=None, sources=["upload"]
        )
    )
    with gradio.Row(equal_height=True):
        depth = _file(gradio, "Depth, optional: PNG in mm, TIFF, npy")
        mask = _file(gradio, "Mask, optional: white on the object")
    with gradio.Row():
        preset = gradio.Dropdown(
            list(PRESETS),
            label="Sensor",
            value=next(iter(PRESETS)),
            min_width=FIELD_WIDTH,
        )
        camera = gradio.Textbox(
            "",
            label="Camera: fx, fy, cx, cy in pixels",
            placeholder="617,617,320,240",
            min_width=FIELD_WIDTH,
        )
    preset.change(PRESETS.get, preset, camera, api_visibility="private")
    with gradio.Row():
        unit = gradio.Dropdown(
            ["", *units.UNITS],
            label="Depth unit",
            value="",
            allow_custom_value=True,
        )
        file_format = gradio.Radio(
            FORMATS, label="File", value="glb", scale=2, min_width=FIELD_WIDTH
        )
    with gradio.Accordion("Which part is the object", open=False):
        part = _part(gradio, background)
    with gradio.Accordion("Cameras from files", open=False):
        gradio.Markdown(CAMERAS)
        files = [_file(gradio, label) for label in CAMERA_FILES]
    with gradio.Accordion("Frame and texture", open=False):
        look = _look(gradio)
    return Form(image, depth, mask, camera, unit, file_format, *part, *files, *look)


def _part(gradio, background):
    """Label, box, and whether the background is removed."""
    with gradio.Row():
        box = gradio.Textbox(
            "",
            label="Box: left, top, right, bottom",
            info="Pixels; for an image that depth alone cuts out.",
            placeholder="40,30,200,180",
            min_width=FIELD_WIDTH,
        )
        label = gradio.Textbox(
            "",
            label="Label in the mask",
            info="Value of the object, if the mask has several.",
            placeholder="3",
            min_width=FIELD_WIDTH,
        )
    offered = f"With {background}." if background else "Start the page with --matting."
    remove = gradio.Checkbox(
        False,
        label="Remove the background",
        info=f"Of an image without transparency and mask. {offered}",
        interactive=background is not None,
    )
    return label, box, remove


def _look(gradio):
    """Frame, and whether there is a texture."""
    frame = gradio.Dropdown(
        [(f"{name}: {text}", name) for name, text in FRAMES.items()],
        label="Frame of the mesh",
        value="camera",
    )
    texture = gradio.Checkbox(
        False, label=f"Texture of {TEXTURE} texels from the image (glb, obj)"
    )
    return frame, texture


def outputs(gradio: Any, seconds: int) -> Outputs:
    """The results; the meshes of the stages are kept for so many seconds."""
    mesh = gradio.Model3D(label="Mesh: drag to turn", height=MESH_HEIGHT)
    stages = gradio.Slider(
        1, 2, 1, step=1, visible=False, interactive=True, elem_id="stages"
    )
    gradio.Markdown(EVIDENCE)
    return Outputs(
        mesh=mesh,
        stages=stages,
        image=gradio.Image(
            show_label=False,  # it would cover a corner
            alt_text=EVIDENCE,
            interactive=False,
            format="png",
            buttons=["fullscreen"],
            elem_id="evidence",
        ),
        download=gradio.File(label="Download"),
        facts=gradio.JSON(label="What is known of it"),
        result=gradio.State(time_to_live=seconds),
    )


def stage_slider(gradio: Any, count: int) -> Any:
    """The slider over so many meshes, at the last one; hidden if that is the only."""
    return gradio.Slider(
        maximum=max(count, 2),
        value=count,
        label=f"Stage: {count} is the result",
        visible=count > 1,
    )


def examples(gradio: Any, form: Form) -> None:
    """Images of the checkout, where there is one; a click fills the fields."""
    folder = pathlib.Path(__file__).resolve().parents[2] / "examples"
    rows = [_example(folder / f"{name}.png") for name in EXAMPLES]
    found = [row for row in rows if row is not None]
    if found:
        fields = list(form[: len(EXAMPLE_FIELDS)])
        gradio.Examples(found, fields, visible_columns=[0])


def _example(image):
    """The first fields for an image and what lies beside it."""
    if not image.is_file():
        return None
    (files,) = sources.find_sources(image)
    matrix = cameras.load_camera(files.camera).matrix
    numbers = (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    camera = ",".join(f"{number:g}" for number in numbers)
    mask = files.mask and str(files.mask)
    return [str(image), str(files.depth), mask, camera, "", "glb"]


def _file(gradio, label):
    return _as_uploaded(
        gradio.File(label=label, height=FILE_HEIGHT, min_width=FIELD_WIDTH)
    )


def _as_uploaded(component):
    """The file itself: our reader says what is wrong with it.

    Gradio's own preprocessing also leaves an empty file behind for every one (6.31).
    """
    component.preprocess = lambda payload: None if payload is None else payload.path
    return component
