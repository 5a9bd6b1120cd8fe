"""Car. Units are roughly metres; the front points towards +z."""

import numpy as np

from data_pipelines.procedural_shapes.families import parts

Parts = list


# Side view of the bodies, in shares of the length from the rear (0) to the front (1):
# cabin at the belt line (rear, front), cabin at the roof (rear, front), and heights of
# belt line at the rear and of the bonnet, in shares of the height up to the roof.
CAR_BODIES = {
    "sedan": ((0.12, 0.74), (0.27, 0.56), 0.62, 0.56),
    "hatchback": ((0.01, 0.74), (0.06, 0.55), 0.62, 0.56),
    "wagon": ((0.01, 0.72), (0.04, 0.58), 0.62, 0.56),
    "coupe": ((0.06, 0.70), (0.30, 0.50), 0.64, 0.50),
    "suv": ((0.01, 0.76), (0.05, 0.62), 0.60, 0.58),
    "pickup": ((0.40, 0.75), (0.43, 0.62), 0.58, 0.56),
    "van": ((0.01, 0.93), (0.03, 0.78), 0.55, 0.50),
}
CAR_HEIGHTS = {"coupe": 1.25, "suv": 1.75, "pickup": 1.75, "van": 1.95}  # metres


def car(rng: np.random.Generator) -> Parts:
    """A body style with lower body, glass cabin, roof, wheels, lights."""
    style = rng.choice(list(CAR_BODIES))
    length, width = rng.uniform(3.9, 4.8), rng.uniform(1.7, 1.95)
    height = CAR_HEIGHTS.get(style, 1.45) * rng.uniform(0.96, 1.04)
    color = parts.random_color(rng)
    if rng.random() < 0.3:
        color = parts.random_color(rng, saturation=(0.0, 0.05), value=(0.15, 0.95))
    radius = rng.uniform(0.15, 0.175) * 2 if style in ("suv", "pickup") else 0.31
    size = (width, height, length)
    return [
        *_car_body(style, size, radius, color),
        *_car_cabin(style, size, color),
        *_car_wheels(size, radius, rng),
        *_car_lights(style, size),
    ]


def _car_body(style, size, radius, color) -> Parts:
    """A loft along z; its top is the belt line, its bottom the sill."""
    width, height, length = size
    cabin, _, rear, bonnet = CAR_BODIES[style]
    sill = 0.65 * radius
    # share of length, share of width, bottom, top
    stations = [
        (0.0, 0.84, sill + 0.1, rear * height - 0.1),
        (0.015, 0.93, sill + 0.02, rear * height - 0.03),
        (0.06, 0.99, sill, rear * height),
        (cabin[1] - 0.06, 1.0, sill, (rear + 0.01) * height),
        (cabin[1] + 0.02, 0.99, sill, bonnet * height + 0.06),
        (0.93, 0.95, sill, bonnet * height - 0.03),
        (0.985, 0.86, sill + 0.03, bonnet * height - 0.12),
        (1.0, 0.76, sill + 0.1, bonnet * height - 0.22),
    ]
    rings = []
    for t, w, bottom, top in stations:
        outline = parts.rounded_rectangle(w * width, top - bottom, 0.12, 3)
        center = (0, (bottom + top) / 2, (t - 0.5) * length)
        rings.append(parts.place(outline, center, "z"))
    body = parts.loft(rings, color)
    skirt = parts.box(
        (0.94 * width, 0.14, 0.98 * length - 0.2),
        (0, sill, 0),
        parts.shade(color, 0.35),
    )
    made = [body, skirt]
    if style == "pickup":  # the load bed
        bed = (0.8 * width, 0.02, 0.32 * length)
        center = (0, rear * height + 0.005, -0.29 * length)
        rail = parts.box(
            (0.08, 0.14, 0.36 * length),
            (0.45 * width, rear * height + 0.05, -0.29 * length),
            color,
        )
        gate = parts.box(
            (0.9 * width, 0.14, 0.06), (0, rear * height + 0.05, -0.47 * length), color
        )
        made += [parts.box(bed, center, parts.RUBBER), *parts.mirrored([rail]), gate]
    return made


def _car_cabin(style, size, color) -> Parts:
    """Glass between belt and roof line, pillars and the roof in the body colour."""
    width, height, length = size
    belt, roof, rear, _ = CAR_BODIES[style]
    low, high = rear * height - 0.05, height - 0.05
    lower = _cabin_ring(0.95 * width, belt, low, length)
    upper = _cabin_ring(0.76 * width, roof, high, length)
    top = _cabin_ring(0.70 * width, (roof[0] + 0.02, roof[1] - 0.02), height, length)
    made = [parts.loft([lower, upper], parts.GLASS), parts.loft([upper, top], color)]
    for share in (0.0, 0.5, 1.0) if style not in ("pickup", "coupe") else (0.0, 1.0):
        foot, tip = (
            np.array(
                [
                    half * width,
                    y,
                    (line[0] + share * (line[1] - line[0]) - 0.5) * length,
                ]
            )
            for half, y, line in ((0.475, low, belt), (0.38, high, roof))
        )
        inset = np.array([-0.015, 0, 0.05 * (0.5 - share)])
        made += parts.mirrored(
            [parts.rod(foot + inset, tip + inset, 0.05, color, segments=6)]
        )
    if style == "van":  # closed load room
        panel = parts.box(
            (0.02, 0.8 * (high - low), 0.5 * length),
            (0.425 * width, (low + high) / 2, -0.2 * length),
            color,
        )
        made += parts.mirrored([parts.tilt(panel, 9, (0, 0, 1), panel.centroid)])
    return made


def _cabin_ring(width, line, y, length):
    rear, front = ((t - 0.5) * length for t in line)
    outline = parts.rounded_rectangle(front - rear, width, 0.12, 3)
    return parts.place(outline, (0, y, (rear + front) / 2), "y")


def _car_wheels(size, radius, rng) -> Parts:
    width, _, length = size
    x, wheel = width / 2 - 0.08, rng.choice([0.55, 0.68])
    made = []
    for z in (-0.31 * length, 0.32 * length):
        made += [
            parts.disc(
                1.16 * radius, 0.04, (width / 2 - 0.015, radius, z), parts.RUBBER
            ),
            parts.disc(radius, 0.24, (x, radius, z), (0.05, 0.05, 0.05)),
            parts.disc(wheel * radius, 0.26, (x, radius, z), parts.CHROME),
            parts.disc(0.2 * radius, 0.28, (x, radius, z), parts.RUBBER),
        ]
    return parts.mirrored(made)


def _car_lights(style, size) -> Parts:
    width, height, length = size
    _, _, rear, bonnet = CAR_BODIES[style]
    front, back = (bonnet * height - 0.25, rear * height - 0.22)
    lamps = [
        parts.ball(
            (0.34, 0.16, 0.2), (0.31 * width, front, 0.483 * length), (1, 1, 0.9)
        ),
        parts.box(
            (0.22, 0.16, 0.06), (0.36 * width, back, -0.497 * length), (0.8, 0.05, 0.05)
        ),
        parts.ball(
            (0.16, 0.12, 0.1), (0.53 * width, rear * height, 0.2 * length), parts.RUBBER
        ),
    ]
    grille = parts.box(
        (0.5 * width, 0.12, 0.05), (0, front - 0.1, 0.492 * length), parts.RUBBER
    )
    return [*parts.mirrored(lamps), grille]
