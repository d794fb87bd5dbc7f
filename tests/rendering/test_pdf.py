from __future__ import annotations

import builtins
import io
import json
import sys
from typing import Any

import pytest

from reportgen.errors import ExitCode, ReportgenError
from reportgen.rendering import pdf
from reportgen.report.report import Report

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
