"""The section's checks of itself, as a table."""

from __future__ import annotations

import numpy as np

from reportgen.analyses.loss_landscape.results import LandscapeResult
from reportgen.analyses.loss_landscape.wording import plane_name
from reportgen.landscape.source import PRODUCT_TOLERANCE
from reportgen.landscape.spectrum import Trace
from reportgen.report.blocks import Table

_FLOAT, _HALF = 1e-5, 2e-2
_SAME_SURFACE = 1e-3
_LEAST_CHANCE = 1e-3


def check_table(result: LandscapeResult) -> Table:
    """Each check with what was found and what was tolerated."""
    rows = [*_by_keras(result), *_rescaled(result), *_curvatures(result)]
    rows.append(
        (
            "The weights are as they were",
            "hash over all weights before and after",
            "the same",
            _yes(result.untouched),
        )
    )
    return Table(
        id="landscape-checks",
        title="How far these numbers can be trusted",
        caption=(
            "The section measures some of its numbers again in another way. A no would be a defect "
            "of this report, not of the model."
        ),
        header=("Check", "Found", "Expected", "Holds"),
        rows=tuple(rows),
    )


def _by_keras(result: LandscapeResult) -> list[tuple[str, str, str, str]]:
    cells = result.recomputed
    if not cells:
        words = "Cells measured again by plain Keras"
        return [(words, "not possible: the model takes a fixed number of samples", "", "-")]
    limit = _HALF if result.facts.precision else _FLOAT
    where = {plane_name(cell.plane) for cell in cells}
    worst = max(cell.off for cell in cells)
    return [
        (
            f"{len(cells)} cells measured again by Keras' own evaluate",
            f"largest relative difference {worst:.1g} ({', '.join(sorted(where))})",
            f"below {limit:g}",
            _yes(worst <= limit),
        )
    ]


def _rescaled(result: LandscapeResult) -> list[tuple[str, str, str, str]]:
    found = result.invariance
    words = "A network rescaled layer by layer has the same surface"
    if found is None:
        return [(words, "no pair of layers that allows it, or directions not normalised", "", "-")]
    return [
        (
            words,
            f"{found.first} times {found.factor:g}, taken back in {found.second}: largest relative "
            f"difference {found.off:.1g}",
            f"below {_SAME_SURFACE:g}",
            _yes(found.off <= _SAME_SURFACE),
        )
    ]


def _curvatures(result: LandscapeResult) -> list[tuple[str, str, str, str]]:
    rows = []
    bends = result.bends
    if bends is not None and bends.trace is not None and bends.density_trace is not None:
        one, other = bends.trace, bends.density_trace
        chance = _chance(one, other)
        rows.append(
            (
                "Sum of eigenvalues, found in two ways",
                f"{one.value:.4g} and {other.value:.4g}; so far apart by chance: {chance:.2g}",
                f"at least {_LEAST_CHANCE:g} (Welch's test)",
                _yes(chance >= _LEAST_CHANCE),
            )
        )
    source = bends.source if bends is not None else None
    if source is not None and source.kind != "none":
        rows.append(
            (
                "A product with the Hessian, by differences of gradients",
                f"apart by {source.error:.1g} of its length",
                f"below {PRODUCT_TOLERANCE:g}",
                _yes(source.error <= PRODUCT_TOLERANCE),
            )
        )
    return rows


def _chance(one: Trace, other: Trace) -> float:
    """Probability of such a difference if both estimate the same sum."""
    from scipy.stats import ttest_ind_from_stats

    if abs(one.value - other.value) <= 1e-6 * abs(one.value):
        return 1.0  # where every draw has the same value there is no error to compare with
    found = ttest_ind_from_stats(
        one.value,
        one.error * np.sqrt(one.draws),
        one.draws,
        other.value,
        other.error * np.sqrt(other.draws),
        other.draws,
        equal_var=False,
    )
    return float(found.pvalue)


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
