"""One reconstruction as a page: what went in, the mesh to turn, what is known of it."""

import html
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from pixel2mesh_jax.rendering import mesh_images
from pixel2mesh_jax.report import gallery, html_page, viewer
from pixel2mesh_jax.structures import HostMesh


def page(
    title: str,
    rgb: Float[np.ndarray, "S S 3"],
    depth: Float[np.ndarray, "S S"],
    mesh: HostMesh,
    facts: Mapping[str, Any],
) -> str:
    """The text of a self-contained HTML page.

    Args:
      title: plain text.
      rgb: what the network saw, in [0, 1], on white.
      depth: metres, 0 = missing; not shown if it is missing everywhere.
      mesh: in a camera frame with y up.
      facts: shown as a list.
    """
    images = [("image", np.round(rgb * 255).astype(np.uint8))]
    if depth.any():
        images.append(("depth", mesh_images.depth_image(depth)))
    tiles = "".join(
        f'<figure><img src="{gallery.image_url(image)}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
        for caption, image in images
    )
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in facts.items()
    )
    return html_page.render(
        title,
        header=[f'<p class="quiet">{html_page.now()}</p>'],
        sections=[
            html_page.section(
                "Mesh", '<p class="quiet">Drag to turn.</p>' + viewer.frame(mesh)
            ),
            html_page.section("From", f'<div class="tiles">{tiles}</div>'),
            html_page.section("Facts", f"<table><tbody>{rows}</tbody></table>"),
        ],
        footer="",
    )
