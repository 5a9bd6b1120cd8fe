"""What a reconstruction writes, and what of it would overwrite something."""

import collections
import logging
import pathlib
import re
from collections.abc import Sequence

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import textured_meshes
from pixel2mesh_jax.io.sources import Sources

_STAGE = re.compile(r"(.+)_stage\d+")
# Names that a message lists.
MOST_NAMES = 10

logger = logging.getLogger(__name__)


def of_stage(path: pathlib.Path, number: int) -> pathlib.Path:
    """The mesh of one stage, beside the final mesh."""
    return path.with_stem(f"{path.stem}_stage{number}")


def of_preview(path: pathlib.Path) -> pathlib.Path:
    """The strip of images, beside the final mesh."""
    return path.with_name(f"{path.stem}_preview.png")


def of_summary(path: pathlib.Path) -> pathlib.Path:
    """What is known of the mesh, beside it."""
    return path.with_suffix(".json")


def of_page(path: pathlib.Path) -> pathlib.Path:
    """The page with the mesh, beside it."""
    return path.with_suffix(".html")


def of_turntable(path: pathlib.Path) -> pathlib.Path:
    """The mesh that turns, beside it."""
    return path.with_suffix(".gif")


def beside(path: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """What may be written beside a mesh."""
    others = of_preview(path), of_summary(path), of_page(path), of_turntable(path)
    return (*others, *textured_meshes.beside(path))


def check(
    found: Sequence[Sources], output: pathlib.Path, file_format: str, stages: bool
) -> None:
    """Looks for files that would be overwritten, before any is written.

    Results of an earlier run are replaced, with a warning.

    Raises:
      InputError: two results have one name, or a file is there beside its image,
        where it may be anybody's.
    """
    stems = [files.image.stem for files in found]
    doubled = _doubled(stems, stages)
    if doubled:
        raise InputError(
            f"{found[0].image.parent}: several images would be written to the same "
            f"file: {', '.join(doubled)}; rename them"
        )
    there = []
    for files in found:
        mesh = output / f"{files.image.stem}.{file_format}"
        stage_files = [of_stage(mesh, number) for number in range(1, 4)] * stages
        planned = [mesh, *beside(mesh), *stage_files]
        existing = [path for path in planned if path.exists()]
        if existing and output.resolve() == files.image.parent.resolve():
            raise InputError(
                f"{existing[0]}: is there already, beside its image; give another "
                "--output, or remove it"
            )
        there += [path.name for path in existing]
    if there:
        names = ", ".join(there[:MOST_NAMES]) + ", ..." * (len(there) > MOST_NAMES)
        logger.warning(
            "%s: %d files of another run are replaced: %s",
            *(output, len(there), names),
        )


def _doubled(stems, stages):
    """Stems whose files would have the name of another's."""
    counts = collections.Counter(stem.casefold() for stem in stems)
    doubled = [name for name, count in counts.items() if count > 1]
    if stages:
        matches = {name: _STAGE.fullmatch(name) for name in counts}
        doubled += [name for name, m in matches.items() if m and m.group(1) in counts]
    return sorted(doubled)
