"""Airplane. Units are lengths of the fuselage; the nose points towards +z."""

from typing import NamedTuple

import numpy as np

from data_pipelines.procedural_shapes.families import parts

Parts = list


class Wing(NamedTuple):
    """Shape and place of the starboard wing.

    Attributes:
      half: half of the span.
      root: chord at the fuselage.
      tip: chord at the tip.
      sweep: how far the tip lies behind the root.
      dihedral: how far the tip lies above the root.
      y: height of the root above the axis, in radii of the fuselage.
      z: place of the root along the fuselage.
    """

    half: float
    root: float
    tip: float
    sweep: float
    dihedral: float
    y: float
    z: float


def airplane(rng: np.random.Generator) -> Parts:
    """A jet liner, a propeller plane, a glider or a fighter."""
    style = rng.choice(
        ["liner", "propeller", "glider", "fighter"], p=[0.4, 0.3, 0.1, 0.2]
    )
    radius = {"liner": 0.085, "propeller": 0.085, "glider": 0.045, "fighter": 0.06}[
        style
    ]
    radius *= rng.uniform(0.9, 1.15)
    body = parts.random_color(rng, saturation=(0.0, 0.15), value=(0.8, 0.98))
    trim = parts.random_color(rng)
    if style == "fighter":
        body = parts.random_color(rng, (0.2, 0.6), (0.05, 0.25), (0.35, 0.65))
        trim = parts.shade(body, 0.7)
    elif rng.random() < 0.35:
        body, trim = trim, body
    wing = _wing_shape(style, rng)
    made = [
        *_fuselage(style, radius, body, trim),
        *_wings(style, wing, radius, body, trim),
    ]
    made += _tail(style, radius, trim, rng)
    made += _engines(style, wing, radius, trim, rng)
    if style != "liner":
        made.append(_canopy(style, radius))
    return made


# Fuselages: share of the length from the tail (0) to the nose (1), share of the
# radius, and how far the axis rises, in radii.
FUSELAGES = {
    "liner": [
        (0, 0.12, 0.7),
        (0.08, 0.4, 0.5),
        (0.22, 0.85, 0.12),
        (0.32, 1, 0),
        (0.86, 1, 0),
        (0.93, 0.85, -0.08),
        (0.975, 0.55, -0.2),
        (1, 0.1, -0.3),
    ],
    "propeller": [
        (0, 0.12, 0.6),
        (0.3, 0.5, 0.35),
        (0.52, 0.92, 0.05),
        (0.68, 1, 0),
        (0.84, 0.9, -0.05),
        (0.97, 0.68, -0.1),
        (1, 0.4, -0.1),
    ],
    "glider": [
        (0, 0.2, 0.6),
        (0.5, 0.4, 0.4),
        (0.68, 0.95, 0.1),
        (0.8, 1.1, 0),
        (0.92, 0.85, -0.1),
        (1, 0.1, -0.3),
    ],
    "fighter": [
        (0, 0.8, 0),
        (0.1, 1, 0),
        (0.5, 1.05, 0),
        (0.7, 0.9, 0),
        (0.9, 0.5, -0.1),
        (1, 0.03, -0.2),
    ],
}


def _fuselage(style, radius, color, trim) -> Parts:
    stations = np.array(FUSELAGES[style])
    t = np.unique(np.concatenate([np.linspace(0, 1, 25), stations[:, 0]]))
    share, rise = (np.interp(t, stations[:, 0], stations[:, i]) for i in (1, 2))
    outline = parts.ellipse(2 * radius, 2 * radius, 24)
    if style == "fighter":
        outline = outline * [1.25, 1.0]
    rings = [
        parts.place(outline * s, (0, h * radius, z - 0.5), "z")
        for z, s, h in zip(t, share, rise, strict=True)
    ]
    body = parts.loft(rings, color)
    centers = parts.panel_centers(body, len(outline))
    if style == "liner":
        along = (centers[:, 2] > -0.33) & (centers[:, 2] < 0.36)
        height = centers[:, 1] / radius
        parts.paint(body, trim, height < -0.45)
        parts.paint(body, parts.GLASS, along & (height > 0.1) & (height < 0.3))
        parts.paint(
            body,
            parts.GLASS,
            (centers[:, 2] > 0.435) & (centers[:, 2] < 0.47) & (height > 0.15),
        )
    elif style == "propeller":
        parts.paint(body, trim, np.abs(centers[:, 1] - 0.1 * radius) < 0.22 * radius)
    return [body]


def _wing_shape(style, rng) -> Wing:
    half, root, tip, sweep, dihedral = {
        "liner": ((0.42, 0.52), (0.2, 0.25), (0.05, 0.08), (0.2, 0.32), 0.05),
        "propeller": ((0.5, 0.65), (0.16, 0.2), (0.11, 0.17), (-0.01, 0.04), 0.04),
        "glider": ((0.85, 1.1), (0.1, 0.12), (0.04, 0.06), (0.0, 0.03), 0.05),
        "fighter": ((0.26, 0.36), (0.36, 0.5), (0.05, 0.12), (0.2, 0.34), -0.01),
    }[style]
    high = style == "propeller" and rng.random() < 0.5
    return Wing(
        half=rng.uniform(*half),
        root=rng.uniform(*root),
        tip=rng.uniform(*tip),
        sweep=rng.uniform(*sweep),
        dihedral=dihedral,
        y=0.9 if high else {"glider": 0.4, "fighter": 0.0}.get(style, -0.55),
        z={"liner": 0.06, "propeller": 0.2, "glider": 0.27, "fighter": -0.12}[style],
    )


