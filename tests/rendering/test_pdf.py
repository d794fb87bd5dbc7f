from __future__ import annotations

import builtins
import io
import itertools
import json
import sys
from typing import Any

import pytest

from reportgen.errors import ExitCode, ReportgenError
from reportgen.rendering import pdf
from reportgen.report.report import Report

from .conftest import make_front
from .test_html import HOSTILE, hostile

pypdf = pytest.importorskip("pypdf")
pytest.importorskip("weasyprint", exc_type=(ImportError, OSError))
# WeasyPrint leaves its colour profile open.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def document(report: Report) -> Any:
    return pypdf.PdfReader(io.BytesIO(pdf.render_pdf(report)))


def words_of(document: Any) -> str:
    return " ".join(" ".join(page.extract_text() for page in document.pages).split())


def test_every_finding_can_be_found(document: Any, report: Report) -> None:
    words = words_of(document)
    for finding in report.findings:
        assert finding.title in words


def test_pages_are_numbered_and_named(document: Any, report: Report) -> None:
    count = len(document.pages)
    assert 5 <= count <= 20
    for number, page in enumerate(document.pages, 1):
        words = page.extract_text()
        assert f"page {number} of {count}" in " ".join(words.split())
        if number > 1:
            assert report.subject.name in words
            assert (report.subject.sha256 or "")[:12] in words


def test_no_page_is_empty(document: Any) -> None:
    for page in document.pages:
        assert len(page.extract_text()) > 100 or len(page.images) > 0


def test_bookmarks_follow_the_chapters(document: Any, report: Report) -> None:
    titles = [item.title for item in document.outline if not isinstance(item, list)]
    for section in report.sections:
        assert section.title in titles


# The text block of A4 with margins of 20 mm, in points from the left of the page.
LEFT, RIGHT = 56.69, 538.58


def link_boxes(page: Any) -> dict[str, list[tuple[float, ...]]]:
    """Left, bottom, right and top of all that a link holds, by its target.

    WeasyPrint makes a link of each box inside the element: frame, picture and words.
    """
    boxes: dict[str, list[tuple[float, ...]]] = {}
    for note in page["/Annots"]:
        x0, y0, x1, y1 = map(float, note.get_object()["/Rect"])
        target = str(note.get_object()["/Dest"])
        boxes.setdefault(target, []).append((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    return boxes


@pytest.mark.parametrize("count", [1, 5, 7])
def test_every_thumbnail_of_the_front_page_is_whole(report: Report, count: int) -> None:
    front = make_front(report, count)
    page = pypdf.PdfReader(io.BytesIO(pdf.render_pdf(front))).pages[0]
    boxes = link_boxes(page)
    wholes = []
    for section in front.sections:
        parts = boxes[section.blocks[0].id]
        assert len(parts) >= 4
        for left, _, right, _ in parts:
            assert LEFT - 0.1 <= left < right <= RIGHT + 0.1
        lefts, bottoms, rights, tops = zip(*parts, strict=True)
        wholes.append((min(lefts), min(bottoms), max(rights), max(tops)))
    # None covers its neighbour.
    for one, other in itertools.combinations(wholes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_the_report_is_attached(document: Any, report: Report) -> None:
    (content,) = document.attachments["report.json"]
    assert json.loads(content) == json.loads(report.to_json())


def test_title_and_language(document: Any) -> None:
    assert document.metadata.title == "Model audit: cifar_resnet_v2.keras"
    assert document.trailer["/Root"]["/Lang"] == "en"
    assert document.trailer["/Root"]["/MarkInfo"]["/Marked"]


def test_the_same_report_gives_the_same_bytes(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    short = report.model_copy(update={"sections": report.sections[:1]}).with_arrays(report.arrays)
    assert pdf.render_pdf(short) == pdf.render_pdf(short)


# Breaking long words takes WeasyPrint seconds, so the longest name meets a short section.
@pytest.mark.parametrize(
    ("text", "section"), [("".join(HOSTILE[:8]), 0), ("x" * 1_000_000, -1)], ids=["all", "long"]
)
def test_hostile_text_is_inert(report: Report, text: str, section: int) -> None:
    short = report.model_copy(update={"sections": (report.sections[section],)}).with_arrays(
        report.arrays
    )
    document = pypdf.PdfReader(io.BytesIO(pdf.render_pdf(hostile(short, text))))
    assert len(document.pages) < 60
    assert "/JavaScript" not in document.trailer["/Root"].get("/Names", {})
    assert "/OpenAction" not in document.trailer["/Root"]


def test_a_reference_to_the_outside_raises(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    page = '<html><body><img src="file:///etc/hostname"></body></html>'
    monkeypatch.setattr(pdf, "compose", lambda *_: page)
    with pytest.raises(ReportgenError, match="file:///etc/hostname"):
        pdf.render_pdf(report)


@pytest.mark.parametrize("error", [OSError("cannot load library 'libpango'"), ImportError("no")])
def test_what_to_install_is_said(
    report: Report, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "weasyprint":
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "weasyprint")
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(
        pdf.PdfUnavailableError, match=r"libpango-1\.0-0.*brew install pango"
    ) as got:
        pdf.render_pdf(report)
    assert got.value.exit_code == ExitCode.PARTIAL
