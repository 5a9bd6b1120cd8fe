"""Lamp. Units are roughly metres."""

import numpy as np

from data_pipelines.procedural_shapes.families import parts

Parts = list


def lamp(rng: np.random.Generator) -> Parts:
    """A floor, table or desk lamp."""
    style = rng.choice(["floor", "table", "desk"], p=[0.35, 0.4, 0.25])
    steel = parts.metal(rng) if rng.random() < 0.6 else parts.random_color(rng)
    warm = parts.random_color(rng, (0.08, 0.15), (0.05, 0.45), (0.85, 1.0))
    shade = warm if rng.random() < 0.6 else parts.random_color(rng)
    if style == "desk":
        return _desk_lamp(rng, steel, shade)
    if style == "floor":
        height, foot = rng.uniform(1.2, 1.6), rng.uniform(0.12, 0.2)
        stem = (
            _tripod(height, steel) if rng.random() < 0.4 else _stem(height, foot, steel)
        )
        return [*stem, *_shade(rng, height, rng.uniform(0.16, 0.26), shade)]
    height = rng.uniform(0.4, 0.55)
    body = _vase(rng, height, parts.random_color(rng))
    return [*body, *_shade(rng, height, rng.uniform(0.15, 0.22), shade)]


def _stem(height, foot, color) -> Parts:
    profile = [(foot, 0), (foot, 0.025), (0.02, 0.05), (0.02, height)]
    return [parts.lathe(profile, (0, 0, 0), color)]


def _tripod(height, color) -> Parts:
    hub = np.array([0, 0.8 * height, 0])
    legs = [
        parts.rod(hub, (0.3 * np.cos(a), 0, 0.3 * np.sin(a)), 0.022, color, 0.014)
        for a in np.arange(3) * 2 * np.pi / 3
    ]
    return [*legs, parts.rod(hub - [0, 0.05, 0], (0, height, 0), 0.025, color)]


def _vase(rng, height, color) -> Parts:
    """A turned body: radii at five heights, then the neck."""
    radii = rng.uniform(0.03, 0.095, size=5)
    radii[0] = max(radii[0], 0.065)
    t = np.linspace(0, 1, 17)
    smooth = np.interp(t, np.linspace(0, 1, 5), radii)
    smooth = np.convolve(np.pad(smooth, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    profile = [*zip(smooth, 0.62 * height * t, strict=True), (0.012, 0.63 * height)]
    return [parts.lathe([*profile, (0.012, height)], (0, 0, 0), color, 40)]


def _shade(rng, height, radius, color) -> Parts:
    """A shade around the top of the stem; open shells have an inner wall."""
    style = rng.choice(["cone", "drum", "globe", "dome"])
    if style == "globe":
        return [parts.ball(2 * radius * np.ones(3) * 0.85, (0, height, 0), color, 3)]
    tall = radius * rng.uniform(0.9, 1.5)
    top = {"cone": rng.uniform(0.4, 0.7), "drum": 0.97, "dome": 0.15}[style]
    t = np.linspace(0, 1, 9)
    curve = np.sqrt(1 - t**2 * (1 - top**2)) if style == "dome" else 1 - (1 - top) * t
    outer = [*zip(radius * curve, height - tall / 2 + tall * t, strict=True)]
    inner = [(0.94 * r, y) for r, y in reversed(outer)]
    shell = parts.lathe([*outer, *inner, outer[0]], (0, 0, 0), color, 48)
    bulb = parts.ball((0.09, 0.11, 0.09), (0, height, 0), (1, 0.95, 0.75))
    return [shell, bulb]


def _desk_lamp(rng, color, shade) -> Parts:
    """Base, two arms with joints, and a conical head."""
    base = parts.lathe([(0.1, 0), (0.1, 0.02), (0.03, 0.035)], (0, 0, 0), color)
    first, second = np.radians(rng.uniform(95, 125)), np.radians(rng.uniform(10, 50))
    elbow = np.array([0, 0.03 + 0.25 * np.sin(first), 0.25 * np.cos(first)])
    head = elbow + 0.25 * np.array([0, np.sin(second), np.cos(second)])
    joints = [parts.ball((0.04, 0.04, 0.04), at, color) for at in (elbow, head)]
    arms = [
        parts.rod((0, 0.03, 0), elbow, 0.012, color),
        parts.rod(elbow, head, 0.012, color),
    ]
    radius = rng.uniform(0.06, 0.09)
    outer = [(radius, -0.13), (0.55 * radius, -0.03), (0.3 * radius, 0.02)]
    profile = [
        *outer,
        (0.25 * radius, 0.0),
        (0.5 * radius, -0.03),
        (0.93 * radius, -0.13),
    ]
    cone = parts.lathe([*profile, profile[0]], head, shade, 28)
    bulb = parts.ball((0.05, 0.07, 0.05), head - [0, 0.07, 0], (1, 0.95, 0.75))
    for part in (cone, bulb):
        parts.tilt(part, -rng.uniform(15, 40), (1, 0, 0), head)
    return [base, *joints, *arms, cone, bulb]
