"""The page in a real headless Chromium: no request, no error, and it works; also without script."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reportgen.battery import BATTERY
from reportgen.report.report import Report

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
IDS = tuple(analysis.id for analysis in BATTERY)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

HOSTILE = "<script>window.hit=1</script><img src=x onerror=window.hit=2>"


@pytest.fixture(scope="module")
def report(digits) -> Report:
    return Report.load(digits)


@pytest.fixture(scope="module")
def page_file(report, tmp_path_factory) -> Path:
    return report.to_file(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """An open page, with everything that it asked for and complained about."""

    def __init__(self, browser, file: Path, **settings: object) -> None:
        self.context = browser.new_context(offline=True, reduced_motion="reduce", **settings)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri())

    def outside(self) -> list[str]:
        """Requests for anything but the file itself and what it carries."""
        return [url for url in self.requests[1:] if not url.startswith("data:")]


@pytest.fixture
def visit(chromium):
    visits: list[Visit] = []

    def open_page(file: Path, **settings: object) -> Visit:
        visits.append(Visit(chromium, file, **settings))
        return visits[-1]

    yield open_page
    for made in visits:
        made.context.close()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_request_no_error_and_nothing_wider_than_the_screen(visit, page_file, width, scheme):
    seen = visit(page_file, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert seen.outside() == []
    assert seen.complaints == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_picture_loads(visit, page_file):
    seen = visit(page_file)
    broken = seen.page.evaluate(
        "Promise.all([...document.querySelectorAll('img[src]')]"
        ".map(i => i.decode().then(() => 0, () => 1)))"
        ".then(all => all.reduce((a, b) => a + b, 0))"
    )
    assert seen.page.evaluate("document.images.length") > 100
    assert broken == 0


def test_every_picture_has_words(visit, page_file):
    seen = visit(page_file)
    silent = seen.page.evaluate("[...document.images].filter(i => !i.hasAttribute('alt')).length")
    assert silent == 0


def test_the_contents_lead_to_every_section(visit, page_file, report):
    seen = visit(page_file, viewport={"width": 1440, "height": 900})
    for section in report.sections:
        seen.page.locator("nav a", has_text=section.title).first.click()
        box = seen.page.locator("h2", has_text=section.title).first.bounding_box()
        assert box is not None
        assert -50 <= box["y"] < 400


def test_every_link_inside_the_page_has_a_target(visit, page_file):
    seen = visit(page_file)
    lost = seen.page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')]"
        ".filter(a => !document.getElementById(a.getAttribute('href').slice(1)))"
        ".map(a => a.getAttribute('href'))"
    )
    assert lost == []


def test_the_search_finds_layers_and_findings(visit, page_file):
    seen = visit(page_file, viewport={"width": 1440, "height": 900})
    field = seen.page.locator("input[type=search]")
    for words in ("corners", "calibration"):
        field.fill(words)
        hit = seen.page.locator("#hits button", has_text=words).first
        hit.click()
        focused = seen.page.evaluate("document.activeElement.textContent.toLowerCase()")
        assert words in focused


def test_a_picture_enlarges_and_escape_closes_it(visit, page_file):
    seen = visit(page_file, viewport={"width": 1440, "height": 900})
    picture = seen.page.locator("figure img").first
    picture.scroll_into_view_if_needed()
    picture.click()
    assert seen.page.locator("dialog[open]").count() == 1
    seen.page.keyboard.press("Escape")
    assert seen.page.locator("dialog[open]").count() == 0


def test_without_script_every_finding_and_figure_is_there(visit, page_file, report):
    seen = visit(page_file, java_script_enabled=False)
    text = seen.page.locator("main").inner_text()
    for finding in report.findings:
        assert finding.title in text
        assert finding.message[:60] in text
    for section in report.sections:
        for block in section.blocks:
            assert seen.page.locator(f"[id='{block.id}']").count() == 1
            if block.kind not in ("text", "key_values", "table"):
                assert seen.page.locator(f"[id='{block.id}'] img").count() >= 1
    assert seen.outside() == []


def test_hostile_names_never_run(visit, report, tmp_path):
    subject = report.subject.model_copy(
        update={"name": HOSTILE, "classes": (HOSTILE,) * 10, "notes": (HOSTILE,)}
    )
    first = report.sections[0]
    finding = first.findings[0].model_copy(update={"title": HOSTILE, "message": HOSTILE})
    section = first.model_copy(update={"findings": (finding,), "title": HOSTILE})
    hostile = report.model_copy(update={"subject": subject, "sections": (section,)})
    seen = visit(hostile.with_arrays(report.arrays).to_file(tmp_path / "hostile.html"))
    assert seen.page.evaluate("window.hit") is None
    assert seen.outside() == []
    assert seen.complaints == []
    assert "<script>window.hit=1</script>" in seen.page.locator("h1").inner_text()
