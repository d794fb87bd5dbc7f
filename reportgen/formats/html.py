"""``report.html``: one self-contained page."""

from __future__ import annotations

from reportgen.formats.contract import Format, Writing


def write(writing: Writing) -> bytes:
    """The page in UTF-8."""
    from reportgen.rendering.html import render_html  # heavy: matplotlib, Pillow

    page = render_html(writing.report, max_bytes=writing.max_bytes, drawings=writing.drawings)
    return page.encode()


HTML = Format("html", "report.html", write)
