"""The verdicts on how the samples reach the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reportgen.analyses.inputs.class_findings import (
    CLASS_ORDER,
    SUSPECT_LABELS,
    judge_class_order,
    judge_suspects,
)
from reportgen.analyses.inputs.pixel_findings import (
    BATCHNORM_STALE,
    RESIZING,
    SCALING,
    judge_batchnorm,
    judge_resizing,
    judge_scaling,
)
from reportgen.analyses.inputs.sample_findings import (
    BLANK_ANSWER,
    DUPLICATES,
    LEAK,
    UNSTABLE,
    judge_blanks,
    judge_duplicates,
    judge_leak,
    judge_stability,
)
from reportgen.report.checks import Check
from reportgen.report.findings import Finding

if TYPE_CHECKING:
    from reportgen.analyses.inputs.compute import InputsResult

_ANSWERS: Mapping[Check, Callable[[InputsResult], Finding]] = {
    SCALING: judge_scaling,
    CLASS_ORDER: judge_class_order,
    RESIZING: judge_resizing,
    BATCHNORM_STALE: judge_batchnorm,
    SUSPECT_LABELS: judge_suspects,
    UNSTABLE: judge_stability,
    DUPLICATES: judge_duplicates,
    LEAK: judge_leak,
    BLANK_ANSWER: judge_blanks,
}
CHECKS = tuple(_ANSWERS)


def judge(result: InputsResult) -> tuple[Finding, ...]:
    """A finding for each check of this section."""
    return tuple(answer(result) for answer in _ANSWERS.values())
