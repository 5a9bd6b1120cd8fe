"""Which models a ShapeNet tree and its renderings hold, and how one becomes records."""

import collections
import pathlib
import re
from collections.abc import Sequence

from data_pipelines.building.examples import examples_of_surface
from data_pipelines.building.options import Item, Options
from data_pipelines.shapenet_r2n2 import frames, renderings
from data_pipelines.shapenet_r2n2.frames import V1_MESH, V2_MESH
from data_pipelines.shapenet_r2n2.renderings import METADATA, POINTS
from data_pipelines.sources import shapenet
from data_pipelines.sources.shapenet import RENDERING_SIZE, SYNSETS
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import meshes
from pixel2mesh_jax.structures import Example

# Class of models that lie in no folder with the name of a synset.
UNKNOWN = "unknown"
CATEGORIES = (*SYNSETS.values(), UNKNOWN)


def find_items(
    source: pathlib.Path, options: Options
) -> tuple[list[Item], dict[str, int]]:
    """Lists models of `source/<synset>/<model>/`, or of `source/<model>/`.

    With renderings, the models are those of the renderings; one that has no mesh fails
    later, under its name. If there are points (`POINTS`) and no meshes at all, models
    are made of them. Without renderings, the models are the meshes.

    Views belong to the split that published lists say, see `shapenet.read_splits`;
    without them, models are split by the hash of their name.

    Args:
      source: folder.
      options: `renderings` is the folder of
        `<synset>/<model>/rendering/rendering_metadata.txt`, by default `source`.

    Returns:
      The objects in order of their paths, and the number of models of no use by reason.

    Raises:
      InputError: no such folder, no models in it, or not the size of the renderings.
    """
    images = pathlib.Path(options.renderings or source)
    for name, folder in (("source", source), ("renderings", images)):
        if not folder.is_dir():
            raise InputError(f"--{name} {folder}: no such folder")
    rendered = _models(images, f"rendering/{METADATA}")
    if options.renderings and not rendered:
        raise InputError(
            f"--renderings {images}: no renderings; expected "
            f"<synset>/<model>/rendering/{METADATA} and NN.png"
        )
    if rendered and options.size != RENDERING_SIZE:
        raise InputError(
            f"--size {options.size}: the renderings have {RENDERING_SIZE} pixels; "
            "build from a source without them to render images of another size"
        )
    splits = shapenet.read_splits(images, source)
    if not rendered:
        return _mesh_items(source, splits)
    items, ignored = _rendered_items(source, rendered, splits, options.views)
    if not has_meshes(items) and (options.voxels or options.num_queries):
        raise InputError(
            f"--source {source}: holds points and no meshes, which --voxels and "
            "--num_queries need"
        )
    return items, ignored


def make_examples(item: Item, options: Options) -> list[Example]:
    """Reads a model and its images, or renders them. Raises InputError if it cannot.

    `item.files` holds the shape, then the images if there are any.
    """
    shape, *images = item.files
    if not shape:
        raise InputError(f"no mesh; expected {V1_MESH} or {V2_MESH} in the source")
    if shape.endswith(POINTS):
        return renderings.examples_of_points(item)
    surface = meshes.load_surface(shape)
    if images:
        return renderings.examples_of_mesh(surface, item, options)
    return examples_of_surface(frames.normalized(surface, shape), item, options)


def has_meshes(items: Sequence[Item]) -> bool:
    """Whether depth and colours are known: not if the shapes are points."""
    return not any(item.files[0].endswith(POINTS) for item in items)


def _models(folder, name):
    """(synset, model) -> folder, of all that hold a file of this name.

    A model that lies in no synset folder has the synset `UNKNOWN`.
    """
    depth = len(pathlib.PurePosixPath(name).parts)
    found = {}
    for path in sorted((*folder.glob(f"*/{name}"), *folder.glob(f"*/*/{name}"))):
        model = path.parents[depth - 1]
        synset = model.parent.name if model.parent != folder else UNKNOWN
        found[synset, model.name] = model
    return found


def _mesh_folders(source):
    return _models(source, V1_MESH) | _models(source, V2_MESH)


def _rendered_items(source, rendered, splits, num_views):
    """`rendered`: (synset, model) -> folder that holds its renderings."""
    shapes = _shapes(source, rendered)
    objects, ignored = collections.defaultdict(list), collections.Counter()
    if unseen := len(_mesh_folders(source).keys() - rendered.keys()):
        ignored["models without renderings"] = unseen
    for (synset, model), folder in rendered.items():
        if synset not in (*SYNSETS, UNKNOWN):
            ignored[f"models of the unknown synset {synset}"] += 1
            continue
        for path in _numbered_images(folder / "rendering"):
            split = shapenet.split_of_view(splits, synset, model, int(path.stem))
            if split is None:
                ignored["views that are in no split list"] += 1
            else:
                objects[split, synset, model].append(path)
    if not objects:
        raise InputError(f"no images NN.png to use beside any {METADATA}")
    items = [
        _item(*key, (shapes.get(key[1:]), *paths[:num_views]))
        for key, paths in objects.items()
    ]
    return items, dict(ignored)


def _mesh_items(source, splits):
    items, ignored = [], collections.Counter()
    for (synset, model), folder in sorted(_mesh_folders(source).items()):
        split = shapenet.split_of_view(splits, synset, model, view=0)
        if synset not in (*SYNSETS, UNKNOWN):
            ignored[f"models of the unknown synset {synset}"] += 1
        elif split is None:
            ignored["models that are in no split list"] += 1
        else:
            shape = _first_file(folder, (V1_MESH, V2_MESH))
            items.append(_item(split, synset, model, (shape,)))
    if not items:
        raise InputError(
            f"--source {source}: no models; expected <synset>/<model>/{V1_MESH} or "
            f"<synset>/<model>/{V2_MESH}"
        )
    return items, dict(ignored)


def _shapes(source, models):
    """(synset, model) -> file of its shape: points only if there are no meshes."""
    folders = {
        (synset, model): source / model
        if synset == UNKNOWN
        else source / synset / model
        for synset, model in models
    }
    for names in ((V1_MESH, V2_MESH), (POINTS,)):
        shapes = {key: _first_file(path, names) for key, path in folders.items()}
        if any(shapes.values()):
            return shapes
    return {}


def _first_file(folder, names):
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _numbered_images(folder):
    return sorted(p for p in folder.glob("*.png") if re.fullmatch(r"\d+", p.stem))


def _item(split, synset, model, paths: Sequence[pathlib.Path | None]):
    return Item(
        split=split,
        category=SYNSETS.get(synset, UNKNOWN),
        object_id=f"{synset}/{model}",
        files=tuple(str(path.absolute()) if path else "" for path in paths),
        stamp="-".join(str(path.stat().st_mtime_ns) for path in paths if path),
    )
