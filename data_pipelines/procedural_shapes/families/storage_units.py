"""What stores things: appliances, corner units, racks, shelves, sinks, stacks.

Few parts, many proportions: shapes of which the far side follows from the near one, if
one knows that boards are flat. Units are roughly metres; the front looks towards +z.
"""

import numpy as np

from data_pipelines.procedural_shapes.families import parts
from data_pipelines.procedural_shapes.families.seating import four_legs

Parts = list
DARK = (0.2, 0.19, 0.18)


def storage(rng: np.random.Generator) -> Parts:
    """One of six kinds; some are turned, lie on a side or carry things."""
    kinds = (_appliance, _corner_unit, _rack, _shelves, _sink, _stack)
    kind = kinds[rng.choice(len(kinds), p=[0.3, 0.15, 0.15, 0.15, 0.1, 0.15])]
    made = kind(rng)
    if rng.random() < 0.2 and kind is not _stack:
        made += _things(rng, made)
    if rng.random() < 0.1:
        for part in made:
            parts.tilt(part, 90, (0, 0, 1), (0, 0, 0))
    return made


def _paint(rng):
    """Wood, a colour or the grey of a kitchen."""
    kind = rng.random()
    if kind < 0.4:
        return parts.wood(rng)
    if kind < 0.7:
        return parts.random_color(rng, saturation=(0.05, 0.5), value=(0.4, 0.95))
    return parts.metal(rng)


def _size(rng, low=0.3, high=1.6):
    """Width, height, depth; small ones are as likely as large ones."""
    return np.exp(rng.uniform(np.log(low), np.log(high), 3))


