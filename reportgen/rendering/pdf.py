"""The report on paper: A4, contents with page numbers, bookmarks, report.json attached."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reportgen.errors import PdfUnavailableError, ReportgenError
from reportgen.figures.drawing import Drawing
from reportgen.figures.tiles import Encoding
from reportgen.rendering.html import compose
from reportgen.rendering.pictures import Gallery
from reportgen.report.report import Report

# Pictures beyond this are reduced: paper held in the hand shows no more.
DPI = 200
LARGEST_PDF = 20_000_000


def render_pdf(report: Report, *, drawings: dict[str, Drawing] | None = None) -> bytes:
    """Render ``report`` as PDF/A-3u with tags.

    Nothing is fetched: a reference to anything but a data URI raises.

    Args:
        drawings: vector pictures of the same report that are drawn already; others are added.

    Raises:
        PdfUnavailableError: WeasyPrint or Pango is missing.
        ReportgenError: the page refers to something outside itself.
    """
    weasyprint = _weasyprint()
    gallery = Gallery(report.arrays, Encoding("paper"))
    if drawings is not None:
        gallery.drawings = drawings
    page = _print(weasyprint, report, gallery, (), DPI)
    if len(page) <= LARGEST_PDF:
        return page
    smaller = "Pictures are JPEG of quality 70, halved, with at most 110 dots per inch."
    gallery = replace(gallery, encoding=Encoding("paper", quality=70, halved=True), bytes_of={})
    return _print(weasyprint, report, gallery, (smaller,), 110)


def _weasyprint() -> Any:
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        # Without Pango the import raises OSError, not ImportError.
        raise PdfUnavailableError(
            f"The PDF cannot be made: {str(error).splitlines()[0] if str(error) else error!r}. "
            "Install WeasyPrint 70 (`pip install 'weasyprint>=70'`) and Pango: on Debian or "
            "Ubuntu `apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0`, on "
            "macOS `brew install pango`. The HTML page needs neither."
        ) from None
    return weasyprint


def _print(
    weasyprint: Any, report: Report, gallery: Gallery, reductions: tuple[str, ...], dpi: int
) -> bytes:
    from weasyprint.urls import FatalURLFetchingError, URLFetcher

    fetcher = URLFetcher(allowed_protocols={"data"}, allow_redirects=False, fail_on_errors=True)
    page = compose(report, gallery, reductions)
    created = created_at(report.environment.created)
    attachment = weasyprint.Attachment(
        string=report.to_json(),
        name="report.json",
        description="All findings and numbers of this report",
        relationship="Data",
        url_fetcher=fetcher,
        created=created,
        modified=created,
    )
    document = weasyprint.HTML(string=page, url_fetcher=fetcher, media_type="print")
    try:
        made: bytes = document.write_pdf(
            attachments=[attachment],
            pdf_variant="pdf/a-3u",
            pdf_tags=True,
            presentational_hints=True,
            dpi=dpi,
        )
    except FatalURLFetchingError as error:
        # WeasyPrint derives it from BaseException: no `except Exception` above would see it.
        raise ReportgenError(
            f"The page to print refers to something outside itself: {error}. "
            "Nothing was fetched. Please report this as a bug of reportgen."
        ) from None
    return made


def created_at(words: str) -> datetime:
    """The report's date, which is the attachment's too; the epoch if it cannot be read."""
    try:
        made = datetime.fromisoformat(re.sub(r"\s*UTC$", "+00:00", words.strip()))
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)
    return made if made.tzinfo else made.replace(tzinfo=UTC)
