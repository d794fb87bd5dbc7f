"""One fact, one finding: consequences name their cause and are notes."""

from __future__ import annotations

import pytest

from reportgen.battery import FOLLOWS, all_checks
from reportgen.report.causes import link_causes
from reportgen.report.findings import Finding
from reportgen.report.sections import Section

FOLLOWING = {"b.two": ("a.one",), "c.three": ("b.two",)}


def section(**levels):
    """Findings of these levels; ``b__two="warn"`` for ``b.two``."""
    findings = tuple(
        Finding(id=id_.replace("__", "."), level=level, title=id_, message="It is so.")
        for id_, level in levels.items()
    )
    return Section(id="s", title="S", why="", status="done", findings=findings)


def link(*sections):
    return {f.id: (f.level, f.cause) for s in link_causes(sections, FOLLOWING) for f in s.findings}


def test_a_consequence_is_a_note_that_names_its_cause():
    found = link(section(a__one="fail"), section(b__two="warn"))
    assert found == {"a.one": ("fail", None), "b.two": ("note", "a.one")}


def test_of_a_chain_all_stand_under_its_beginning():
    found = link(section(a__one="fail", b__two="warn", c__three="warn"))
    assert found["c.three"] == ("note", "a.one")


@pytest.mark.parametrize("level", ["pass", "not_applicable", "error"])
def test_what_does_not_fire_causes_nothing(level):
    assert link(section(a__one=level, b__two="warn"))["b.two"] == ("warn", None)


def test_what_is_graver_than_its_cause_stands_alone():
    assert link(section(a__one="note", b__two="fail"))["b.two"] == ("fail", None)


@pytest.mark.parametrize("level", ["pass", "not_applicable", "error"])
def test_what_says_nothing_follows_from_nothing(level):
    assert link(section(a__one="fail", b__two=level))["b.two"] == (level, None)


def test_a_note_follows_from_alarms_only():
    assert link(section(a__one="warn", b__two="note"))["b.two"] == ("note", "a.one")
    assert link(section(a__one="note", b__two="note"))["b.two"] == ("note", None)


def test_a_cause_that_the_finding_names_goes_first_and_is_dropped_where_it_is_silent():
    named = Finding(id="d.four", level="warn", title="D", message="So.", cause="a.one")
    said = section(a__one="warn").model_copy(update={"findings": (named,)})
    assert link(section(a__one="warn"), said)["d.four"] == ("note", "a.one")
    assert link(section(a__one="pass"), said)["d.four"] == ("warn", None)


def test_checks_follow_from_checks_that_there_are_and_never_in_a_circle():
    for id_, causes in FOLLOWS.items():
        assert set(causes) <= set(all_checks())
        seen, left = set(), list(causes)
        while left:
            cause = left.pop()
            assert cause != id_
            if cause not in seen:
                seen.add(cause)
                left += FOLLOWS[cause]