def _box(low, high, color):
    """A box between two corners."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    return parts.box(high - low, (low + high) / 2, color)


def _foot(rng, width, depth, color) -> tuple[Parts, float]:
    """Legs, a plinth or nothing below a body, and the height of its lower side."""
    kind = rng.choice(["none", "plinth", "legs"])
    if kind == "none":
        return [], 0.0
    height = rng.uniform(0.04, 0.25)
    if kind == "legs":
        radius = rng.uniform(0.015, 0.06)
        taper = rng.choice([0.6, 1.0])
        legs = four_legs(width, depth, height, radius, color, taper=taper)
        return legs, height
    inset = rng.uniform(0.0, 0.06)
    size = (width - 2 * inset, height, depth - inset)
    center = (0, height / 2, -inset / 2)
    return [parts.box(size, center, parts.shade(color, 0.5))], height


def _top(rng, width, depth, y, color) -> Parts:
    """A board that juts out on all sides or in front, or nothing."""
    kind = rng.choice(["none", "all", "front"])
    if kind == "none":
        return []
    out, thickness = rng.uniform(0.01, 0.1), rng.uniform(0.02, 0.12)
    behind = out if kind == "all" else 0.0
    low = (-width / 2 - behind, y, -depth / 2 - behind)
    high = (width / 2 + behind, y + thickness, depth / 2 + out)
    return [_box(low, high, color)]


def _appliance(rng) -> Parts:
    """A closed box with doors or drawers on its front, or on none of its sides."""
    width, height, depth = _size(rng)
    color = _paint(rng)
    legs, y = _foot(rng, width, depth, color)
    size, middle = (width, height, depth), (0, y + height / 2, 0)
    if rng.random() < 0.2:
        body = parts.cushion(size, middle, color, 0.1 * min(size))
    else:
        body = parts.box(size, middle, color)
    made = [body, *legs, *_top(rng, width, depth, y + height, _paint(rng))]
    if rng.random() < 0.3:
        back = (width, rng.uniform(0.05, 0.2), 0.04)
        center = (0, y + height + back[1] / 2, 0.02 - depth / 2)
        made.append(parts.box(back, center, color))
    if rng.random() < 0.7:
        made += _fronts(rng, width, height, y, depth / 2)
    return made


def _fronts(rng, width, height, y, z) -> Parts:
    """Rows and columns of doors before the plane z, with handles."""
    columns, rows = rng.integers(1, 4), rng.integers(1, 5)
    w, h, color = width / columns, height / rows, _paint(rng)
    thickness, knobs = rng.uniform(0.01, 0.04), rng.random() < 0.5
    made = []
    for column, row in np.ndindex(columns, rows):
        x = (column + 0.5) * w - width / 2
        middle = np.array([x, y + (row + 0.5) * h, z + thickness / 2])
        made.append(parts.box((0.92 * w, 0.92 * h, thickness), middle, color))
        at = middle + np.array([0, 0.2 * h, thickness])
        if knobs:
            made.append(parts.ball((0.05, 0.05, 0.05), at, DARK, 1))
        else:
            made.append(parts.box((0.4 * w, 0.025, 0.03), at, DARK))
    return made


def _corner_unit(rng) -> Parts:
    """An L, a quarter of a disc or a cut corner, with a top and perhaps shelves."""
    outline = _corner_outline(rng, rng.uniform(0.5, 1.2))
    height, color = rng.uniform(0.3, 1.6), _paint(rng)
    if rng.random() < 0.6:
        boards = [0.0, height]
        made = _prisms(outline, 0.0, height, color)
    else:  # open in front: two walls at the right angle and shelves
        boards = np.linspace(0, height, 5)
        x, z = outline[0].max(axis=0)
        made = [
            _box((x - 0.03, 0, -z), (x, height, 0), color),
            _box((0, 0, -z), (x, height, 0.03 - z), color),
        ]
    for y in boards:
        made += _prisms(1.03 * outline, y, y + 0.03, parts.shade(color, 1.1))
    return made


def _corner_outline(rng, side):
    """(P, N, 2) convex outlines in x and -z whose union is the plan of the unit."""
    kind = rng.choice(["ell", "quarter", "cut"])
    if kind == "ell":
        inner = rng.uniform(0.4, 0.7) * side
        arm = np.array([[0, inner], [side, inner], [side, side], [0, side]])
        return np.stack([arm, arm[::-1, ::-1]])
    if kind == "quarter":
        angle = np.linspace(0, np.pi / 2, 17)
        arc = side * (1 - np.stack([np.cos(angle), np.sin(angle)], axis=1))
        return np.concatenate([arc, [[side, side]]])[None]
    cut = rng.uniform(0.3, 0.7) * side
    points = [[cut, 0], [side, 0], [side, side], [0, side], [0, cut]]
    return np.array(points)[None]


def _prisms(outlines, low, high, color) -> Parts:
    """Upright prisms over outlines in x and -z."""
    made = []
    for outline in outlines:
        rings = [
            np.stack([outline[:, 0], np.full(len(outline), y), -outline[:, 1]], axis=1)
            for y in (low, high)
        ]
        made.append(parts.loft(rings, color))
    return made


def _rack(rng) -> Parts:
    """Boards between four posts that may stand out above."""
    width, height, depth = _size(rng, 0.35, 1.5)
    color, post = _paint(rng), rng.uniform(0.02, 0.1)
    count, thickness = rng.integers(1, 7), rng.uniform(0.02, 0.08)
    legs = four_legs(width, depth, height, post / 2, color, taper=1.0)
    top = height - rng.uniform(0.0, 0.2) * height
    bottom = rng.uniform(0.05, 0.4) * height
    heights = np.linspace(bottom, top, count) if count > 1 else [top]
    board = parts.shade(color, rng.uniform(0.8, 1.2))
    size = (width, thickness, depth)
    return [*legs, *(parts.box(size, (0, y, 0), board) for y in heights)]


def _shelves(rng) -> Parts:
    """Boards and dividers, with or without a back; some cells are closed."""
    width, height, depth = _size(rng)
    depth = min(depth, width, height)
    color, wall = _paint(rng), rng.uniform(0.015, 0.05)
    legs, y = _foot(rng, width, depth, color)
    columns, rows = rng.integers(1, 5), rng.integers(1, 7)
    made = [
        parts.box((wall, height, depth), (x, y + height / 2, 0), color)
        for x in np.linspace(wall - width, width - wall, columns + 1) / 2
    ]
    made += [
        parts.box((width, wall, depth), (0, y + level, 0), color)
        for level in np.linspace(wall / 2, height - wall / 2, rows + 1)
    ]
    if rng.random() < 0.7:
        size, center = (width, height, 0.02), (0, y + height / 2, 0.01 - depth / 2)
        made.append(parts.box(size, center, color))
    w, h, closed = width / columns, height / rows, rng.uniform(0, 0.6)
    for column, row in np.ndindex(columns, rows):
        if rng.random() < closed:
            x, up = (column + 0.5) * w - width / 2, y + (row + 0.5) * h
            made.append(parts.box((w, h, depth), (x, up, 0), parts.shade(color, 0.9)))
    return [*made, *legs]


def _sink(rng) -> Parts:
    """A block with a basin in its top, perhaps with a tap."""
    width, height, depth = _size(rng, 0.4, 1.2)
    color, light = _paint(rng), parts.random_color(rng, (0, 1), (0, 0.1), (0.8, 1))
    basin, rim = 0.25 * height, rng.uniform(0.05, 0.2) * min(width, depth)
    legs, y = _foot(rng, width, depth, color)
    body, top = (width, height - basin, depth), y + height
    made = [parts.box(body, (0, y + body[1] / 2, 0), color), *legs]
    x, z = width / 2, depth / 2
    for low, high in (
        ((-x, -z), (rim - x, z)),
        ((x - rim, -z), (x, z)),
        ((-x, -z), (x, rim - z)),
        ((-x, z - rim), (x, z)),
    ):
        made.append(_box((low[0], top - basin, low[1]), (high[0], top, high[1]), light))
    if rng.random() < 0.6:
        tall = rng.uniform(0.1, 0.25)
        path = [(0, top, rim / 2 - z), (0, top + tall, rim / 2 - z)]
        path.append((0, top + tall, rim - z + 0.15))
        made.append(parts.tube(path, [0.02] * 3, parts.CHROME, 8))
    if rng.random() < 0.6:
        made += _fronts(rng, width, height - basin, y, z)
    return made


def _stack(rng) -> Parts:
    """Boxes and drums beside and on top of each other, flush with one another."""
    made, low = [], np.zeros(3)
    for _ in range(rng.integers(2, 5)):
        size, color = _size(rng, 0.2, 1.0), _paint(rng)
        if rng.random() < 0.2:
            center = low + size[[0, 1, 0]] / 2
            made.append(parts.disc(size[0] / 2, size[1], center, color, "y"))
        else:
            made.append(_box(low, low + size, color))
        axis = rng.choice([0, 1, 2], p=[0.4, 0.4, 0.2])
        low = low + size * np.eye(3)[axis]
    return made


def _things(rng, below) -> Parts:
    """Balls, cartons and cans on top of what is there."""
    bounds = np.array([part.bounds for part in below])
    low, high = bounds[:, 0].min(axis=0), bounds[:, 1].max(axis=0)
    made = []
    for _ in range(rng.integers(1, 5)):
        size = rng.uniform(0.1, 0.3, 3) * (high - low).min()
        color = parts.random_color(rng)
        foot = rng.uniform(low + size / 2, high - size / 2)
        center = (foot[0], high[1] + 0.48 * size[1], foot[2])
        if rng.random() < 0.3:
            made.append(parts.ball(size, center, color))
        else:
            made.append(
                parts.tilt(
                    parts.box(size, center, color),
                    rng.uniform(0, 90),
                    (0, 1, 0),
                    center,
                )
            )
    return made
