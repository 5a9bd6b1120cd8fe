"""Pages of `docs/` whose tables a command writes, between two markers."""

import pathlib

from pixel2mesh_jax.atomic_files import write_atomically

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def write_between_markers(path: pathlib.Path, text: str) -> None:
    """Puts `text` between the markers of a page."""
    page = between_markers(path.read_text(encoding="utf-8"), text)
    write_atomically(path, page.encode())


def between_markers(page: str, text: str) -> str:
    """The page with `text` in the place of what stood between its markers."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"
