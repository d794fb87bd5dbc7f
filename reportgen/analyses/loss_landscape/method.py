"""How the numbers of the section were made."""

from __future__ import annotations

from reportgen.analyses.loss_landscape.results import Bends, LandscapeResult
from reportgen.analyses.loss_landscape.wording import say_source

_VECTORS = {
    "ignore": "biases and other vectors stay where they are",
    "keep": "biases and other vectors move too, each scaled as a whole",
}


def describe_method(result: LandscapeResult) -> tuple[str, ...]:
    """In sentences, with every parameter that was used."""
    facts, options = result.facts, result.options
    lines = [
        f"The loss is the mean over {facts.samples:,} samples, the same in every cell, in "
        "inference mode: no dropout, no augmentation, moving statistics of BatchNorm as they are. "
        "Penalties are kept apart. It is computed from the scores before softmax or sigmoid where "
        f"these can be found, in {facts.dtype}.",
    ]
    if facts.precision:
        lines.append(
            f"The network itself computes in {facts.precision}; here it computes in {facts.dtype}, "
            "as rounding would hide small differences."
        )
    if facts.reused:
        lines.append(f"Computed once for all cells of a plane: {facts.reused}.")
    lines += [
        f"Random directions: Gaussian, {_say_normalisation(result)} (Li et al. 2018, arXiv "
        f"1712.09913); {_VECTORS[options.vectors]}. The second is made orthogonal to the first, "
        "where lengths are measured in the same units. Weights that are zero stay zero.",
        _say_refinement(result),
        "Standard errors: paired bootstrap, 200 resamples of the samples, the same for all cells, "
        "of the difference to the model. Contours: 12 levels by the logarithm, less those that are "
        "not two standard errors apart.",
    ]
    if result.training is not None:
        lines.append(
            "Path: right singular vectors of the records' differences to the model's weights, from "
            "their matrix of inner products; not rescaled. Shares: of the squared distances to "
            "the model, also for the random walk (Antognini and Sohl-Dickstein 2018 centre them "
            "over time). A record is measured with its "
            "own moving statistics, the plane with the model's."
        )
    if result.bends is not None:
        lines.append(
            f"Hessian: {_say_products(result.bends)} Eigenvalues: "
            "Lanczos by ARPACK (scipy's eigsh) at the upper end, and at the upper end of the "
            f"largest less the Hessian; tolerance 1 % of the largest, at most {options.products} "
            f"products an end. Sum: exact along these, {options.trace_draws} draws of random signs "
            "elsewhere (Hutchinson 1990; Meyer et al. 2021). "
            f"Spread: {options.density_starts} starts of {options.density_steps} Lanczos steps "
            "(Ubaru, Chen and Saad 2017), smoothed. Corners of ReLUs are not in a Hessian."
        )
        lines.append(
            f"Sharpness: gradient ascent on a ball, {options.ascents} steps from each of three "
            "starts (Foret et al. 2021), relative to each weight's size by Kwon et al. 2021; mean "
            "over 8 random places."
        )
    lines.append(
        "Lower loss along the gradient: the gradient and the best of several steps from one half "
        "of the samples, the fall measured on the other half, and the other way round."
    )
    return tuple(lines)


def _say_products(bends: Bends) -> str:
    if bends.source is None:
        return "products by differentiating the gradient (Pearlmutter 1994)."
    return f"{say_source(bends.source)}."


def _say_normalisation(result: LandscapeResult) -> str:
    return {
        "filter": "each filter scaled to the length of the model's filter",
        "layer": "each layer scaled to the length of the model's layer",
        "tensor": "each array scaled to the length of the model's array",
        "none": "not scaled",
    }[result.options.normalisation]


def _say_refinement(result: LandscapeResult) -> str:
    options = result.options
    ran = f"Everything together has {options.seconds:g} s; what did not fit is marked."
    if options.tiles > 1:
        return (
            f"Every cell is measured, in {options.tiles} parts of {options.seconds:g} s; the first "
            "makes all the rest, too. What did not fit is marked."
        )
    if not options.refine:
        return f"Every cell is measured. {ran}"
    return (
        "Of planes with more than 300 cells every third row and column is measured first, then "
        "cells where two interpolations disagree most, until twice in a row 20 new ones were "
        "predicted to within 4 %. Interpolated (cubic radial basis) are the scores of every "
        "sample, from which the loss is computed, and beside it the logarithm of the loss; where "
        "the scores take too much memory, the latter and a thin-plate spline. The rest is "
        f"interpolated and marked. {ran}"
    )
