"""The verdicts on weights."""

from __future__ import annotations

from collections.abc import Mapping

from reportgen.analyses.weights.compute import WeightsResult
from reportgen.analyses.weights.flags import Flag
from reportgen.report.blocks import Table
from reportgen.report.findings import Finding, Level

CHECKS = {
    "weights.non_finite": "NaN or infinity in a parameter",
    "weights.dead_filters": "Dead filters",
    "weights.duplicate_filters": "Duplicate filters",
    "weights.untrained_layers": "Untrained layers",
    "weights.batchnorm_degenerate": "Degenerate BatchNorm statistics",
}


def list_flags(result: WeightsResult) -> Table | None:
    """Each layer that a check names; None without any."""
    kinds = (
        ("NaN or infinity", result.non_finite),
        ("dead filters", result.dead),
        ("duplicate filters", result.duplicates),
        ("untrained", result.untrained),
        ("BatchNorm", result.batchnorm),
    )
    rows = tuple(
        (
            kind,
            flag.label,
            len(flag.filters) or None,
            flag.which or _numbers(flag.filters),
            flag.remark,
            "; ".join(filter(None, (flag.confirmed, flag.effect))) or None,
        )
        for kind, flags in kinds
        for flag in flags
    )
    if not rows:
        return None
    return Table(
        id="weights-flags",
        title="Flagged layers",
        caption=(
            "Each layer that a check names, with the numbers of its filters from 0. Cosine: +1 is "
            "the same direction, -1 the opposite one. Measured: what the named filters (of copies: "
            "all but the first) do for the answers, by setting them to zero and predicting the "
            f"same {result.effect_samples:,} samples again; the weights were put back after it."
        ),
        header=("Check", "Layer", "Filters", "Which", "Remark", "Measured"),
        rows=rows,
    )


def _numbers(filters: tuple[int, ...], most: int = 40) -> str:
    more = f", … ({len(filters) - most} more)" if len(filters) > most else ""
    return ", ".join(map(str, filters[:most])) + more


def judge(result: WeightsResult, pictures: Mapping[str, str]) -> tuple[Finding, ...]:
    """A finding for each check of this section.

    Args:
        pictures: ids of the blocks that draw a layer's kernels, by its address.
    """
    dead = sum(len(flag.filters) for flag in result.dead)
    pairs = sum(len(flag.filters) for flag in result.duplicates)
    findings = (
        _finding(
            "weights.non_finite",
            "fail",
            result.non_finite,
            len(result.non_finite),
            f"of {len(result.tensors)} tensors",
            "with NaN or infinity. Do not use the model: go back to an earlier checkpoint.",
            "Every parameter is finite.",
        ),
        _finding(
            "weights.dead_filters",
            "warn",
            result.dead,
            dead,
            f"of {result.filters:,} filters",
            "are zero: whatever the input is, their channels stay the same. Prune them (what is "
            "left of a bias goes into the next layer's), or look for a learning rate or weight "
            "decay that is too high.",
            f"None of {result.filters:,} filters is zero.",
        ),
        _finding(
            "weights.duplicate_filters",
            "warn",
            result.duplicates,
            pairs,
            "filters",
            f"point the same way as another one.{_say_offsets(result)} To merge two, add what the "
            "next layer makes of them. Or check how the layer was initialised.",
            f"No two filters point the same way (cosine above {result.options.duplicate_cosine}).",
        ),
        _untrained(result),
        _no_norms()
        if not result.norms
        else _finding(
            "weights.batchnorm_degenerate",
            "warn",
            result.batchnorm,
            len(result.batchnorm),
            f"of {len(result.norms)} BatchNorm layers",
            "with statistics that do not describe data. Let them be updated in training (call "
            "the model with training=True), or pass samples through once more to update them.",
            "Moving means and variances look like data.",
        ),
    )
    flagged = {
        "weights.non_finite": result.non_finite,
        "weights.dead_filters": result.dead,
        "weights.duplicate_filters": result.duplicates,
        "weights.untrained_layers": result.untrained,
        "weights.batchnorm_degenerate": result.batchnorm,
    }
    return tuple(
        _with_effect(_with_picture(finding, flagged.get(finding.id, ()), pictures), result)
        for finding in findings
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
    if finding.id == "weights.non_finite" and not effect.broken_before:
        said = f"answers are finite only as a ReLU of TensorFlow makes 0 of NaN; {said}"
    message = f"{finding.message} {said[0].upper()}{said[1:]}."
    return finding.model_copy(update={"message": message})


def _with_picture(
    finding: Finding, flags: tuple[Flag, ...], pictures: Mapping[str, str]
) -> Finding:
    """Point at the kernels of the first flagged layer that is drawn, if one is."""
    drawn = [pictures[flag.address] for flag in flags if flag.address in pictures]
    return finding.model_copy(update={"evidence": drawn[0]}) if drawn else finding


def _no_norms() -> Finding:
    return Finding(
        id="weights.batchnorm_degenerate",
        level="not_applicable",
        title=CHECKS["weights.batchnorm_degenerate"],
        message="The model has no BatchNormalization.",
    )


def _untrained(result: WeightsResult) -> Finding:
    if not result.judged_untrained:
        return Finding(
            id="weights.untrained_layers",
            level="not_applicable",
            title=CHECKS["weights.untrained_layers"],
            message="No layer can be compared with its initialiser: too small, or of a law that "
            "is not known here, such as orthogonal. Record the training with "
            "WeightRecorder and give --history.",
        )
    how = "did not move in training" if result.by_history else "still look like their initialiser"
    return _finding(
        "weights.untrained_layers",
        "warn",
        result.untrained,
        len(result.untrained),
        f"of {result.judged_untrained} layers",
        f"{how}. Check that they were trainable and that gradients reach them.",
        f"Each of {result.judged_untrained} layers moved away from its initial weights.",
    )


def _finding(
    id_: str,
    level: Level,
    flags: tuple[Flag, ...],
    count: int,
    what: str,
    problem: str,
    fine: str,
    *,
    threshold: float = 0.0,
) -> Finding:
    named = ", ".join(_name(flag) for flag in flags[:4])
    left = len(flags) - 4
    more = f" and {left} more layer{'s' if left > 1 else ''}" if left > 0 else ""
    return Finding(
        id=id_,
        level=level if flags else "pass",
        title=CHECKS[id_],
        message=f"{count} {what} {problem} Where: {named}{more}." if flags else fine,
        value=float(count),
        unit=what,
        threshold=threshold,
        evidence="weights-flags" if flags else "weights-tensors",
    )


def _name(flag: Flag) -> str:
    return flag.label + (f" [{_numbers(flag.filters, 6)}]" if flag.filters else "")
