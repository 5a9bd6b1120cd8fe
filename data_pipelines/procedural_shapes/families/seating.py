"""Chair and bench. Units are roughly metres; the front looks towards +z."""

import numpy as np

from data_pipelines.procedural_shapes.families import parts
from data_pipelines.procedural_shapes.families.parts import Color

Parts = list


def chair(rng: np.random.Generator) -> Parts:
    """Seat, legs of a style, back of a style, perhaps armrests."""
    width, depth = rng.uniform(0.4, 0.55), rng.uniform(0.4, 0.52)
    height, thickness = rng.uniform(0.4, 0.5), rng.uniform(0.03, 0.08)
    frame = parts.wood(rng) if rng.random() < 0.6 else parts.metal(rng)
    fabric = parts.random_color(rng) if rng.random() < 0.7 else frame
    seat = parts.cushion(
        (width, thickness, depth),
        (0, height, 0),
        fabric,
        rng.uniform(0.1, 0.45) * thickness,
    )
    legs = _chair_legs(rng, width, depth, height - thickness / 2, frame)
    back_height = rng.uniform(0.4, 0.6)
    back = _chair_back(rng, width, back_height, frame, fabric)
    for part in back:
        part.apply_translation((0, height, -depth / 2 + 0.02))
        parts.tilt(
            part, -rng.choice([4.0, 8.0, 12.0]), (1, 0, 0), (0, height, -depth / 2)
        )
    arms = _armrests(width, depth, height, frame) if rng.random() < 0.4 else []
    return [seat, *legs, *back, *arms]


def _chair_legs(rng, width, depth, height, color) -> Parts:
    style = rng.choice(["straight", "splayed", "office", "sled"])
    if style == "office":
        return _office_base(rng, height)
    if style == "sled":
        return _sled(width, depth, height, color)
    splay = rng.uniform(0.03, 0.08) if style == "splayed" else 0.0
    radius = rng.uniform(0.018, 0.03)
    segments = 12 if style == "splayed" else 4
    return four_legs(width, depth, height, radius, color, splay, segments)


def four_legs(
    width, depth, height, radius, color: Color, splay=0.0, segments=4, taper=0.7
) -> Parts:
    """Legs under the corners of a plate whose lower side is at `height`."""
    x, z = width / 2 - 1.5 * radius, depth / 2 - 1.5 * radius
    return [
        parts.rod(
            (sx * (x - splay / 2), height + 0.01, sz * (z - splay / 2)),
            (sx * (x + splay), 0, sz * (z + splay)),
            radius * (1.4 if segments == 4 else 1),
            color,
            end_radius=radius * taper * (1.4 if segments == 4 else 1),
            segments=segments,
        )
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]


def _office_base(rng, height) -> Parts:
    color = parts.metal(rng)
    column = parts.lathe(
        [(0.045, 0.08), (0.045, 0.2), (0.028, 0.2), (0.028, height)],
        (0, 0, 0),
        color,
        16,
    )
    feet, up = [], np.array([0, 0.06, 0])
    for angle in np.arange(5) * 2 * np.pi / 5 + 0.3:
        tip = 0.28 * np.array([np.cos(angle), 0, np.sin(angle)])
        feet += [
            parts.rod((0, 0.11, 0), tip + up, 0.03, color, 0.018),
            parts.disc(0.03, 0.035, tip + up / 2, (0.1, 0.1, 0.1)),
        ]
    return [column, *feet]


def _sled(width, depth, height, color) -> Parts:
    x, z = width / 2 - 0.02, depth / 2 - 0.03
    loop = [
        (x, height, -z),
        (x, 0.03, -z - 0.03),
        (x, 0.015, -z),
        (x, 0.015, z),
        (x, 0.03, z + 0.03),
        (x, height, z),
    ]
    return parts.mirrored([parts.tube(loop, [0.014] * len(loop), color, 10)])


def _chair_back(rng, width, height, frame, fabric) -> Parts:
    """Upright in the plane z = 0, on the height y = 0 of the seat."""
    style = rng.choice(["panel", "slats", "ladder", "shell"])
    if style == "shell":
        return [_curved_panel(width, height, rng.uniform(0.04, 0.12), fabric)]
    if style == "panel":
        gap = rng.uniform(0.0, 0.12)
        size = (width * 0.96, height - gap, 0.045)
        panel = parts.cushion(size, (0, gap + size[1] / 2, 0), fabric, 0.02)
        return [panel, *_posts(width, gap + 0.05, frame)]
    bars = _slats if style == "slats" else _rungs
    posts = _posts(width, height, frame)
    rail = parts.cushion((width, 0.07, 0.03), (0, height - 0.02, 0), frame, 0.012)
    return [*posts, rail, *bars(rng, width, height, frame)]


def _posts(width, height, color) -> Parts:
    x = width / 2 - 0.025
    return parts.mirrored([parts.rod((x, -0.02, 0), (x, height, 0), 0.02, color)])


