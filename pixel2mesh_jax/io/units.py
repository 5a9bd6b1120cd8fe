"""What a stored depth value means: metres per value, and which meaning is likely.

A depth map does not say its unit. A wrong one gives a mesh that is a thousand times too
large, so a distance or a size that no object has is worth a warning.
"""

import math

from pixel2mesh_jax.errors import InputError

# Metres per stored value. Integers are millimetres and floats are metres unless
# something says otherwise.
MILLIMETRE = 1e-3
METRE = 1.0
UNITS = {
    "m": METRE,
    "mm": MILLIMETRE,
    "0.1mm": 1e-4,  # BOP YCB-V, DeepVoxels, RGB-D Scenes v2
    "tum": 1 / 5000,  # TUM RGB-D, ICL-NUIM
    "kitti": 1 / 256,  # KITTI, VOID
}
# Values that are no distances: relative inverse depth, larger is nearer, as MiDaS and
# Depth Anything write it. It is taken for an estimate and scaled over the object.
INVERSE = "inverse"
CHOICES = f"{', '.join(UNITS)}, {INVERSE} or metres per value"
# Plausible distance and size (diagonal of the box) of an object before a depth camera,
# metres: sensors see from 0.2 m (structured light) to 20 m (time of flight); objects of
# less than 3 cm have fewer pixels than a mesh has vertices, larger ones than 10 m do
# not fit in that range.
PLAUSIBLE_DISTANCE = (0.2, 20.0)
PLAUSIBLE_SIZE = (0.03, 10.0)
# The distance of a hand-held capture, metres; the likeliest unit comes closest to it.
TYPICAL_DISTANCE = 1.0
# `depth_scale` means millimetres per value in BOP, metres per value in RealSense,
# values per metre in Open3D and TUM. All sensors store 1e-5 to 1e-2 metres per value,
# so that the three meanings never overlap.
_FINEST, _COARSEST = 1e-5, 1e-2


def parse(text: str) -> float:
    """Metres per value of a name in `UNITS` or a number.

    Raises:
      InputError: neither, or not a positive finite number.
    """
    name = text.strip().lower().replace(" ", "")
    if name in UNITS:
        return UNITS[name]
    try:
        value = float(name)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(f"unknown depth unit {text!r}; valid: {CHOICES}")
    return value


def parse_choice(text: str) -> float | str | None:
    """As `parse`; `INVERSE` stays itself, and nothing means that the files decide."""
    if not text:
        return None
    return INVERSE if text.strip().lower() == INVERSE else parse(text)


def of_words(text: str) -> float | None:
    """Metres per value of what a file says in words; None if it cannot be told.

    A name, a number, or a sentence that begins with the unit: "millimetre along the
    optical axis".
    """
    words = text.strip().lower().split() or [""]
    spelled = {"metre": "m", "meter": "m", "millimetre": "mm", "millimeter": "mm"}
    first = words[0].rstrip(".,;:")
    first = spelled.get(first.removesuffix("s"), first)
    for name in (text, first):
        try:
            return parse(name)
        except InputError:
            continue
    return None


def of_depth_scale(scale: float, source: object) -> float:
    """Metres per value of the `depth_scale` that stands beside intrinsics.

    Raises:
      InputError: it has none of its three meanings.
    """
    if scale > 0:
        meanings = (scale, scale * MILLIMETRE, 1 / scale)
        fitting = [unit for unit in meanings if _FINEST <= unit <= _COARSEST]
        # 0.01 is a boundary: millimetres per value there, as in BOP.
        if fitting:
            return fitting[-1]
    raise InputError(
        f"{source}: depth_scale {scale:g} is not understood; expected millimetres per "
        "value (BOP: 0.1), metres per value (RealSense: 0.001) or values per metre "
        "(Open3D: 1000); --depth_unit overrides it"
    )


def name_of(unit: float) -> str:
    """The name of a unit, or the number."""
    for name, value in UNITS.items():
        if math.isclose(unit, value, rel_tol=1e-6):
            return name
    return f"{unit:g}"


def is_plausible(distance: float, size: float) -> bool:
    """Whether an object of this box diagonal may stand at this distance, metres."""
    return (
        PLAUSIBLE_DISTANCE[0] <= distance <= PLAUSIBLE_DISTANCE[1]
        and PLAUSIBLE_SIZE[0] <= size <= PLAUSIBLE_SIZE[1]
    )


def likely(distance: float, size: float, unit: float, count: int = 2) -> list[str]:
    """The units that give a plausible object, the likeliest first.

    Args:
      distance: metres, read with `unit`.
      size: box diagonal, metres, read with `unit`.
      unit: metres per value.
      count: how many at most.
    """
    found = []
    for name, other in UNITS.items():
        factor = other / unit
        if is_plausible(distance * factor, size * factor):
            found.append((abs(math.log(distance * factor / TYPICAL_DISTANCE)), name))
    return [name for _, name in sorted(found)][:count]


def doubts(distance: float, size: float, unit: float) -> str | None:
    """A sentence on an implausible distance or size; None if both are plausible."""
    if is_plausible(distance, size):
        return None
    text = (
        f"an object {describe_size(size, distance, is_metric=True)}: is "
        f"the depth in another unit than {name_of(unit)}?"
    )
    names = likely(distance, size, unit)
    if not names:
        return f"{text} See --depth_unit ({CHOICES})."
    options = " or ".join(
        f"--depth_unit {name} ({format_length(distance * UNITS[name] / unit)} away)"
        for name in names
    )
    return f"{text} Likely: {options}."


def describe_size(size: float, distance: float, is_metric: bool) -> str:
    """How large an object is and how far away.

    Args:
      size: diagonal of its box.
      distance: from the camera.
      is_metric: whether both are metres; else their ratio alone means something.
    """
    text = (
        f"{format_length(size, is_metric)} large, "
        f"{format_length(distance, is_metric)} away"
    )
    return text if is_metric else f"of unknown scale, {text}"


def format_length(length: float, is_metric: bool = True) -> str:
    """Three digits of metres with a unit; of a length without one, those alone."""
    if not is_metric:
        return f"{length:.3g}"
    if length < 0.01:
        return f"{length * 1000:.3g} mm"
    return f"{length:.3g} m"
