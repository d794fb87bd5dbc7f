from __future__ import annotations

import pytest

from reportgen.rendering.html import content_hash, render_html
from reportgen.report.report import Report
from reportgen.text import printable

from .conftest import make_front
from .page import Page


@pytest.fixture(scope="module")
def source(report: Report) -> str:
    return render_html(report)


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_every_finding_and_block_is_there(report: Report, page: Page) -> None:
    for finding in report.findings:
        assert finding.title in page.text
        assert finding.message in page.text
        assert f"finding.{finding.id}" in page.ids
    for section in report.sections:
        for block in section.blocks:
            assert block.id in page.ids
            assert block.caption in page.text


def test_anchors_are_unique_and_every_link_meets_one(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    for tag, attrs in page.elements:
        if tag == "a":
            assert (attrs["href"] or "")[1:] in page.ids


def test_every_picture_has_words(page: Page) -> None:
    pictures = [attrs for tag, attrs in page.elements if tag == "img" and attrs.get("src")]
    silent = [attrs for attrs in pictures if not attrs.get("alt")]
    assert len(pictures) > 30
    # Thumbnails stand inside a link that is hidden from readers of words.
    assert len(silent) == 3


def test_the_policy_allows_exactly_our_style_and_script(page: Page) -> None:
    policy = next(
        attrs["content"] or ""
        for tag, attrs in page.elements
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:; font-src data:; ")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        content = "".join(page.contents[kind])
        assert [tag for tag, _ in page.elements].count(kind) == 1
        assert f"{kind}-src '{content_hash(content)}'" in policy


def test_nothing_acts_or_reaches_out(page: Page) -> None:
    assert page.problems() == []


def test_the_same_report_gives_the_same_bytes(report: Report, source: str) -> None:
    assert render_html(report) == source


def test_numbers_are_in_the_words(page: Page) -> None:
    assert "1\u202f234\u202f567" in page.text
    assert "0.124 (threshold 0.1)" in page.text
    assert "2026-03-01 12:00 UTC" in page.text


def test_the_worst_stands_first(page: Page) -> None:
    order = [
        page.text.index(words)
        for words in (
            "Stability could not be measured",  # a check that broke: graver than one that failed
            "Four channels of conv2 are dead",
            "Too sure of itself",
            "Worth knowing",
            "What was not checked",
            "What passed",
        )
    ]
    assert order == sorted(order)


def test_titles_of_ours_are_whole_wherever_they_stand(report: Report) -> None:
    source = render_html(make_front(report, 5))
    words = Page(source).text
    title = "What the model makes of each class, from the first to the last"
    assert words.count(f"Optimised images: {title}") == 5
    assert "\u2026" not in words


def test_a_name_of_a_megabyte_is_still_cut(report: Report) -> None:
    front = make_front(report, 1)
    (section,) = front.sections
    block = section.blocks[0].model_copy(update={"title": "x" * 1_000_000})
    section = section.model_copy(update={"blocks": (block,)})
    named = front.model_copy(update={"sections": (section,)}).with_arrays(report.arrays)
    assert "x" * 200 not in Page(render_html(named)).text


def test_a_report_without_problems_says_so(report: Report) -> None:
    sections = tuple(
        s.model_copy(update={"findings": (), "status": "done"}) for s in report.sections
    )
    sound = report.model_copy(update={"sections": sections}).with_arrays(report.arrays)
    words = Page(render_html(sound)).text
    assert "No check failed and none warned." in words
    assert "Every check of the battery was made." in words


def test_missing_arrays_are_named_not_fatal(report: Report) -> None:
    words = Page(render_html(report.with_arrays({}))).text
    assert words.count("are missing from the data folder") >= 5


@pytest.mark.parametrize("kilobytes", [450, 300])
def test_the_budget_is_kept_and_what_was_done_is_said(report: Report, kilobytes: int) -> None:
    source = render_html(report, max_bytes=kilobytes * 1000)
    assert len(source.encode()) <= kilobytes * 1000
    words = Page(source).text
    assert "compressed with loss" in words
    assert f"left out to keep the page within {kilobytes} kB" in words
    assert "This picture is left out" in words


def test_a_budget_below_the_text_is_said(report: Report) -> None:
    words = Page(render_html(report, max_bytes=1000)).text
    assert "The text alone is larger than the limit of 1 kB." in words


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    r"$\frac{1}$ $",
    "=cmd()",
    "\u202egpj.exe\x00\x1b",
    "\ud800",
    "",
)


@pytest.mark.parametrize("text", [*HOSTILE, "x" * 1_000_000], ids=range(len(HOSTILE) + 1))
def test_hostile_text_everywhere_is_inert(report: Report, text: str) -> None:
    page = render_html(hostile(report, text))
    page.encode()
    read = Page(page)
    assert read.problems() == []
    assert [tag for tag, _ in read.elements].count("script") == 1
    assert len(page) < 3_000_000
    if text in HOSTILE[:6]:
        assert " ".join(printable(text).split()) in read.text
    assert "\u202e" not in page


ARRAYS = {"values", "states"}
KEPT = {
    "id",
    "kind",
    "level",
    "status",
    "evidence",
    "tiles",
    "map",
    "tone",
    "style",
    "group",
    "input_kind",
    "schema_version",
    "alt",
}


def hostile(report: Report, text: str) -> Report:
    """``report`` with ``text`` in every field that holds free words."""

    def spoil(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            loose = key in {"versions", "options"}
            return {text if loose else k: spoil(v, k) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return tuple(spoil(item, key) for item in value)
        if isinstance(value, str) and key not in KEPT and not (key in ARRAYS and "/" in value):
            return text
        if isinstance(value, str) and key == "alt":
            # Strings with a length of their own are refused by pydantic if they are no text.
            return value if text in ("", "\ud800") else text
        return value

    return Report.model_validate(spoil(report.model_dump())).with_arrays(report.arrays)
