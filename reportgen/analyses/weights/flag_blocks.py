"""The table of the layers that a check names."""

from __future__ import annotations

from reportgen.analyses.weights.compute import WeightsResult
from reportgen.analyses.weights.findings import name_filters
from reportgen.report.blocks import Table


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
            flag.which or name_filters(flag.filters),
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
