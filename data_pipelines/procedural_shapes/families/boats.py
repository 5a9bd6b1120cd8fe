"""Boat. Units are lengths of the hull; the bow points towards +z."""

from typing import NamedTuple

import numpy as np

from data_pipelines.procedural_shapes.families import parts

Parts = list


class Hull(NamedTuple):
    """What shapes and paints a hull.

    Attributes:
      beam: width amidships.
      depth: height of the deck above the keel amidships.
      stern: width of the stern as a share of the beam.
      bow: how late the sides turn in towards the bow; 1 = evenly.
      sheer: how far the deck rises towards the bow, as a share of the depth.
      color: above the water line.
      keel_color: below it.
    """

    beam: float
    depth: float
    stern: float
    bow: float
    sheer: float
    color: parts.Color
    keel_color: parts.Color


def boat(rng: np.random.Generator) -> Parts:
    """A sailing, motor, cargo or rowing boat on one family of hulls."""
    style = rng.choice(["sail", "motor", "cargo", "rowing"])
    beam, depth = {
        "sail": ((0.26, 0.34), (0.12, 0.16)),
        "motor": ((0.3, 0.4), (0.13, 0.18)),
        "cargo": ((0.16, 0.2), (0.1, 0.13)),
        "rowing": ((0.34, 0.42), (0.12, 0.16)),
    }[style]
    hull = Hull(
        beam=rng.uniform(*beam),
        depth=rng.uniform(*depth),
        stern=rng.uniform(0.55, 0.85) if style != "cargo" else 0.9,
        bow=rng.uniform(1.5, 2.6) if style != "cargo" else 5.0,
        sheer=rng.uniform(0.15, 0.45) if style != "cargo" else 0.1,
        color=parts.random_color(rng),
        keel_color=parts.random_color(rng, value=(0.2, 0.5)),
    )
    if style == "rowing":
        return [*_open_hull(hull), *_oars_and_seats(rng, hull)]
    build = {"sail": _rig, "motor": _cabin, "cargo": _superstructure}[style]
    return [*_decked_hull(rng, hull), *build(rng, hull)]


def _half_beam(hull, t):
    """Half width at the deck at a share of the length from stern to bow."""
    swell = np.interp(t, [0, 0.4, 1], [hull.stern, 1, 1])
    taper = 1 - np.clip((t - 0.45) / 0.55, 0, 1) ** hull.bow
    return hull.beam / 2 * swell * np.maximum(taper, 0.02)


def _deck_height(hull, t):
    return hull.depth * (1 + hull.sheer * (2 * t**2 - 0.3 * t))


def _section(hull, t, inset=0.0, floor=0.0):
    """(N, 2) of (x, y): from the starboard deck edge round the keel to port."""
    angle = np.linspace(0, np.pi, 17)
    half = max(_half_beam(hull, t) - inset, 0.002)
    top = _deck_height(hull, t)
    bottom = floor + 0.55 * hull.depth * max(0.0, t - 0.75) ** 1.5 * 4
    x = half * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.65
    y = top - (top - bottom) * np.sin(angle) ** 0.75
    return np.stack([x, y], axis=1)


def _decked_hull(rng, hull) -> Parts:
    stations = np.linspace(0, 1, 21)
    rake = 0.06
    rings = []
    for t in stations:
        ring = np.zeros((17, 3))
        ring[:, :2] = _section(hull, t)
        height = ring[:, 1] / hull.depth
        ring[:, 2] = t - 0.5 + rake * height * (t > 0.5) * (2 * t - 1)
        rings.append(ring)
    body = parts.loft(rings, hull.color)
    line = rng.uniform(0.3, 0.5) * hull.depth
    height = parts.panel_centers(body, 17)[:, 1]
    parts.paint(body, hull.keel_color, height < line)
    deck = body.face_normals[:, 1] > 0.8
    parts.paint(body, parts.wood(rng), deck & (height > line))
    rails = [
        parts.tube([ring[0] for ring in rings], [0.006] * 21, (0.95, 0.95, 0.92), 6)
    ]
    return [body, *parts.mirrored(rails)]


def _rig(rng, hull) -> Parts:
    """Mast, boom, main sail, perhaps a jib, and a low cabin."""
    height, z = rng.uniform(0.9, 1.25), rng.uniform(0.05, 0.15)
    deck = _deck_height(hull, 0.6)
    steel = (0.8, 0.8, 0.82)
    sail = parts.random_color(rng, saturation=(0.0, 0.15), value=(0.88, 1.0))
    foot, top = deck + 0.1, deck + height
    main = [(z - 0.01, foot), (z - 0.01, top - 0.02), (-0.42, foot)]
    made = [
        parts.rod((0, 0.5 * deck, z), (0, top, z), 0.011, steel, 0.006),
        parts.rod((0, foot, z), (0, foot, -0.43), 0.009, steel),
        _sail(main, sail, rng.uniform(0.02, 0.06)),
        parts.cushion(
            (0.55 * hull.beam, 0.09, 0.32),
            (0, deck + 0.02, -0.08),
            (0.93, 0.93, 0.9),
            0.03,
        ),
    ]
    if rng.random() < 0.7:
        jib_color = sail if rng.random() < 0.5 else parts.random_color(rng)
        jib = [
            (0.5, deck + 0.05),
            (z + 0.03, deck + 0.8 * height),
            (z + 0.02, deck + 0.08),
        ]
        made.append(_sail(jib, jib_color, 0.04))
    return made


