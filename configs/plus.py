r"""Pixel2Mesh from the released one to `rgbd_plus.py`, and what else was tried.

Up to `rendered` a name stands for its change with all before it:

    name         what is new
    released     nothing: the network and the losses of the release
    placed       with depth: the template stands in the box of what is seen
    still        the last layers start at 0: training begins with that template
    told         vertices are told where they are relative to depth map and outline
    anchored     with depth: vertices can go along their rays to the depth map
    colored      colours of the vertices
    smooth       neighbouring faces look the same way, the outline is filled
    rendered     with depth: the depth map of the mesh against the measured one: plus

A name behind it stands for plus with this one change:

    sampled      points of the surface instead of vertices, from the second stage on
    carved       nothing before the depth map and beside the outline
    scheduled    edges and Laplacian strong at first and falling
    oriented     nearest neighbours look the same way; normals of nearest neighbours

`docs/ablations_plus.md` says what each is worth.

    python -m pixel2mesh_jax.main --config configs/plus.py:sampled,rgbd --workdir runs/x

Small networks, see `common.tiny`, in colour; with `rgbd` in colour and depth.
`python -m benchmarks.ablations --table plus` runs all rows.
"""

from configs import common
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.methods import pixel2mesh

# Name -> setting -> value; of the losses those of `pixel2mesh.PLUS` from `NEW_LOSS` on.
STEPS = {
    "released": {},
    "placed": {"model.placement": "view"},
    "still": {"model.starts_still": True},
    "told": {"model.sees_view": True},
    "anchored": {"model.anchor": True},
    "colored": {
        "model.vertex_colors": True,
        "model.seen_colors": "image",
        "loss.color": 1.0,
    },
    "smooth": {"loss.normal": 0.0, "loss.smooth": 3.0, "loss.coverage": 300.0},
    "rendered": {"loss.rendered_metric": 50.0},
    "sampled": {"loss.num_samples": 2000},
    "carved": {"loss.free_space": 1000.0, "loss.silhouette": 1000.0},
    "scheduled": {
        "loss.edge_stages": (2.0, 1.0, 0.5),
        "loss.laplacian_stages": (0.3, 1.0, 0.5),
    },
    "oriented": {"loss.orientation": 0.05, "loss.normal": 0.5},
}
PLUS = "rendered"  # the last row that is worth having
NEW_LOSS = "smooth"  # from here on
# Without depth there is nothing to be anchored to or compared with, and a template
# placed by its outline made it worse: the network is no longer told how far away it is.
DEPTH_ONLY = ("placed", "anchored", "rendered")


def get_config(variant=PLUS):
    """Settings of the experiment; variants: a name above, and `rgbd`."""
    names = [name.strip() for name in (variant or PLUS).split(",")]
    rows = [name for name in names if name != "rgbd"] or [PLUS]
    if len(rows) > 1 or rows[0] not in STEPS:
        raise InputError(
            f"Unknown row {','.join(rows)!r}. Valid choices: one of "
            f"{', '.join(STEPS)}, and rgbd."
        )
    inputs = ("rgb", "depth") if "rgbd" in names else ("rgb",)
    return improved(common.tiny(common.pixel2mesh(inputs)), rows[0])


def changes_of(row):
    """Names of the changes that a row has."""
    names = list(STEPS)
    if names.index(row) <= names.index(PLUS):
        return names[: names.index(row) + 1]
    return [*names[: names.index(PLUS) + 1], row]


def improved(config, row=PLUS):
    """The changes of a row, on top of a config of the released network."""
    chosen = changes_of(row)
    if NEW_LOSS in chosen:
        config.loss = pixel2mesh.loss_defaults(pixel2mesh.PLUS)
    for name in chosen:
        if name in DEPTH_ONLY and "depth" not in config.inputs:
            continue
        config.update_from_flattened_dict(STEPS[name])
    return config