def _wings(style, wing, radius, color, trim) -> Parts:
    root = (0, wing.y * radius, wing.z)
    end = (wing.half, root[1] + wing.dihedral, root[2] - wing.sweep)
    panel = _airfoil(root, end, wing.root, wing.tip)
    tip = panel.triangles_center[:, 0] > 0.85 * wing.half
    parts.paint(parts.paint(panel, parts.shade(color, 0.92)), trim, tip)
    if style == "liner":
        up = (end[0] + 0.01, end[1] + 0.05, end[2] - 0.03)
        winglet = _airfoil(end, up, wing.tip, 0.6 * wing.tip, upright=True)
        return parts.mirrored([panel, parts.paint(winglet, trim)])
    return parts.mirrored([panel])


def _airfoil(root, end, root_chord, tip_chord, upright=False):
    """A tapered lens-shaped surface between two mid-chord points."""
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    rings = []
    for share in np.linspace(0, 1, 8):
        chord = (1 - share) * root_chord + share * tip_chord
        along = 0.5 * chord * np.cos(angle)
        thick = 0.055 * chord * np.sin(angle) * (1 + 0.5 * np.cos(angle))
        zero = np.zeros_like(along)
        columns = (thick, zero, along) if upright else (zero, thick, along)
        center = (1 - share) * np.asarray(root) + share * np.asarray(end)
        rings.append(np.stack(columns, axis=1) + center)
    return parts.loft(rings, (1, 1, 1))


def _tail(style, radius, color, rng) -> Parts:
    """Fin and tailplane; some carry the tailplane on top of the fin."""
    tall = {"liner": 0.17, "propeller": 0.12, "glider": 0.13, "fighter": 0.14}[style]
    span = {"liner": 0.18, "propeller": 0.18, "glider": 0.15, "fighter": 0.17}[style]
    base = 0.0 if style == "fighter" else 0.5 * radius
    on_top = style == "glider" or (style != "fighter" and rng.random() < 0.25)
    sweep, chord = (0.03, 0.1) if style == "glider" else (0.08, 0.16)
    fin = parts.paint(
        _airfoil(
            (0, base, -0.4), (0, base + tall, -0.4 - sweep), chord, 0.6 * chord, True
        ),
        color,
    )
    y, z = (base + tall, -0.4 - sweep) if on_top else (base, -0.42)
    plane = parts.paint(
        _airfoil((0, y, z), (span, y + 0.01, z - 0.6 * sweep), 0.11, 0.06), color
    )
    if style == "fighter" and rng.random() < 0.5:  # twin fins
        fin.apply_translation((0.9 * radius, 0, 0))
        return parts.mirrored([fin, plane])
    return [fin, *parts.mirrored([plane])]


def _engines(style, wing, radius, color, rng) -> Parts:
    if style == "fighter":
        nozzle = [
            parts.disc(0.5 * radius, 0.03, (0.5 * radius, 0, -0.51), parts.RUBBER, "z")
        ]
        return parts.mirrored(nozzle)
    if style == "glider":
        return []
    if style == "propeller":
        if rng.random() < 0.6:
            return _propeller((0, -0.1 * radius, 0.51), 0.13, radius * 0.35)
        return parts.mirrored(_nacelle(wing, 0.36, 0.045, radius, color, True))
    shares = (0.34, 0.62) if rng.random() < 0.35 else (0.36,)
    size = 0.04 if len(shares) == 1 else 0.032
    return parts.mirrored(
        [p for s in shares for p in _nacelle(wing, s, size, radius, color, False)]
    )


def _nacelle(wing, share, size, radius, color, propeller) -> Parts:
    """An engine at a share of the half span, below or before the wing."""
    x = share * wing.half
    y = wing.y * radius + share * wing.dihedral - (0 if propeller else 1.15 * size)
    z = wing.z - share * wing.sweep + 0.05
    profile = [
        (0.6 * size, -1.9 * size),
        (0.95 * size, -0.6 * size),
        (size, 0.6 * size),
        (0.85 * size, 1.7 * size),
    ]
    hull = parts.lathe(profile, (0, 0, 0), color, 20)
    parts.tilt(hull, 90, (1, 0, 0), (0, 0, 0)).apply_translation((x, y, z))
    front = (x, y, z + 1.7 * size)
    if propeller:
        return [hull, *_propeller(front, 0.1, 0.5 * size)]
    return [hull, parts.disc(0.72 * size, 0.01, front, parts.RUBBER, "z")]


def _propeller(center, length, radius) -> Parts:
    blades = [
        parts.ball((0.035, 2 * length, 0.012), center, (0.2, 0.2, 0.22), 1)
        for _ in range(2)
    ]
    parts.tilt(blades[0], 25, (0, 0, 1), center)
    parts.tilt(blades[1], 115, (0, 0, 1), center)
    return [*blades, parts.ball((2 * radius, 2 * radius, 0.06), center, parts.CHROME)]


def _canopy(style, radius) -> Parts:
    size, center = {
        "propeller": ((1.5, 1.5, 0.2), (0.85, 0.16)),
        "glider": ((1.6, 1.6, 0.17), (0.55, 0.36)),
        "fighter": ((1.1, 1.5, 0.22), (0.65, 0.25)),
    }[style]
    size = (size[0] * radius, size[1] * radius, size[2])
    return parts.ball(size, (0, center[0] * radius, center[1]), parts.GLASS)
