"""Spectra as a table and as curves beside random matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.weights.spectra import MIN_EIGENVALUES, Interval, Spectrum
from reportgen.analyses.weights.survey import Survey
from reportgen.report.blocks import Block, Lines, Series, Table, as_finite

_MOST_POINTS = 160
_CLEAR = 3.0  # curves above so many times the random value are cut at the top


def spectra_blocks(survey: Survey) -> list[Block]:
    """The table of all spectra, and the curves that the survey chose."""
    if not survey.spectra:
        return []
    blocks: list[Block] = [_table(survey)]
    if survey.shown:
        blocks.append(_curves(survey))
    return blocks


def _table(survey: Survey) -> Table:
    left, draws = "", survey.spectra[0].null.draws
    if survey.left_out:
        named = ", ".join(survey.left_out[:4]) + (", …" if len(survey.left_out) > 4 else "")
        left = (
            f" Left out, being too large for the budget: {named} (option spectra_work of weights)."
        )
    return Table(
        id="weights-spectra",
        title="Spectra: structure or noise",
        caption=(
            "Each kernel as a matrix, a row a filter. Random: where 95 % of random matrices of the "
            "same shape and size lie. Spectral norm: the most that the kernel can stretch an "
            "input. Above random: directions that are stretched more than the largest of any "
            f"of {draws} random matrices: learned structure, but for about one of {draws} kernels "
            "by chance. Stable rank: over how many directions the weights are spread (1: "
            "all filters alike, up to the shorter side: all equally different). Exponent: how "
            "fast the large eigenvalues thin out, with a rough range (bootstrap, as if eigenvalues "
            "were independent, which they are not); read it only beside its "
            f"random column, and not at all below {MIN_EIGENVALUES} eigenvalues, where it is left "
            "out. “Like random”: the two ranges overlap, so the exponent says nothing of this "
            "kernel. A kernel that is random in every column may not have learned; none of these "
            "numbers alone makes it good or bad." + left
        ),
        header=(
            "Kernel",
            "Filters × inputs",
            "Spectral norm (random)",
            "Above random",
            "Stable rank (random)",
            "Exponent",
            "Random",
            "Exponent is",
        ),
        rows=tuple(_row(spectrum) for spectrum in survey.spectra),
    )


def _row(spectrum: Spectrum) -> tuple[str | int | float | None, ...]:
    null, size = spectrum.null, spectrum.size
    exponent = None
    if spectrum.exponent is not None and spectrum.exponent_interval is not None:
        exponent = f"{spectrum.exponent:.1f} ({_say(spectrum.exponent_interval, '.1f')})"
    like = {True: "like random", False: "unlike random", None: None}[spectrum.like_random]
    return (
        spectrum.label,
        f"{spectrum.shape[0]:,} × {spectrum.shape[1]:,}",
        _beside(spectrum.values[0], (size * float(null.low[0]), size * float(null.high[0]))),
        spectrum.above,
        _beside(spectrum.stable_rank, null.stable_rank),
        exponent,
        None if exponent is None or null.exponent is None else _say(null.exponent, ".1f"),
        like,
    )


def _beside(value: float, random: Interval) -> str:
    return f"{value:.3g} ({_say(random)})"


def _say(interval: Interval, spec: str = ".3g") -> str:
    return f"{interval[0]:{spec}}–{interval[1]:{spec}}"


def _curves(survey: Survey) -> Lines:
    chosen = [(survey.spectra[position], why) for position, why in survey.shown]
    series = [_curve(spectrum, why) for spectrum, why in chosen]
    most = max(len(spectrum.values) for spectrum, _ in chosen)
    top = max(max(v for v in one.y if v is not None) for one in series)
    random = Series(
        name="random matrix", x=(1.0, float(max(most, 2))), y=(1.0, 1.0), style="reference"
    )
    return Lines(
        id="weights-spectra-curves",
        title="Singular values beside random matrices",
        caption=(
            "A singular value is how much a kernel stretches one of its directions; they are "
            "ranked from the largest. 1 is the value that random matrices of the same shape and "
            "size have at that rank; the band shows how much those differ among each other. Far "
            "above 1 on the left: a few learned directions. Along 1 throughout: nothing that "
            "chance would not give. Far below 1 on the right: directions that were given up."
        ),
        alt=f"Curves of singular values of {len(series)} kernels, as multiples of random ones.",
        series=(random, *series),
        x_label="rank of the singular value",
        y_label="times the random value",
        y_range=(0.0, max(_CLEAR / 2, 1.05 * top)),
        x_log=True,
    )


def _curve(spectrum: Spectrum, why: str) -> Series:
    null = spectrum.null
    usual = spectrum.size * (null.low + null.high) / 2
    # The last value of a square matrix is all chance: random ones come arbitrarily near zero.
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, low, high = (
            spectrum.values / (spectrum.size * bound)
            for bound in (usual / spectrum.size, null.high, null.low)
        )
    ranks = _thin(len(ratio))
    return Series(
        name=f"{spectrum.label} ({why})",
        x=tuple(float(rank + 1) for rank in ranks),
        y=as_finite(ratio[ranks]),
        low=as_finite(low[ranks]),
        high=as_finite(high[ranks]),
    )


def _thin(count: int) -> NDArray[np.int64]:
    """All ranks, or so many spread evenly on a logarithmic axis."""
    if count <= _MOST_POINTS:
        return np.arange(count)
    spread = np.geomspace(1, count, _MOST_POINTS).round().astype(np.int64) - 1
    return np.unique(spread)
