"""The report as one HTML page that needs no network, and no script to be read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from markupsafe import Markup

from reportgen.figures.drawing import Drawing
from reportgen.figures.tiles import Encoding
from reportgen.rendering import view
from reportgen.rendering.pictures import Gallery, data_uri
from reportgen.report.levels import WORDS
from reportgen.report.report import Report
from reportgen.resources import asset, render
from reportgen.text import file_size

DEFAULT_MAX_BYTES = 5_000_000


@dataclass(frozen=True)
class Step:
    """One way to encode the pictures, and the sentence that tells the reader about it."""

    encoding: Encoding
    reductions: tuple[str, ...]


_LOSSY = "Maps and small pictures are compressed with loss (WebP quality 80)."
_HALVED = "Pictures with tiles larger than 16 pixels are halved in width and height."
STEPS = (
    Step(Encoding("screen"), ()),
    Step(Encoding("screen", quality=80), (_LOSSY,)),
    Step(Encoding("screen", quality=80, halved=True), (_LOSSY, _HALVED)),
)


def render_html(
    report: Report, *, max_bytes: int | None = None, drawings: dict[str, Drawing] | None = None
) -> str:
    """Render ``report`` as one page of at most ``max_bytes`` (default: 5 MB) bytes.

    To fit, pictures are compressed with loss, then halved, then the largest ones are left
    out, each with a sentence in its place. What was done stands under "Methods and
    provenance". Only text can make the page larger than ``max_bytes``, and then it says so.

    Args:
        drawings: vector pictures of the same report that are drawn already; others are added.
    """
    limit = DEFAULT_MAX_BYTES if max_bytes is None else max_bytes
    gallery = Gallery(report.arrays, STEPS[0].encoding)
    if drawings is not None:
        gallery.drawings = drawings
    page = ""
    for step in STEPS:
        gallery = replace(gallery, encoding=step.encoding, bytes_of={})
        page = compose(report, gallery, step.reductions)
        if size_of(page) <= limit:
            return page
    return _without_largest(report, gallery, limit, size_of(page))


def size_of(page: str) -> int:
    """Bytes of ``page`` in UTF-8."""
    return len(page.encode())


def _without_largest(report: Report, gallery: Gallery, limit: int, size: int) -> str:
    page = ""
    for omit in _omissions(gallery.bytes_of, size - limit):
        gallery = replace(gallery, omit=omit, bytes_of={})
        page = compose(report, gallery, (*STEPS[-1].reductions, _left_out(omit, limit)))
        if size_of(page) <= limit:
            return page
    too_long = f"The text alone is larger than the limit of {file_size(limit)}."
    last = (*STEPS[-1].reductions, _left_out(gallery.omit, limit), too_long)
    return compose(report, gallery, last)


def _omissions(bytes_of: dict[str, int], excess: int) -> Iterator[frozenset[str]]:
    """Sets of pictures to leave out: the largest until ``excess`` is met, then ever more."""
    largest = sorted(bytes_of, key=lambda key: (-bytes_of[key], key))
    count = saved = 0
    while count < len(largest) and saved < excess + 1000:
        # Each picture makes room for itself, less the sentence in its place.
        saved += max(0, bytes_of[largest[count]] - 300)
        count += 1
    while count < len(largest):
        yield frozenset(largest[:count])
        count += max(1, len(largest) // 20)
    yield frozenset(largest)


def _left_out(omit: frozenset[str], limit: int) -> str:
    count = f"{len(omit)} pictures are" if len(omit) != 1 else "1 picture is"
    return (
        f"{count} left out to keep the page within {file_size(limit)}. "
        "A larger --max-size shows them."
    )


def compose(report: Report, gallery: Gallery, reductions: tuple[str, ...]) -> str:
    """The page for the medium of ``gallery``. Its policy allows only its own style and script."""
    medium = gallery.encoding.target
    style = style_sheet(medium)
    script = Markup(asset("report.js").decode()) if medium == "screen" else Markup("")
    return render(
        "report.html.jinja",
        report=report,
        view=view.build(report, gallery),
        words=WORDS,
        medium=medium,
        reductions=reductions,
        style=style,
        script=script,
        style_hash=content_hash(style),
        script_hash=content_hash(script),
    )


def style_sheet(medium: Literal["screen", "paper"]) -> Markup:
    """The style of a page, fonts included."""
    fonts = "\n".join(_font_face(weight) for weight in (400, 600))
    colours = render("theme.css.jinja")
    base, paper = asset("report.css").decode(), asset("print.css").decode()
    if medium == "screen":
        paper = f"@media print {{\n{paper}\n}}"
    return Markup(f"{fonts}\n{colours}\n{base}\n{paper}")


def _font_face(weight: int) -> str:
    source = data_uri(asset(f"fonts/inter-{weight}.woff2"), "font/woff2")
    return (
        f'@font-face{{font-family:"Inter";font-weight:{weight};font-style:normal;'
        f'font-display:swap;src:url("{source}") format("woff2")}}'
    )


def content_hash(content: str) -> str:
    """The source expression by which a Content-Security-Policy allows ``content``."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