def _sail(corners, color, belly):
    """A thin triangle of (z, y) corners, bulged sideways."""
    a, b, c = np.asarray(corners)
    rings = []
    for s in np.linspace(0, 0.98, 9):
        t = np.linspace(0, 1, 9)[:, None]
        line = (1 - s) * ((1 - t) * a + t * c) + s * b
        bulge = belly * np.sin(np.pi * t[:, 0]) * 3 * s * (1 - s)
        front = np.stack([bulge, line[:, 1], line[:, 0]], axis=1)
        rings.append(np.concatenate([front, front[::-1] - [0.006, 0, 0]]))
    return parts.loft(rings, color)


def _cabin(rng, hull) -> Parts:
    """Cabin with windows, roof or flybridge, and a windscreen."""
    deck, width = _deck_height(hull, 0.5), 0.68 * hull.beam
    white = parts.random_color(rng, saturation=(0.0, 0.08), value=(0.88, 1.0))
    length, tall, z = (
        rng.uniform(0.28, 0.42),
        rng.uniform(0.1, 0.15),
        rng.uniform(-0.1, 0.02),
    )
    size, top = (width, length), (0.85 * width, 0.75 * length)
    window = tuple(
        1.015 * (0.55 * a + 0.45 * b) for a, b in zip(size, top, strict=True)
    )
    house = parts.tapered_box(size, top, tall, (0, deck + tall / 2, z), white, 0.03)
    glass = parts.tapered_box(
        window,
        tuple(0.95 * w for w in window),
        0.4 * tall,
        (0, deck + 0.6 * tall, z),
        parts.GLASS,
        0.03,
    )
    roof = parts.box(
        (0.95 * width, 0.012, 0.85 * length), (0, deck + tall, z - 0.01), white
    )
    made = [house, glass, roof]
    if rng.random() < 0.5:
        bridge = (0.6 * width, 0.35 * length)
        made += [
            parts.tapered_box(
                bridge,
                tuple(0.85 * b for b in bridge),
                0.08,
                (0, deck + tall + 0.04, z),
                white,
                0.02,
            ),
            parts.rod(
                (0, deck + tall, z - 0.08),
                (0, deck + tall + 0.2, z - 0.12),
                0.006,
                (0.8, 0.8, 0.8),
            ),
        ]
    bench = parts.cushion(
        (0.5 * hull.beam, 0.05, 0.08), (0, deck + 0.02, -0.4), hull.color, 0.015
    )
    motor = parts.box((0.08, 0.14, 0.06), (0, 0.8 * deck, -0.52), parts.GLASS)
    return [*made, bench, motor]


def _superstructure(rng, hull) -> Parts:
    """Bridge at the stern, funnel, and containers or a crane on the deck."""
    deck, beam = _deck_height(hull, 0.3), hull.beam
    white, floors = (0.93, 0.93, 0.9), rng.integers(2, 5)
    made = []
    for floor in range(floors):
        size = (beam * (0.85 - 0.06 * floor), 0.05, 0.15 - 0.015 * floor)
        y = deck + 0.03 + 0.05 * floor
        made.append(parts.box(size, (0, y, -0.36), white))
        band = (size[0] * 1.02, 0.016, size[2] * 1.02)
        made.append(parts.box(band, (0, y + 0.008, -0.36), parts.GLASS))
    top = deck + 0.05 * floors
    funnel = [(0.03, 0), (0.026, 0.12)]
    made.append(parts.lathe(funnel, (0, top, -0.4), hull.color, 16))
    made.append(parts.rod((0, top, -0.32), (0, top + 0.14, -0.32), 0.006, white))
    return [*made, *_containers(rng, deck, beam)]


def _containers(rng, deck, beam) -> Parts:
    palette = [parts.random_color(rng) for _ in range(4)]
    rows, box = int(rng.integers(4, 7)), 0.06
    pitch = 0.6 / rows
    return [
        parts.box(
            (0.36 * beam, box, 0.85 * pitch),
            (side * 0.19 * beam, deck + box * (level + 0.5), z),
            palette[rng.integers(4)],
        )
        for z in np.arange(rows) * pitch - 0.22 + pitch / 2
        for side in (-1, 1)
        for level in range(rng.integers(1, 4))
    ]


def _open_hull(hull, wall=0.018) -> Parts:
    """A shell: the outer section down and up, then the inner one back."""
    rings = []
    for t in np.linspace(0, 1, 21):
        outer = _section(hull, t)
        inner = _section(hull, t, inset=wall, floor=wall)[::-1]
        outline = np.concatenate([outer, inner])
        rings.append(np.column_stack([outline, np.full(34, t - 0.5)]))
    shell = parts.loft(rings, hull.color, caps=False)
    inside = np.tile(np.arange(34) >= 17, 2 * 20)
    parts.paint(shell, parts.shade(hull.color, 1.5), inside)
    transom = _section(hull, 0.0)
    boards = [np.column_stack([transom, np.full(17, z)]) for z in (-0.5, wall - 0.5)]
    stern = parts.loft(boards, parts.shade(hull.color, 0.7))
    rim = parts.tube([ring[0] for ring in rings], [0.012] * 21, hull.keel_color, 6)
    return [shell, stern, *parts.mirrored([rim])]


def _oars_and_seats(rng, hull) -> Parts:
    color, y = parts.wood(rng), 0.72 * hull.depth
    seats = [
        parts.box((1.8 * _half_beam(hull, t), 0.015, 0.08), (0, y, t - 0.5), color)
        for t in np.linspace(0.15, 0.72, rng.integers(2, 4))
    ]
    x, deck = _half_beam(hull, 0.45), _deck_height(hull, 0.45)
    swing = rng.uniform(-0.2, 0.2)
    tip = np.array([x + 0.4, deck - 0.08, swing])
    handle = np.array([0.04, deck + 0.06, -0.05])
    oar = parts.rod(handle, tip, 0.012, color)
    blade = parts.ball((0.2, 0.02, 0.07), tip, color)
    return [*seats, *parts.mirrored([oar, blade])]
