"""The verdicts on activations, and the blocks that show what they claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reportgen.report.checks import Check
from reportgen.report.findings import Finding

if TYPE_CHECKING:
    from reportgen.analyses.feature_maps.compute import FeatureMapsResult
    from reportgen.analyses.feature_maps.problems import Problem, Problems

NON_FINITE = Check(
    id="features.non_finite",
    title="NaN or infinity in an activation",
    meaning="The first layer whose activations are not numbers on some sample.",
    levels=("fail",),
    unit="layers",
    better="lower",
    advice="Check the weights of that layer and the scaling of the input.",
    follows=("weights.non_finite",),
)
DEAD_CHANNELS = Check(
    id="features.dead_channels",
    title="Channels that never change",
    meaning=(
        "Channels that have the same value at every position of every sample. Single ones are "
        "common in sound models: it warns where they make up more of a layer than the bar, or "
        "more than feature_maps.dead_share of all channels, on feature_maps.alarm_samples or more. "
        "Those whose filter is zero are named by `weights.dead_filters`."
    ),
    levels=("note", "warn"),
    unit="share of a layer",
    better="lower",
    bar="dead_layer_share",
    advice=(
        "Prune them if these samples stand for all. Where many died in training, lower the "
        "learning rate."
    ),
    follows=("inputs.scaling",),
)
SATURATED = Check(
    id="features.saturated",
    title="Saturated activations",
    meaning=(
        "Layers with a bounded activation function (sigmoid, tanh, ...) of whose channels more "
        "than the bar hardly leave the bounds, so that they pass no gradient."
    ),
    levels=("warn",),
    unit="layers",
    better="lower",
    bar="saturated_share",
    advice="Check the scaling of the input, the initial weights and the learning rate.",
    follows=("inputs.scaling",),
)
_MOST_NAMED = 8


def judge(result: FeatureMapsResult) -> tuple[Finding, ...]:
    """A finding for each check of this section."""
    return tuple(answer(result) for answer in _ANSWERS.values())


def _non_finite(result: FeatureMapsResult) -> Finding:
    problems = result.problems.non_finite
    message = f"Every activation is finite over {result.census.samples:,} samples."
    if problems:
        bad = problems[0]
        message = (
            f"NaN or infinity first appears in {_name(bad)}: {bad.remark}. Check the weights of "
            f"that layer and the scaling of the input.{_say_effect(bad.effect)}"
        )
    return _judge_problems(result, NON_FINITE, problems, float(bool(problems)), message)


def _saturated(result: FeatureMapsResult) -> Finding:
    problems = result.problems
    if not problems.bounded:
        if problems.non_finite:
            return SATURATED.not_checked(f"{_unseen(problems)} None before them is bounded.")
        said = "No hidden layer has a bounded activation function, so none can saturate."
        return SATURATED.not_checked(said)
    message = f"Of {problems.bounded} bounded layers none is pinned at its bounds."
    if problems.saturated:
        message = (
            f"{_where(problems.saturated)} hardly leave the bounds of their function, so they "
            "pass no gradient and cannot learn any more. Check the scaling of the input, the "
            f"initial weights and the learning rate.{_say_effect(result.together.saturated)}"
        )
    if problems.non_finite:
        message += f" {_unseen(problems)}"
    count = float(len(problems.saturated))
    return _judge_problems(result, SATURATED, problems.saturated, count, message)


def _dead(result: FeatureMapsResult) -> Finding:
    problems, samples = result.problems, result.census.samples
    if samples < result.options.min_samples:
        return DEAD_CHANNELS.not_checked(
            f"{samples} samples are too few to say that a channel never changes. Audit at least "
            f"{result.options.min_samples}.",
        )
    count = sum(len(p.channels) for p in problems.dead)
    if problems.non_finite and not count:
        return DEAD_CHANNELS.not_checked(_unseen(problems))
    if not count:
        message = f"Each of {problems.channels:,} channels responds to some sample."
        if problems.by_weights:
            message = f"{_by_weights(problems)} Each other one responds to some sample."
        return DEAD_CHANNELS.finding(
            "note" if problems.by_weights else "pass",
            message,
            value=0.0,
            threshold=result.options.dead_layer_share,
            evidence=_find_evidence(result, problems.dead, "feature_maps-dead"),
            cause="weights.dead_filters" if problems.by_weights else None,
        )
    worst = max(problems.dead, key=lambda p: len(p.channels) / p.of)
    share, of_all = len(worst.channels) / worst.of, count / problems.channels
    enough = samples >= result.options.alarm_samples
    by_layer = enough and share > result.options.dead_layer_share
    by_all = enough and of_all > result.options.dead_share and not by_layer
    return DEAD_CHANNELS.finding(
        "warn" if by_layer or by_all else "note",
        _say_dead(result, count, worst, by_layer or by_all),
        value=of_all if by_all else share,
        unit="share of all channels" if by_all else None,
        threshold=result.options.dead_share if by_all else result.options.dead_layer_share,
        evidence="feature_maps-dead",
    )


def _say_dead(result: FeatureMapsResult, count: int, worst: Problem, many: bool) -> str:
    problems, samples = result.problems, result.census.samples
    verb = "has" if count == 1 else "have"
    said = (
        f"{count:,} of {problems.channels:,} channels ({count / problems.channels:.1%}) {verb} the "
        f"same value everywhere on all {samples:,} samples: {_where(problems.dead)}."
    )
    if len(problems.dead) > 1 or many:
        said += (
            f" The most of one layer: {len(worst.channels)} of {worst.of} "
            f"({len(worst.channels) / worst.of:.0%}), in {worst.address}."
        )
    # None of n, for all of them together: Bonferroni over the channels, then (1 - p)^n = .05.
    rare = 1 - (0.05 / count) ** (1 / samples)
    said += (
        " Either they died in training, mostly of a high learning rate, or these samples do not "
        "hold what they look for: optvis.unresponsive_units tries which. If they died, train again "
        "with a lower one."
        if many
        else " So few are common in sound models. Prune them if these samples stand for all: each "
        f"responds to fewer than {rare:.1%} of samples like these (95 % confidence, for all of "
        "them)."
    )
    said += _say_effect(result.together.dead)
    return f"{said} {_by_weights(problems)}" if problems.by_weights else said


def _unseen(problems: Problems) -> str:
    return f"Layers behind {problems.non_finite[0].address} are not judged: NaN or infinity there."


def _by_weights(problems: Problems) -> str:
    few = problems.by_weights == 1
    return (
        f"{problems.by_weights} of {problems.channels:,} channels never "
        f"{'changes' if few else 'change'}, because "
        f"{'its filter is' if few else 'their filters are'} zero: "
        "see weights.dead_filters."
    )


def _say_effect(words: str) -> str:
    """The measured effect as a sentence of its own."""
    return f" {words[0].upper()}{words[1:]}." if words else ""


def _name(problem: Problem) -> str:
    """The layer, and its channels while they are few."""
    if len(problem.channels) > _MOST_NAMED:
        return f"{problem.address} ({len(problem.channels)} of {problem.of} channels)"
    return f"{problem.address} [{', '.join(map(str, problem.channels))}]"


def _where(problems: list[Problem]) -> str:
    named = ", ".join(map(_name, problems[:4]))
    return named + (f" and {len(problems) - 4} more layers" if len(problems) > 4 else "")


def _judge_problems(
    result: FeatureMapsResult, check: Check, problems: list[Problem], value: float, message: str
) -> Finding:
    return check.finding(
        check.levels[-1] if problems else "pass",
        message,
        value=value,
        threshold=0.0,
        evidence=_find_evidence(result, problems, "feature_maps-flags"),
    )


def _find_evidence(result: FeatureMapsResult, problems: list[Problem], flagged: str) -> str | None:
    """The block that shows flagged layers, else the way of a sample through all of them."""
    if problems:
        return flagged
    return "feature_maps-path-0" if not result.is_vector and result.samples else None


_ANSWERS: Mapping[Check, Callable[[FeatureMapsResult], Finding]] = {
    NON_FINITE: _non_finite,
    DEAD_CHANNELS: _dead,
    SATURATED: _saturated,
}
CHECKS = tuple(_ANSWERS)
