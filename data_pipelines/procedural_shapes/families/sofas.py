"""Sofa. Units are roughly metres; the front looks towards +z."""

import numpy as np

from data_pipelines.procedural_shapes.families import parts
from data_pipelines.procedural_shapes.families.seating import four_legs

Parts = list


def sofa(rng: np.random.Generator) -> Parts:
    """Base, one to three seats, arms, back cushions, feet, perhaps a chaise."""
    seats = int(rng.integers(1, 4))
    inner, arm = seats * rng.uniform(0.58, 0.7), rng.uniform(0.12, 0.26)
    depth, height = rng.uniform(0.78, 0.95), rng.uniform(0.4, 0.46)
    back = rng.uniform(0.72, 0.9)
    fabric = parts.random_color(rng, saturation=(0.1, 0.7), value=(0.3, 0.9))
    width = inner + 2 * arm
    base = parts.cushion(
        (width, 0.2, depth), (0, 0.2, 0), parts.shade(fabric, 0.85), 0.03
    )
    rear = parts.cushion(
        (width, back - 0.1, 0.2), (0, back / 2 + 0.05, -depth / 2 + 0.1), fabric, 0.06
    )
    return [
        base,
        rear,
        *_sofa_arms(rng, inner, arm, depth, height, fabric),
        *_sofa_cushions(rng, seats, inner, depth, height, back, fabric),
        *_sofa_feet(rng, width, depth),
    ]


def _sofa_arms(rng, inner, arm, depth, height, fabric) -> Parts:
    x, top = inner / 2 + arm / 2, height + rng.uniform(0.12, 0.24)
    if rng.random() < 0.4:  # rolled arms
        radius = arm * 0.55
        roll = parts.disc(radius, depth, (x, top - radius, 0), fabric, "z")
        side = parts.box(
            (arm * 0.8, top - radius - 0.1, depth - 0.02),
            (x, (top - radius + 0.1) / 2, 0),
            fabric,
        )
        return parts.mirrored([roll, side])
    size = (arm, top - 0.08, depth)
    rounding = rng.uniform(0.02, 0.09)
    return parts.mirrored(
        [parts.cushion(size, (x, 0.08 + size[1] / 2, 0), fabric, rounding)]
    )


def _sofa_cushions(rng, seats, inner, depth, height, back, fabric) -> Parts:
    chaise = rng.random() < 0.35 and seats > 1
    pitch, light = inner / seats, parts.shade(fabric, 1.12)
    made = []
    for i in range(seats):
        x = (i + 0.5) * pitch - inner / 2
        length = depth - 0.18 + (0.5 if chaise and i == 0 else 0.0)
        front = -depth / 2 + 0.2 + length
        size = (pitch - 0.012, 0.17, length)
        center = (x, height - 0.07, front - length / 2)
        made.append(parts.cushion(size, center, light, 0.05))
        if chaise and i == 0:
            foot = parts.box((pitch - 0.04, 0.2, 0.55), (x, 0.2, front - 0.3), fabric)
            made.append(foot)
        size = (pitch - 0.03, back - height - 0.02, 0.17)
        center = (x, (back + height) / 2 + 0.03, -depth / 2 + 0.26)
        pillow = parts.cushion(size, center, light, 0.07)
        made.append(parts.tilt(pillow, -10, (1, 0, 0), center))
    return made


def _sofa_feet(rng, width, depth) -> Parts:
    color, radius = parts.wood(rng), rng.uniform(0.02, 0.035)
    return four_legs(width - 0.1, depth - 0.1, 0.12, radius, color, 0.0, 12)
