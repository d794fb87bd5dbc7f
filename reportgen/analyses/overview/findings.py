"""The checks of the overview: the file, and what was left out of the samples or assumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reportgen.report.checks import Check
from reportgen.report.findings import Finding
from reportgen.report.levels import Level

if TYPE_CHECKING:
    from reportgen.analyses.overview.compute import OverviewResult
    from reportgen.report.cards import OtherWay

UNSAFE_CONTENT = Check(
    id="model.unsafe_content",
    title="Code and paths in the file",
    meaning=(
        "The model file holds code, or paths that opening it would run or read, and "
        "`--allow-unsafe` let it through."
    ),
    levels=("fail",),
    unit="in this file",
    better="lower",
    advice="Save the model without these parts before you pass it on.",
)
REPAIRED = Check(
    id="model.repaired",
    title="Repairs to open the file",
    meaning="The file needed a named repair to open with the installed Keras: what, and where.",
    levels=("note",),
    unit="in this file",
    better="lower",
    advice="Save the model with a current Keras, so that others can open it too.",
)
SKIPPED = Check(
    id="inputs.skipped",
    title="Samples left out",
    meaning="Samples that could not be read, by cause. Above the bar it warns, below it notes.",
    levels=("note", "warn"),
    unit="share",
    better="lower",
    bar="max_skipped_share",
    advice="Mend or remove these files: numbers may change with them.",
)
ANSWERS = Check(
    id="model.answers",
    title="Answers by other ways",
    meaning=(
        "The answers to up to 32 samples by this audit and by other ways of running the model: "
        "`model.predict`, one sample at a time, Keras' own loader, and training mode where the "
        "file asks for it. They must agree to 1e-4 of the largest answer, or of 1."
    ),
    levels=("warn",),
    unit="ways that differ",
    better="lower",
    advice="Find out which of the ways you use; the numbers here are of the audit's own.",
    follows=("weights.non_finite",),
)
ASSUMED = Check(
    id="inputs.assumed",
    title="What was assumed",
    meaning=(
        "Input scaling that nobody stated, so that the audit took the usual one. A wrong one "
        "costs 10 to 90 points of accuracy, without an error."
    ),
    levels=("note",),
    unit="not stated",
    better="lower",
    advice="State it with --preprocessing, as the training did it.",
)


def judge(result: OverviewResult) -> tuple[Finding, ...]:
    """A finding for each check of this section."""
    return tuple(answer(result) for answer in _ANSWERS.values())


def _skipped(result: OverviewResult) -> Finding:
    card, limit = result.card, result.options.max_skipped_share
    level: Level
    count = sum(item.count for item in card.skipped)
    share = count / max(1, count + card.samples)
    if not count and not card.samples:
        return SKIPPED.not_checked("There are no samples. Give --images FOLDER or --data FILE.npz.")
    if not count:
        said, level = "Every sample that was drawn could be read.", "pass"
    else:
        causes = "; ".join(f"{item.cause} ({item.count})" for item in card.skipped[:3])
        more = len(card.skipped) - 3
        causes += f"; {more} more causes" if more > 0 else ""
        said = (
            f"{count} {'sample was' if count == 1 else 'samples were'} left out ({share:.1%}): "
            f"{causes}. "
            "Mend or remove these files; numbers may change with them."
        )
        level = "warn" if share > limit else "note"
    return SKIPPED.finding(
        level,
        said,
        value=share,
        threshold=limit,
        evidence="overview-ledger" if count else "overview-samples",
    )


def _answers(result: OverviewResult) -> Finding:
    ways = result.card.other_ways
    compared = [way for way in ways if way.apart is not None]
    differing = [way for way in compared if way.differs]
    if not compared:
        return ANSWERS.not_checked("There are no samples to compare answers on.")
    said = " ".join(map(_describe_way, differing))
    if not differing:
        names = ", ".join(way.name for way in compared)
        said = f"The answers here are those {names}."
    return ANSWERS.finding(
        "warn" if differing else "pass",
        said,
        value=float(len(differing)),
        threshold=0.0,
        evidence="overview-identity",
    )


def _describe_way(way: OtherWay) -> str:
    samples = f"{way.samples} samples" if way.samples != 1 else "sample"
    return (
        f"{way.name[:1].upper()}{way.name[1:]} the answer is another for {way.changed} of "
        f"{samples} (outputs differ by up to {way.apart:.2g}). {way.why}"
    )


def _assumed(result: OverviewResult) -> Finding:
    assumed = result.card.assumed
    said = " ".join((*assumed, "If the training did otherwise, what follows is wrong."))
    return ASSUMED.finding(
        "note" if assumed else "pass",
        said if assumed else "Nothing was assumed of how the samples are to be scaled.",
        value=float(len(assumed)),
        threshold=0.0,
        evidence="overview-identity",
    )


def _unsafe(result: OverviewResult) -> Finding:
    card = result.card
    level: Level
    if not card.file_name:
        level, said = (
            "not_applicable",
            (
                "The model was handed over in Python, so there is no file to look into. Audit the "
                "saved file to check it."
            ),
        )
    elif card.unsafe:
        level, said = (
            "fail",
            (
                f"{_sentence('; '.join(card.unsafe))} It was opened because --allow-unsafe was "
                "given. "
                "Whoever opens this file runs it: save the model without these parts before you "
                "pass it on."
            ),
        )
    else:
        level, said = (
            "pass",
            ("The file holds layers and numbers only: nothing in it runs or reads anything else."),
        )
    return UNSAFE_CONTENT.finding(
        level,
        said,
        value=float(len(card.unsafe)),
        threshold=0.0,
        evidence="overview-identity",
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _repaired(result: OverviewResult) -> Finding:
    card = result.card
    level: Level
    if not card.file_name:
        level, said = "not_applicable", "There is no file: the model was handed over in Python."
    elif card.repairs:
        level, said = (
            "note",
            (
                f"{'; '.join(card.repairs)}. The file itself was not changed. Save the model with "
                "a current Keras, so that others can open it too."
            ),
        )
    else:
        level, said = "pass", "The file opened as it is."
    return REPAIRED.finding(
        level,
        said,
        value=float(len(card.repairs)),
        threshold=0.0,
        evidence="overview-identity",
    )


_ANSWERS: Mapping[Check, Callable[[OverviewResult], Finding]] = {
    UNSAFE_CONTENT: _unsafe,
    REPAIRED: _repaired,
    ANSWERS: _answers,
    ASSUMED: _assumed,
    SKIPPED: _skipped,
}
CHECKS = tuple(_ANSWERS)