def _slats(rng, width, height, color) -> Parts:
    count = rng.integers(3, 7)
    slat = min(0.05, 0.5 * width / count)
    return [
        parts.box((slat, height, 0.016), (x, height / 2, 0), color)
        for x in np.linspace(-width / 2, width / 2, count + 2)[1:-1]
    ]


def _rungs(rng, width, height, color) -> Parts:
    count = rng.integers(2, 5)
    return [
        parts.box((width - 0.05, 0.05, 0.016), (0, y, 0), color)
        for y in np.linspace(0, height, count + 2)[1:-1]
    ]


def _curved_panel(width, height, sag, color):
    """A shell whose sides come forward by `sag`, its upper corners rounded."""
    t = np.linspace(0, 1, 9)
    rings = []
    for across in np.linspace(-1, 1, 15):
        top = height * (1 - 0.25 * across**4)
        x = across * width / 2 * (1 - 0.3 * t**4)
        front = np.stack([x, t * top, np.full(9, sag * across**2)], axis=1)
        rings.append(np.concatenate([front, front[::-1] - [0, 0, 0.025]]))
    return parts.loft(rings, color)


def _armrests(width, depth, height, color) -> Parts:
    x, top = width / 2 + 0.015, height + 0.2
    return parts.mirrored(
        [
            parts.cushion((0.045, 0.03, depth), (x, top, 0), color, 0.012),
            parts.rod((x, height - 0.03, depth / 3), (x, top, depth / 3), 0.015, color),
            parts.rod(
                (x, height - 0.03, -depth / 3), (x, top, -depth / 3), 0.015, color
            ),
        ]
    )


def bench(rng: np.random.Generator) -> Parts:
    """A long seat of boards or stone, on frames or blocks, perhaps with a back."""
    width, depth = rng.uniform(1.1, 1.8), rng.uniform(0.38, 0.55)
    height, color = rng.uniform(0.4, 0.48), parts.wood(rng)
    support_color = parts.metal(rng) if rng.random() < 0.6 else parts.shade(color, 0.7)
    seat = _boards(rng, width, depth, height, color)
    supports = _bench_supports(rng, width, depth, height - 0.025, support_color)
    if rng.random() < 0.3:
        return [*seat, *supports]
    back = _bench_back(rng, width, depth, height, color, support_color)
    if rng.random() < 0.5:
        back += _bench_arms(width, depth, height, support_color)
    return [*seat, *supports, *back]


def _boards(rng, width, depth, height, color) -> Parts:
    count = rng.integers(1, 6)
    pitch = depth / count
    return [
        parts.box(
            (width, 0.04, pitch - 0.015), (0, height, z), parts.shade(color, tone)
        )
        for z, tone in zip(
            (np.arange(count) + 0.5) * pitch - depth / 2,
            rng.uniform(0.9, 1.05, count),
            strict=True,
        )
    ]


def _bench_supports(rng, width, depth, height, color) -> Parts:
    x = width / 2 * rng.uniform(0.7, 0.92)
    style = rng.choice(["block", "frame", "cross"])
    if style == "block":
        size = (rng.uniform(0.06, 0.2), height, depth * 0.9)
        return parts.mirrored([parts.box(size, (x, height / 2, 0), color)])
    z = depth / 2 - 0.04
    ends = [(z, z), (-z, -z)] if style == "frame" else [(z, -z), (-z, z)]
    legs = [
        parts.rod((x, height, top), (x, 0, foot), 0.035, color, segments=4)
        for top, foot in ends
    ]
    rail_height = height - 0.02 if style == "frame" else height / 2
    beam = parts.box((2 * x, 0.05, 0.04), (0, rail_height, 0), color)
    rail = parts.box((0.05, 0.05, depth * 0.9), (x, height - 0.02, 0), color)
    return [*parts.mirrored([*legs, rail]), beam]


def _bench_back(rng, width, depth, height, color, frame) -> Parts:
    top, z = height + rng.uniform(0.32, 0.45), -depth / 2
    x, lean = width / 2 * 0.85, 0.1
    posts = parts.mirrored(
        [parts.rod((x, height - 0.1, z), (x, top, z - lean), 0.03, frame, segments=4)]
    )
    count = rng.integers(2, 5)
    pitch = (top - height - 0.08) / count
    rails = [
        parts.box(
            (width, 0.7 * pitch, 0.03),
            (0, height + 0.08 + t * pitch, z - lean * t / count + 0.035),
            color,
        )
        for t in np.arange(count) + 0.5
    ]
    return [*posts, *rails]


def _bench_arms(width, depth, height, color) -> Parts:
    x, y = width / 2 - 0.04, height + 0.2
    return parts.mirrored(
        [
            parts.box((0.06, 0.035, depth + 0.05), (x, y, -0.02), color),
            parts.box((0.05, 0.2, 0.05), (x, height + 0.1, depth / 2 - 0.06), color),
        ]
    )
