"""The checks of the overview: the file, and what was left out or repeated among the samples."""

from __future__ import annotations

from reportgen.analyses.overview.compute import OverviewResult
from reportgen.report.cards import SubjectCard
from reportgen.report.findings import Finding


def find_all(result: OverviewResult) -> tuple[Finding, ...]:
    """Every finding of the overview."""
    return (
        _unsafe_finding(result.card),
        _repaired_finding(result.card),
        _skipped_finding(result),
        _duplicates_finding(result),
    )


def _skipped_finding(result: OverviewResult) -> Finding:
    card, limit = result.card, result.options.max_skipped_share
    count = sum(item.count for item in card.skipped)
    share = count / max(1, count + card.samples)
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
    return Finding(
        id="inputs.skipped",
        level=level,  # type: ignore[arg-type]
        title="Samples left out",
        message=said,
        value=share,
        unit="share",
        threshold=limit,
        evidence="overview-ledger" if count else "overview-samples",
    )


def _unsafe_finding(card: SubjectCard) -> Finding:
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
    return Finding(
        id="model.unsafe_content",
        level=level,  # type: ignore[arg-type]
        title="Code and paths in the file",
        message=said,
        value=float(len(card.unsafe)),
        unit="in this file",
        threshold=0.0,
        evidence="overview-identity",
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _repaired_finding(card: SubjectCard) -> Finding:
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
    return Finding(
        id="model.repaired",
        level=level,  # type: ignore[arg-type]
        title="Repairs to open the file",
        message=said,
        value=float(len(card.repairs)),
        unit="in this file",
        threshold=0.0,
        evidence="overview-identity",
    )


def _duplicates_finding(result: OverviewResult) -> Finding:
    limit = result.options.max_duplicate_share
    extra = sum(len(group.names) - 1 for group in result.duplicates)
    conflicts = sum(len(set(group.labels)) > 1 for group in result.duplicates)
    share = extra / max(1, result.card.samples)
    repeated = f"{extra} {'sample repeats' if extra == 1 else 'samples repeat'}"
    if result.card.samples < 2:
        said, level = "There is only one sample to compare. Audit more.", "not_applicable"
    elif not extra:
        said, level = "No two samples are identical.", "pass"
    elif conflicts:
        level = "warn"
        said = (
            f"{repeated} another one, and identical samples have different labels in {conflicts} "
            f"{'group' if conflicts == 1 else 'groups'}. Decide which label is right, then remove "
            "the copies."
        )
    else:
        level = "warn" if share > limit else "note"
        said = (
            f"{repeated} another one ({share:.1%}). Remove the copies: they count twice, and may "
            "stand in the training data too."
        )
    return Finding(
        id="inputs.duplicates",
        level=level,  # type: ignore[arg-type]
        title="Identical samples",
        message=said,
        value=share,
        unit="share",
        threshold=limit,
        evidence="overview-duplicates" if extra else "overview-samples",
    )
