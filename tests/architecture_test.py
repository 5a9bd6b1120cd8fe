"""The floors of the house: who may import whom, found by reading every import.

    main -> modes -> training, evaluation, inference, report
    training -> methods -> models, losses, weights -> geometry
    evaluation, report, inference -> rendering, io -> geometry
    everybody -> structures, errors

The core runs without TensorFlow, the mathematics without Flax, and pickles are read in
one place.
"""

import ast
import functools
import pathlib
from collections.abc import Iterator

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ("pixel2mesh_jax", "data_pipelines", "configs", "tests")
PACKAGES = FOLDERS[:3]

# Part of the project -> the parts that it may import, besides itself.
SCHEMA = {"structures", "errors"}
GEOMETRY = SCHEMA | {"geometry"}
FILES = {"atomic_files", "file_locks"}
HOST = GEOMETRY | FILES | {"io", "rendering", "processes"}
METHODS = GEOMETRY | {"io", "losses", "models", "weights"}
MODES = HOST | METHODS | {"methods", "training", "evaluation", "report", "inference"}
MAY_IMPORT = {
    "errors": set(),
    "structures": set(),
    "geometry": SCHEMA,
    "file_locks": {"errors"},
    "atomic_files": {"file_locks"},
    "command_line": set(),
    "processes": {"errors"},
    "io": GEOMETRY | FILES,
    "rendering": GEOMETRY,
    "losses": GEOMETRY,
    "models": GEOMETRY,
    "weights": GEOMETRY | FILES | {"io"},
    "methods": METHODS,
    "evaluation": HOST,
    "training": METHODS | FILES | {"methods", "evaluation", "processes"},
    "report": HOST | {"evaluation"},
    "inference": HOST | {"report"},
    "data_pipelines": HOST | {"command_line"},
    "configs": GEOMETRY | {"methods", "training", "weights"},
    "compilation_cache": {"atomic_files"},
    "model": MODES - {"evaluation"} | {"compilation_cache"},
    "modes": MODES | {"data_pipelines"},
    "main": MODES | {"modes", "compilation_cache"},
    "web": SCHEMA | {"io", "rendering", "inference", "model"},
    "app": {"command_line", "errors", "io", "model", "web", "weights"},
    "models_table": {"command_line", "weights"},
    "cli": {"main"},
    "compare": MODES | {"modes", "command_line"},
}

# Room of `data_pipelines` -> the rooms that it may import, besides itself. `plan.py`
# lists the data sets; what stands at the top, the entry points, may import all.
DATA_ROOMS = {
    "surfaces": set(),
    "depth_estimation": set(),
    "building": {"surfaces", "depth_estimation"},
    "streaming": {"building"},
    "sources": {"building", "surfaces"},
}
DATA_SETS = {"building", "surfaces", "sources"}
LISTS_DATA_SETS = "data_pipelines/building/plan.py"

# Library -> where it may be imported. Everything else does without.
ONLY_IN = {
    "tensorflow": ("data_pipelines/",),
    "tensorflow_datasets": ("data_pipelines/",),
    "apache_beam": ("data_pipelines/",),
    "flax": ("pixel2mesh_jax/models/", "pixel2mesh_jax/methods/", "tests/methods/"),
    "jraph": ("pixel2mesh_jax/geometry/graph.py",),
    "pickle": (),  # io/pickled_arrays.py parses without running
    "torch": (
        "data_pipelines/depth_estimation/",
        "pixel2mesh_jax/weights/files.py",
    ),
    "safetensors": ("pixel2mesh_jax/weights/",),
    "transformers": ("data_pipelines/depth_estimation/",),
    "onnxruntime": ("pixel2mesh_jax/io/onnx_networks.py",),
    "gradio": ("pixel2mesh_jax/app.py",),
    "rembg": ("pixel2mesh_jax/io/matting.py",),
    "xatlas": ("pixel2mesh_jax/rendering/atlas.py",),
}
# Tests (`*_test.py`) in these folders may use what they test with.
TESTED_IN = {
    "tensorflow": ("tests/data_pipelines/",),
    "tensorflow_datasets": ("tests/data_pipelines/",),
    "flax": ("tests/models/", "tests/training/"),
    "jraph": ("tests/geometry/", "tests/models/"),
    "torch": ("tests/weights/",),
    "pickle": (
        "tests/io/",
        "tests/data_pipelines/",
        "data_pipelines/p2m_shapenet/",
    ),
}
VAGUE_NAMES = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}


