"""``report.pdf``: the page on paper, with ``report.json`` attached."""

from __future__ import annotations

from reportgen.formats.contract import Format, Writing


def write(writing: Writing) -> bytes:
    """PDF/A-3u with tags.

    Raises:
        PdfUnavailableError: WeasyPrint, or the Pango library that it needs, is missing.
    """
    from reportgen.rendering.pdf import render_pdf  # heavy: WeasyPrint, matplotlib

    return render_pdf(writing.report, drawings=writing.drawings)


PDF = Format("pdf", "report.pdf", write)
