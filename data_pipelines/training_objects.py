"""The objects that the released weights were trained on, as a folder for the build.

    python -m data_pipelines.training_objects --objects OBJECTS --out FOLDER
    python -m data_pipelines.build mesh_folder --source FOLDER --data_dir data \
        --volume 64 --views 24 --num_points 1000

OBJECTS holds `OBJECTS.csv` (file, licence, author, ...) and the files that it names as
`<split>/<category>/*`. Of its training and validation objects those under a licence
that allows weights of any licence are copied. Procedural shapes join them where there
are few or, with `--shapes many`, in most categories, with `--shapes none` nowhere;
`--stretched N` adds N copies of every training object that differ in their proportions.
FOLDER then has `train/`, `val/` and `ATTRIBUTION.csv`, one row per object.
"""

import argparse
import csv
import pathlib
import shutil
import sys

from rich.console import Console

from data_pipelines import stretched_copies
from data_pipelines.building.options import random_generator
from data_pipelines.procedural_shapes import families
from pixel2mesh_jax.errors import InputError

# Licences of which no part may go into weights that others use as they like.
EXCLUDED = ("GPL",)
SPLITS = ("train", "val")
# Procedural shapes of every family, by what `--shapes` says.
PROCEDURAL = {
    "none": {},
    "few": {
        "airplane": 120,
        "bench": 30,
        "boat": 80,
        "cabinet": 80,
        "car": 80,
        "lamp": 30,
        "sofa": 20,
        "table": 30,
    },
    "many": {
        "airplane": 120,
        "bench": 70,
        "boat": 80,
        "cabinet": 80,
        "car": 140,
        "chair": 80,
        "lamp": 70,
        "sofa": 80,
        "storage": 900,
        "table": 90,
    },
}
# Categories that families join which are not called like them.
CATEGORY = {"boat": "watercraft", "storage": "cabinet"}
ATTRIBUTION = ("file", "licence", "author", "repository", "commit", "source_path")


def permitted(objects: pathlib.Path) -> list[dict[str, str]]:
    """Rows of `OBJECTS.csv` that may be trained on.

    Raises:
      InputError: no such table, a column is missing, or a file lies elsewhere.
    """
    table = objects / "OBJECTS.csv"
    if not table.is_file():
        raise InputError(f"No table of objects at {table}.")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in ATTRIBUTION if rows and name not in rows[0]]
    if missing or not rows:
        raise InputError(f"{table} has no column {', '.join(missing or ATTRIBUTION)}.")
    strange = [
        row["file"] for row in rows if ".." in pathlib.PurePath(row["file"]).parts
    ]
    if strange:
        raise InputError(f"{table} names a file outside of its folder: {strange[0]}")
    return [
        row
        for row in rows
        if row["file"].startswith(tuple(f"{split}/" for split in SPLITS))
        and not any(name in row["licence"] for name in EXCLUDED)
    ]


def copy_objects(
    objects: pathlib.Path, rows: list[dict[str, str]], out: pathlib.Path
) -> None:
    """Copies the files of the rows and says whose they are."""
    for row in rows:
        target = out / row["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(objects / row["file"], target)
    with (out / "ATTRIBUTION.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ATTRIBUTION, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def write_stretched(
    objects: pathlib.Path,
    rows: list[dict[str, str]],
    out: pathlib.Path,
    copies: int,
    seed: int,
) -> int:
    """Writes copies of the training objects; functions of the seed and their names.

    Raises:
      InputError: an object is no .glb file.
    """
    sources = [
        objects / row["file"] for row in rows if row["file"].startswith("train/")
    ]
    for source in sources:
        for number in range(copies):
            rng = random_generator(seed, source.name, number, "stretched")
            target = out / "train" / source.parent.name
            target /= f"{source.stem}_stretched_{number}.glb"
            factors = stretched_copies.random_factors(rng)
            target.write_bytes(stretched_copies.stretched(source, factors))
    return copies * len(sources)


def write_shapes(out: pathlib.Path, seed: int, amount: str) -> int:
    """Writes procedural shapes; each is a function of the seed and its number."""
    for family, count in PROCEDURAL[amount].items():
        folder = out / "train" / CATEGORY.get(family, family)
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            name = f"{family}/train-{number:05d}"
            mesh = families.make_shape(family, random_generator(seed, name, "shape"))
            mesh.export(folder / f"procedural_{family}_{number:03d}.ply")
    return sum(PROCEDURAL[amount].values())


def main(arguments: list[str]) -> int:
    """Makes the folder; 2 with a message where it cannot."""
    console = Console(stderr=True, soft_wrap=True)
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--objects", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--shapes", choices=tuple(PROCEDURAL), default="few")
    parser.add_argument("--stretched", type=int, default=0, metavar="COPIES")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    try:
        rows = permitted(given.objects)
        given.out.mkdir(parents=True, exist_ok=True)
        copy_objects(given.objects, rows, given.out)
        copies = write_stretched(
            given.objects, rows, given.out, given.stretched, given.seed
        )
    except (InputError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False)
        return 2
    count = write_shapes(given.out, given.seed, given.shapes)
    console.print(
        f"{len(rows)} objects, {copies} stretched copies and {count} procedural shapes "
        f"in {given.out}",
        highlight=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
