"""How planes and losses are called."""

from __future__ import annotations

from reportgen.landscape.source import Source


def plane_name(id_: str) -> str:
    """``random_2`` as a reader knows it."""
    known = {
        "random": "random plane",
        "path": "plane of the training path",
        "hessian": "plane of the outermost curvatures",
        "train": "random plane, training samples",
    }
    return known.get(id_) or f"random plane {id_.rpartition('_')[2]}"


def share(value: float) -> str:
    """A share as percent, small ones with more digits."""
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def digits(value: float) -> str:
    """Three digits, with the sign that goes with them."""
    return f"{value:.3g}".replace("-", "\u2212")


_CROSS_ENTROPY = (
    "minus the logarithm of the probability that the model gives to the truth, averaged: 0 is "
    "perfect, and a sure mistake costs most"
)
_OF_CLASSES = ("sparse categorical crossentropy", "categorical crossentropy", "binary crossentropy")
_MEANINGS = {
    **dict.fromkeys(_OF_CLASSES, _CROSS_ENTROPY),
    "mean squared error": "how far each number is off, squared and averaged: 0 is perfect",
    "mean absolute error": "how far each number is off, averaged: 0 is perfect",
}


def loss_meaning(name: str) -> str | None:
    """What a loss measures, in words; None of one that is seldom used."""
    return _MEANINGS.get(name)


def say_source(source: Source) -> str:
    """How products with the Hessian were made, and how far the check of one was off."""
    blamed = f" (layer {', '.join(source.layers[:3])})" if source.layers else ""
    if source.kind == "derivatives":
        return (
            "products by differentiating the gradient (Pearlmutter 1994); one was checked against "
            f"differences of gradients and is within {source.error:.0e} of its length"
            f"{f' ({source.why})' if source.why else ''}"
        )
    if source.kind == "differences":
        return (
            "products by differences of gradients at both sides, within about "
            f"{source.error:.0e} of their length, since differentiating twice fails here{blamed}: "
            f"{source.why}"
        )
    return f"not available{blamed}: {source.why}"
