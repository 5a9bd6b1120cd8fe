"""Mug. Units are roughly decimetres."""

import numpy as np

from data_pipelines.procedural_shapes.families import parts

Parts = list

SEGMENTS = 52  # around the axis


def mug(rng: np.random.Generator) -> Parts:
    """A turned cup, straight, conical, bellied or flared, with a handle."""
    style = rng.choice(["straight", "conical", "belly", "flared"])
    height, radius = rng.uniform(0.8, 1.25), rng.uniform(0.38, 0.5)
    wall = rng.uniform(0.03, 0.05)
    t = np.linspace(0, 1, 15)
    amount = rng.uniform(0.15, 0.3)
    widths = (
        radius
        * {
            "straight": np.ones_like(t),
            "conical": 1 - amount * (1 - t),
            "belly": 1 + 0.9 * amount * (np.sin(np.pi * t) - 0.5),
            "flared": 1 - amount * np.sin(np.pi * (1 - t) ** 1.5) - 0.1 * (1 - t),
        }[style]
    )
    color = parts.random_color(rng)
    cup = _cup(rng, widths, height * t, wall, color)
    handle_color = color if rng.random() < 0.6 else parts.random_color(rng)
    made = [cup, _handle(rng, widths, height, wall, handle_color)]
    if rng.random() < 0.5:
        made.append(_drink(rng, widths[-3] - 0.5 * wall, height * t[-3]))
    return [*made, _saucer(radius, color)] if rng.random() < 0.2 else made


def _cup(rng, widths, heights, wall, color):
    """Outer wall, rounded lip and inner wall as one loft, painted in bands."""
    bottom = (0.92 * widths[0], -0.02)
    lip = (widths[-1] - wall / 2, heights[-1] + wall / 2)
    outer = [bottom, *zip(widths, heights, strict=True)]
    inner = [(w - wall, max(h, wall)) for w, h in outer[:0:-1]]
    profile = [*outer, lip, *inner]
    cup = parts.lathe(profile, (0, 0, 0), color, SEGMENTS)
    row = np.arange(len(profile) - 1)
    inner_color = parts.random_color(rng, saturation=(0.0, 0.3), value=(0.85, 1.0))
    inside = parts.faces_between(row > len(outer), SEGMENTS)
    inside[-SEGMENTS:] = True  # the floor
    parts.paint(cup, inner_color, inside)
    if rng.random() < 0.6:
        low, high = np.sort(rng.choice(np.arange(2, len(outer) - 1), 2, replace=False))
        band = parts.faces_between((row >= low) & (row < high), SEGMENTS)
        parts.paint(cup, parts.random_color(rng), band)
    return cup


def _handle(rng, widths, height, wall, color):
    """A tube that leaves the wall, bends round and comes back."""
    low, high = rng.uniform(0.12, 0.25) * height, rng.uniform(0.75, 0.9) * height
    reach, square = rng.uniform(0.28, 0.42), rng.uniform(0.5, 1.0)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 19)
    bend = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** square
    y = (low + high) / 2 + (high - low) / 2 * bend
    out = reach * np.cos(angle) ** square
    heights = np.linspace(0, height, len(widths))
    x = np.interp(y, heights, widths) - wall / 4 + out
    thick = rng.uniform(0.05, 0.075)
    path = np.stack([x, y, np.zeros_like(x)], axis=1)
    return parts.tube(path, thick * (1 + 0.25 * np.abs(np.sin(angle))), color, 14)


def _drink(rng, radius, height):
    color = parts.random_color(rng, (0.04, 0.12), (0.6, 0.9), (0.15, 0.6))
    return parts.lathe(
        [(radius, height - 0.02), (radius, height)], (0, 0, 0), color, 40
    )


def _saucer(radius, color):
    wide = 1.75 * radius
    profile = [(0.6 * wide, -0.1), (wide, -0.01), (wide, 0.01), (0.6 * wide, -0.04)]
    return parts.lathe(profile, (0, 0, 0), parts.shade(color, 1.2), 40)
