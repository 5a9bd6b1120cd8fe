"""Table and cabinet. Units are roughly metres; the front looks towards +z."""

import numpy as np

from data_pipelines.procedural_shapes.families import parts
from data_pipelines.procedural_shapes.families.seating import four_legs

Parts = list


def table(rng: np.random.Generator) -> Parts:
    """A top of some outline on legs, a pedestal, a trestle or side panels."""
    width, depth = rng.uniform(0.8, 1.7), rng.uniform(0.6, 0.9)
    height, thickness = rng.uniform(0.4, 0.78), rng.uniform(0.025, 0.06)
    color = parts.wood(rng) if rng.random() < 0.75 else parts.random_color(rng)
    frame = color if rng.random() < 0.5 else parts.metal(rng)
    shape = rng.choice(["square", "rounded", "round", "oval"])
    if shape == "round":
        width = depth = rng.uniform(0.7, 1.2)
    radius = {"square": 0.0, "rounded": 0.12}.get(shape)
    outline = (
        parts.ellipse(depth, width, 40)
        if radius is None
        else parts.rounded_rectangle(depth, width, radius)
    )
    top = parts.plate(outline, (0, height - thickness / 2, 0), thickness, "y", color)
    under = height - thickness
    if radius is None:  # legs stay below a round top
        width, depth = 0.72 * width, 0.72 * depth
    return [top, *_table_legs(rng, width, depth, under, frame, radius is None)]


def _table_legs(rng, width, depth, height, color, is_round) -> Parts:
    style = rng.choice(["straight", "splayed", "pedestal", "trestle", "panels"])
    if style == "pedestal" or (is_round and style in ("trestle", "panels")):
        return _pedestal(rng, min(width, depth), height, color)
    if style == "trestle":
        return _trestle(width, depth, height, color)
    if style == "panels":
        return _panels(rng, width, depth, height, color)
    splay = rng.uniform(0.04, 0.1) if style == "splayed" else 0.0
    radius = rng.uniform(0.025, 0.045)
    segments = 12 if style == "splayed" else 4
    legs = four_legs(width - 0.06, depth - 0.06, height, radius, color, splay, segments)
    if style == "straight":
        size = (width - 0.12, 0.08, depth - 0.12)
        legs.append(parts.box(size, (0, height - 0.04, 0), parts.shade(color, 0.9)))
    if rng.random() < 0.3 and style == "straight":
        shelf = (width - 0.1, 0.02, depth - 0.1)
        legs.append(parts.box(shelf, (0, 0.25 * height, 0), color))
    return legs


def _pedestal(rng, width, height, color) -> Parts:
    radius, foot = rng.uniform(0.04, 0.08), 0.42 * width
    if rng.random() < 0.5:
        profile = [
            (foot, 0),
            (foot, 0.02),
            (1.4 * radius, 0.07),
            (radius, 0.3 * height),
            (radius, 0.8 * height),
            (0.35 * width, height),
        ]
        return [parts.lathe(profile, (0, 0, 0), color)]
    column = parts.lathe([(radius, 0.1), (radius, height)], (0, 0, 0), color, 20)
    feet = [
        parts.rod(
            (0, 0.16, 0),
            (foot * np.cos(a), 0.02, foot * np.sin(a)),
            0.05,
            color,
            0.025,
            4,
        )
        for a in np.arange(4) * np.pi / 2 + np.pi / 4
    ]
    return [column, *feet]


def _trestle(width, depth, height, color) -> Parts:
    x = 0.36 * width
    side = [
        parts.rod((x, height, 0.1), (x, 0, depth / 2 - 0.04), 0.04, color, segments=4),
        parts.rod((x, height, -0.1), (x, 0, 0.04 - depth / 2), 0.04, color, segments=4),
        parts.box((0.06, 0.05, 0.6 * depth), (x, 0.3 * height, 0), color),
    ]
    beam = parts.box((2 * x, 0.06, 0.05), (0, 0.36 * height, 0), color)
    return [*parts.mirrored(side), beam]