def source_files(*folders: str) -> Iterator[pathlib.Path]:
    for folder in folders:
        yield from sorted((REPOSITORY / folder).rglob("*.py"))


def name_of(path: pathlib.Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@functools.cache
def imports(path: pathlib.Path) -> frozenset[str]:
    """Dotted names of everything that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} uses a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def part(dotted: str) -> str | None:
    """The part of the project that a dotted name belongs to, if any."""
    head, *rest = dotted.split(".")
    if head == "pixel2mesh_jax":
        return rest[0] if rest else None
    return head if head in PACKAGES else None


def part_of_file(path: pathlib.Path) -> str | None:
    dotted = path.relative_to(REPOSITORY).with_suffix("").as_posix().replace("/", ".")
    return None if dotted == "pixel2mesh_jax.__init__" else part(dotted)


@pytest.mark.parametrize("path", [*source_files(*PACKAGES)], ids=name_of)
def test_imports_go_down_the_floors(path):
    here = part_of_file(path)
    if here is None:
        return
    assert here in MAY_IMPORT, f"{here} has no floor yet: add it to MAY_IMPORT"
    wanted = {part(name) for name in imports(path)} - {None, here}
    assert wanted <= MAY_IMPORT[here]


def room(dotted: str) -> str | None:
    """The room of `data_pipelines` that a dotted name belongs to, if any."""
    head, *rest = dotted.split(".")
    folder = REPOSITORY / "data_pipelines" / (rest[0] if rest else "")
    return rest[0] if head == "data_pipelines" and rest and folder.is_dir() else None


@pytest.mark.parametrize("path", [*source_files("data_pipelines")], ids=name_of)
def test_rooms_of_data_pipelines_keep_apart(path):
    here = room(path.relative_to(REPOSITORY).parent.as_posix().replace("/", "."))
    if here is None or path.name.endswith("_test.py"):
        return
    wanted = {room(name) for name in imports(path)} - {None, here}
    if name_of(path) == LISTS_DATA_SETS:
        wanted &= {*DATA_ROOMS}
    assert wanted <= DATA_ROOMS.get(here, DATA_SETS)


def test_floors_have_no_cycle():
    remaining = {name: below - {name} for name, below in MAY_IMPORT.items()}
    while remaining:
        ground = {name for name, below in remaining.items() if not below}
        assert ground, f"cycle among {sorted(remaining)}"
        remaining = {
            name: below - ground
            for name, below in remaining.items()
            if name not in ground
        }


@pytest.mark.parametrize("library", ONLY_IN)
def test_library_stays_in_its_place(library):
    users = [
        name_of(path)
        for path in source_files(*FOLDERS)
        if library in {name.split(".")[0] for name in imports(path)}
    ]
    strays = [
        name
        for name in users
        if not name.startswith(ONLY_IN[library])
        and not (
            name.endswith("_test.py") and name.startswith(TESTED_IN.get(library, ()))
        )
    ]
    assert strays == []


def test_no_module_has_a_name_that_says_nothing():
    vague = [
        name_of(path)
        for path in source_files("pixel2mesh_jax", "data_pipelines", "tests")
        if path.name in VAGUE_NAMES
    ]
    assert vague == []


def test_pickles_are_never_loaded_by_numpy():
    careless = [
        name_of(path)
        for path in source_files(*PACKAGES)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.keyword)
        and node.arg == "allow_pickle"
        and ast.unparse(node.value) != "False"
    ]
    assert careless == []
