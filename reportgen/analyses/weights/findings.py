"""The verdicts on weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reportgen.report.checks import Check
from reportgen.report.findings import Finding
from reportgen.report.levels import Level

if TYPE_CHECKING:
    from reportgen.analyses.weights.compute import WeightsResult
    from reportgen.analyses.weights.flags import Flag

NON_FINITE = Check(
    id="weights.non_finite",
    title="NaN or infinity in a parameter",
    meaning="Parameters that are no numbers. Such a model answers with NaN, or by accident.",
    levels=("fail",),
    unit="tensors",
    better="lower",
    advice="Do not use the model: go back to an earlier checkpoint.",
)
DEAD_FILTERS = Check(
    id="weights.dead_filters",
    title="Dead filters",
    meaning=(
        "Filters whose weights, times the scale of a BatchNormalization behind them, are zero to "
        "precision: whatever the input is, their channels stay the same. It warns where they make "
        "up more of all filters than the bar, or more than weights.dead_filter_layer_share of a "
        "layer; a few are a note."
    ),
    levels=("note", "warn"),
    unit="filters",
    better="lower",
    bar="dead_filter_share",
    advice="Prune them, or look for a learning rate or weight decay that is too high.",
)
DUPLICATE_FILTERS = Check(
    id="weights.duplicate_filters",
    title="Duplicate filters",
    meaning=(
        "Filters of one layer that point the same way (absolute cosine above the bar), so that "
        "one of them does no work."
    ),
    levels=("warn",),
    unit="filters",
    better="lower",
    bar="duplicate_cosine",
    advice="Merge them, or check how the layer was initialised.",
)
UNTRAINED_LAYERS = Check(
    id="weights.untrained_layers",
    title="Untrained layers",
    meaning=(
        "Layers that still look like their initialiser or, with a history, did not move in "
        "training, while others did."
    ),
    levels=("warn",),
    unit="layers",
    better="lower",
    advice="Check that they were trainable and that gradients reach them.",
)
BATCHNORM_DEGENERATE = Check(
    id="weights.batchnorm_degenerate",
    title="Degenerate BatchNorm statistics",
    meaning=(
        "BatchNormalization whose moving means and variances are still at their start, or whose "
        "variance is zero: they do not describe data."
    ),
    levels=("warn",),
    unit="BatchNorm layers",
    better="lower",
    advice=(
        "Let them be updated in training (call the model with training=True), or pass samples "
        "through once more to update them."
    ),
)


def name_filters(filters: tuple[int, ...], most: int = 40) -> str:
    """Positions of filters, the first ones where they are many."""
    more = f", … ({len(filters) - most} more)" if len(filters) > most else ""
    return ", ".join(map(str, filters[:most])) + more


def judge(result: WeightsResult, pictures: Mapping[str, str]) -> tuple[Finding, ...]:
    """A finding for each check of this section.

    Args:
        pictures: ids of the blocks that draw a layer's kernels, by its address.
    """
    findings = []
    for check, answer in _ANSWERS.items():
        finding = answer(result)
        if (flagged := _FLAGGED.get(check)) is not None:
            finding = _with_picture(finding, flagged(result), pictures)
        findings.append(_with_effect(finding, result))
    return tuple(findings)


def _non_finite(result: WeightsResult) -> Finding:
    return _judge_flags(
        NON_FINITE,
        "fail",
        result.non_finite,
        len(result.non_finite),
        f"of {len(result.tensors)} tensors",
        "with NaN or infinity. Do not use the model: go back to an earlier checkpoint.",
        "Every parameter is finite.",
    )


def _dead(result: WeightsResult) -> Finding:
    count = sum(len(flag.filters) for flag in result.dead)
    options, allowed = result.options, result.options.dead_filter_share * result.filters
    crowded = [
        flag.label
        for flag in result.dead
        if len(flag.filters) > options.dead_filter_layer_share * flag.of
    ]
    few = (
        f" So few are no alarm (more than {options.dead_filter_share:.0%} of all, or "
        f"{options.dead_filter_layer_share:.0%} of a layer, are)."
    )
    return _judge_flags(
        DEAD_FILTERS,
        "warn" if crowded or count > allowed else "note",
        result.dead,
        count,
        f"of {result.filters:,} filters",
        "are zero: whatever the input is, their channels stay the same. Prune them (what is "
        "left of a bias goes into the next layer's), or look for a learning rate or weight "
        f"decay that is too high.{'' if crowded or count > allowed else few}",
        f"None of {result.filters:,} filters is zero.",
        threshold=allowed,
    )


def _duplicates(result: WeightsResult) -> Finding:
    return _judge_flags(
        DUPLICATE_FILTERS,
        "warn",
        result.duplicates,
        sum(len(flag.filters) for flag in result.duplicates),
        "filters",
        f"point the same way as another one.{_say_offsets(result)} To merge two, add what the "
        "next layer makes of them. Or check how the layer was initialised.",
        f"No two filters point the same way (cosine above {result.options.duplicate_cosine}).",
    )


def _batchnorm(result: WeightsResult) -> Finding:
    if not result.norms:
        return BATCHNORM_DEGENERATE.not_checked("The model has no BatchNormalization.")
    return _judge_flags(
        BATCHNORM_DEGENERATE,
        "warn",
        result.batchnorm,
        len(result.batchnorm),
        f"of {len(result.norms)} BatchNorm layers",
        "with statistics that do not describe data. Let them be updated in training (call "
        "the model with training=True), or pass samples through once more to update them.",
        "Moving means and variances look like data.",
    )


def _say_offsets(result: WeightsResult) -> str:
    differ = any("differs" in flag.remark for flag in result.duplicates)
    return " Some have another bias, so they switch at other inputs." if differ else ""


def _with_effect(finding: Finding, result: WeightsResult) -> Finding:
    """Add what the flagged filters do for the answers, all of them together."""
    effect = result.effects.together.get(finding.id)
    if effect is None:
        return finding
    said = effect.describe()
    if finding.id == NON_FINITE.id and not effect.broken_before:
        said = f"answers are finite only as a ReLU of TensorFlow makes 0 of NaN; {said}"
    message = f"{finding.message} {said[0].upper()}{said[1:]}."
    return finding.model_copy(update={"message": message})


def _with_picture(
    finding: Finding, flags: tuple[Flag, ...], pictures: Mapping[str, str]
) -> Finding:
    """Point at the kernels of the first flagged layer that is drawn, if one is."""
    drawn = [pictures[flag.address] for flag in flags if flag.address in pictures]
    return finding.model_copy(update={"evidence": drawn[0]}) if drawn else finding


def _untrained(result: WeightsResult) -> Finding:
    if not result.judged_untrained:
        return UNTRAINED_LAYERS.not_checked(
            "No layer can be compared with its initialiser: too small, or of a law that "
            "is not known here, such as orthogonal. Record the training with "
            "WeightRecorder and give --history."
        )
    how = "did not move in training" if result.by_history else "still look like their initialiser"
    return _judge_flags(
        UNTRAINED_LAYERS,
        "warn",
        result.untrained,
        len(result.untrained),
        f"of {result.judged_untrained} layers",
        f"{how}. Check that they were trainable and that gradients reach them.",
        f"Each of {result.judged_untrained} layers moved away from its initial weights.",
    )


def _judge_flags(
    check: Check,
    level: Level,
    flags: tuple[Flag, ...],
    count: int,
    what: str,
    problem: str,
    fine: str,
    threshold: float = 0.0,
) -> Finding:
    named = ", ".join(_name(flag) for flag in flags[:4])
    left = len(flags) - 4
    more = f" and {left} more layer{'s' if left > 1 else ''}" if left > 0 else ""
    return check.finding(
        level if flags else "pass",
        f"{count} {what} {problem} Where: {named}{more}." if flags else fine,
        value=float(count),
        unit=what,
        threshold=threshold,
        evidence="weights-flags" if flags else "weights-tensors",
    )


def _name(flag: Flag) -> str:
    return flag.label + (f" [{name_filters(flag.filters, 6)}]" if flag.filters else "")


_ANSWERS: Mapping[Check, Callable[[WeightsResult], Finding]] = {
    NON_FINITE: _non_finite,
    DEAD_FILTERS: _dead,
    DUPLICATE_FILTERS: _duplicates,
    UNTRAINED_LAYERS: _untrained,
    BATCHNORM_DEGENERATE: _batchnorm,
}
CHECKS = tuple(_ANSWERS)
# The layers that a check names, whose kernels it points at.
_FLAGGED: Mapping[Check, Callable[[WeightsResult], tuple[Flag, ...]]] = {
    NON_FINITE: lambda result: result.non_finite,
    DEAD_FILTERS: lambda result: result.dead,
    DUPLICATE_FILTERS: lambda result: result.duplicates,
    UNTRAINED_LAYERS: lambda result: result.untrained,
    BATCHNORM_DEGENERATE: lambda result: result.batchnorm,
}