def _panels(rng, width, depth, height, color) -> Parts:
    x = width / 2 - 0.04
    size = (0.04, height, 0.92 * depth)
    made = parts.mirrored([parts.box(size, (x, height / 2, 0), color)])
    if rng.random() < 0.6:
        center = (0, 0.65 * height, -0.4 * depth)
        made.append(parts.box((2 * x, 0.5 * height, 0.025), center, color))
    return made


def cabinet(rng: np.random.Generator) -> Parts:
    """A carcass with open shelves, drawers or doors in columns and rows."""
    width, height = rng.uniform(0.5, 1.5), rng.uniform(0.55, 1.8)
    depth, foot = rng.uniform(0.35, 0.55), rng.choice([0.04, 0.12])
    color = parts.wood(rng)
    if rng.random() < 0.4:
        color = parts.random_color(rng, saturation=(0.05, 0.5), value=(0.6, 0.95))
    front = parts.shade(color, rng.uniform(0.75, 1.2))
    if rng.random() < 0.3:
        front = parts.random_color(rng)
    columns = max(1, round(width / rng.uniform(0.4, 0.6)))
    rows = max(1, round(height / rng.uniform(0.25, 0.5)))
    made = _carcass(width, height, depth, foot, color)
    handle = rng.choice(["knob", "bar"])
    open_rows = rng.integers(0, rows + 1) if rng.random() < 0.5 else 0
    for row, *cell in _cells(width, height, foot, columns, rows):
        if row < open_rows:
            made += _shelf_cell(cell, depth, color)
        else:
            made += _front_cell(cell, depth, front, handle)
    if foot > 0.1:
        legs = four_legs(width - 0.04, depth - 0.04, foot, 0.025, parts.metal(rng))
        return [*made, *legs]
    plinth = (width - 0.04, foot, depth - 0.06)
    return [*made, parts.box(plinth, (0, foot / 2, -0.02), parts.shade(color, 0.5))]


def _carcass(width, height, depth, foot, color, wall=0.025) -> Parts:
    """Back, sides, bottom and a top that juts out."""
    tall = height - foot
    side = parts.box(
        (wall, tall, depth), ((width - wall) / 2, foot + tall / 2, 0), color
    )
    back = (width, tall, wall)
    return [
        *parts.mirrored([side]),
        parts.box(back, (0, foot + tall / 2, -(depth - wall) / 2), color),
        parts.box((width, wall, depth), (0, foot + wall / 2, 0), color),
        parts.box((width + 0.03, 0.03, depth + 0.03), (0, height, 0.01), color),
    ]


def _cells(width, height, foot, columns, rows) -> list[tuple]:
    """(row, size, center) of the compartments, in the plane of the front."""
    w, h = (width - 0.05) / columns, (height - foot - 0.05) / rows
    return [
        (
            row,
            (w, h),
            ((column + 0.5 - columns / 2) * w, height - 0.02 - (row + 0.5) * h),
        )
        for row in range(rows)
        for column in range(columns)
    ]


def _shelf_cell(cell, depth, color) -> Parts:
    (w, h), (x, y) = cell
    dark = parts.shade(color, 0.8)
    board = parts.box((w, 0.02, depth - 0.03), (x, y - h / 2, 0), dark)
    divider = parts.box((0.02, h, depth - 0.03), (x - w / 2, y, 0), dark)
    return [board, divider]


def _front_cell(cell, depth, color, handle) -> Parts:
    (w, h), (x, y) = cell
    front = parts.box((w - 0.015, h - 0.015, 0.03), (x, y, depth / 2), color)
    body = parts.box((w, h, 0.01), (x, y, depth / 2 - 0.03), (0.15, 0.13, 0.12))
    steel, z = (0.75, 0.75, 0.78), depth / 2 + 0.03
    if handle == "knob":
        return [front, body, parts.ball((0.035, 0.035, 0.035), (x, y, z), steel, 1)]
    upright = h > 1.3 * w
    size = (0.02, 0.35 * h, 0.02) if upright else (0.35 * w, 0.02, 0.02)
    at = (x + 0.38 * w if upright else x, y if upright else y + 0.3 * h, z)
    return [front, body, parts.box(size, at, steel)]
