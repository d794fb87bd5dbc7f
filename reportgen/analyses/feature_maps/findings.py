"""The verdicts on activations, and the blocks that show what they claim."""

from __future__ import annotations

from reportgen.analyses.feature_maps.compute import FeatureMapsResult
from reportgen.analyses.feature_maps.problems import Problem
from reportgen.blocks import Bars, Block, Table
from reportgen.results import Finding

CHECKS = {
    "features.non_finite": "NaN or infinity in an activation",
    "features.dead_channels": "Channels that never change",
    "features.saturated": "Saturated activations",
}
_SEVERE = frozenset({"features.non_finite"})
_MOST_BARS = 40


def evidence_blocks(result: FeatureMapsResult) -> list[Block]:
    """What the findings of this section point at."""
    blocks: list[Block] = []
    if result.problems.dead:
        blocks.append(_dead_bars(result))
    flagged = _flag_table(result)
    return [*blocks, flagged] if flagged else blocks


def _dead_bars(result: FeatureMapsResult) -> Bars:
    dead = result.problems.dead
    shown = dead[:_MOST_BARS]
    rest = f" {len(dead) - len(shown)} more layers are in the table." * (len(dead) > len(shown))
    return Bars(
        id="feature_maps-dead",
        title="Channels that never change",
        caption=(
            f"By layer, over all {result.census_samples:,} samples. A long orange bar is a layer "
            "that could be smaller without changing any answer given here." + rest
        ),
        alt=f"Bars of constant and responding channels in {len(shown)} layers.",
        names=tuple(problem.address for problem in shown),
        series=("respond", "never change"),
        values=(
            tuple(float(problem.of - len(problem.channels)) for problem in shown),
            tuple(float(len(problem.channels)) for problem in shown),
        ),
        value_label="channels",
    )


def _flag_table(result: FeatureMapsResult) -> Table | None:
    problems = result.problems
    kinds = (
        ("NaN or infinity", problems.non_finite),
        ("never changes", problems.dead),
        ("saturated", problems.saturated),
    )
    rows = tuple(
        (kind, p.address, len(p.channels) or None, p.of, _numbers(p.channels), p.remark)
        for kind, group in kinds
        for p in group
    )
    if not rows:
        return None
    return Table(
        id="feature_maps-flags",
        title="Flagged layers",
        caption=f"Over all {result.census_samples:,} samples; numbers of channels from 0.",
        header=("Check", "Layer", "Channels", "Of", "Which", "Remark"),
        rows=rows,
    )


def _numbers(channels: tuple[int, ...], most: int = 40) -> str:
    more = f", … ({len(channels) - most} more)" if len(channels) > most else ""
    return ", ".join(map(str, channels[:most])) + more


def judge(result: FeatureMapsResult) -> tuple[Finding, ...]:
    """A finding for each check of this section."""
    problems = result.problems
    count = sum(len(p.channels) for p in problems.dead)
    bad = problems.non_finite[0] if problems.non_finite else None
    return (
        _finding(
            result, "features.non_finite", problems.non_finite, float(bool(bad)), "layers",
            f"NaN or infinity first appears in {bad.address} ({bad.remark}). Check the weights of "
            "that layer and the scaling of the input." if bad else
            f"Every activation is finite over {result.census_samples:,} samples.",
        ),
        _dead(result, count),
        _not_bounded() if not problems.bounded else
        _finding(
            result, "features.saturated", problems.saturated, float(len(problems.saturated)),
            "layers",
            f"{_where(problems.saturated)} hardly leave the bounds of their function, so they "
            "pass no gradient. Check the scaling of the input and the initial weights."
            if problems.saturated else
            f"Of {problems.bounded} bounded layers none is pinned at its bounds.",
        ),
    )  # fmt: skip


def _not_bounded() -> Finding:
    return Finding(
        id="features.saturated",
        level="not_applicable",
        title=CHECKS["features.saturated"],
        message="No hidden layer has a bounded activation function, so none can saturate.",
    )


def _dead(result: FeatureMapsResult, count: int) -> Finding:
    problems, options = result.problems, result.options
    if result.census_samples < options.min_samples:
        return Finding(
            id="features.dead_channels", level="not_applicable",
            title=CHECKS["features.dead_channels"],
            message=f"{result.census_samples} samples are too few to say that a channel never "
                    f"changes. Audit at least {options.min_samples}.",
        )  # fmt: skip
    return _finding(
        result, "features.dead_channels", problems.dead, float(count), "channels",
        f"{count} of {problems.channels:,} channels have the same value everywhere on all "
        f"{result.census_samples:,} samples: {_where(problems.dead)}. They do nothing for these "
        "samples: prune them, or look for dead ReLUs (a high learning rate) in training."
        if count else
        f"Each of {problems.channels:,} channels responds to some sample.",
    )  # fmt: skip


def _where(problems: tuple[Problem, ...]) -> str:
    named = ", ".join(f"{p.address} ({len(p.channels)} of {p.of})" for p in problems[:4])
    return named + (f" and {len(problems) - 4} more layers" if len(problems) > 4 else "")


def _finding(
    result: FeatureMapsResult, id_: str, problems: tuple[Problem, ...], value: float, unit: str,
    message: str,
) -> Finding:  # fmt: skip
    level = ("fail" if id_ in _SEVERE else "warn") if problems else "pass"
    first = "feature_maps-path-0" if not result.is_vector and result.samples else None
    return Finding(
        id=id_,
        level=level,  # type: ignore[arg-type]
        title=CHECKS[id_],
        message=message,
        value=value,
        unit=unit,
        threshold=0.0,
        evidence=_evidence(id_, bool(problems), first),
    )


def _evidence(id_: str, found: bool, first: str | None) -> str | None:
    if not found:
        return first
    return "feature_maps-dead" if id_ == "features.dead_channels" else "feature_maps-flags"
