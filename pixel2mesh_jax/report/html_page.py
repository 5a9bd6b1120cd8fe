"""The shell that all HTML pages share: head, looks, headings, footer."""

import datetime
import html
import string
from collections.abc import Sequence

from pixel2mesh_jax.report import style

_SHELL = string.Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<h1>$title</h1>
$header
</header>
<main>
$sections
</main>
<footer class="quiet">$footer</footer>
</body>
</html>
""")


def render(
    title: str,
    *,
    header: Sequence[str],
    sections: Sequence[str],
    footer: str,
    css: str = "",
) -> str:
    """The text of a page.

    Args:
      title: plain text.
      header: lines of HTML below the title.
      sections: HTML, see `section`; empty ones are left out.
      footer: HTML.
      css: rules of this page beside `style.CSS`.
    """
    return _SHELL.substitute(
        title=html.escape(title),
        style=style.CSS + css,
        header="\n".join(header),
        sections="\n".join(filter(None, sections)),
        footer=footer,
    )


def section(heading: str, content: str) -> str:
    """A part of a page; both are HTML."""
    return f"<section><h2>{heading}</h2>{content}</section>"


def command_block(command: str) -> str:
    """A command shown as it is; nothing if it is empty."""
    return f'<pre class="command">{html.escape(command)}</pre>' if command else ""


def now() -> str:
    """The time at which a page is written, in words."""
    return datetime.datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z")
