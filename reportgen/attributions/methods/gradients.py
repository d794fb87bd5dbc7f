"""The gradient of the score by the pixels, as it is or averaged over noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case
from reportgen.attributions.maps import Maps
from reportgen.attributions.methods.counts import require_counts

FloatArray = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Gradient:
    """``max over channels of |d score / d x|``: where a small change changes the score most.

    Simonyan et al. 2013, "Deep inside convolutional networks", section 3.
    """

    name: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Gradient"

    @property
    def light(self) -> Gradient:
        """See `Method`."""
        return self

    def __call__(self, case: Case) -> Maps:
        """Maps of pixels; sizes, without a sign."""
        gradients = _gradients_of(case, "gradient")
        sizes = np.abs(gradients).max(axis=-1)
        return Maps(self.name, sizes, case.pictures.shape[1:3], signed=False, channels=gradients)


@dataclass(frozen=True)
class GradientTimesInput:
    """``sum over channels of x d score / d x``.

    Shrikumar et al. 2016, "Not just a black box". It is integrated gradients from zero in one
    step, and zero is black, grey or the mean, by the scaling of the pixels.
    """

    name: ClassVar[str] = "gradient_times_input"
    title: ClassVar[str] = "Gradient x input"

    @property
    def light(self) -> GradientTimesInput:
        """See `Method`."""
        return self

    def __call__(self, case: Case) -> Maps:
        """Maps of pixels, signed."""
        products = case.pictures * _gradients_of(case, "gradient x input")
        return Maps(
            self.name, products.sum(axis=-1), case.pictures.shape[1:3], True, channels=products
        )


@dataclass(frozen=True, kw_only=True)
class SmoothGrad:
    """Gradients averaged over pictures with noise: their size, their square, or their variance.

    Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise": 50 pictures, noise of 10 to
    20 % of the range of the picture. of "absolute": mean of |g|; "squared": mean of g squared
    (Hooker et al. 2019); "variance": VarGrad (Adebayo et al. 2018). Then the largest channel. The
    same noise is added to every picture, in units of its own range.
    """

    of: Literal["absolute", "squared", "variance"] = "absolute"
    pictures: int = 50
    noise: float = 0.15

    @property
    def name(self) -> str:
        """By what is averaged."""
        names = {"absolute": "smoothgrad", "squared": "smoothgrad_squared", "variance": "vargrad"}
        return names[self.of]

    @property
    def title(self) -> str:
        """By what is averaged."""
        names = {"absolute": "SmoothGrad", "squared": "SmoothGrad squared", "variance": "VarGrad"}
        return names[self.of]

    def __post_init__(self) -> None:
        """Raise UsageError of a count that is too small."""
        require_counts(pictures=self.pictures)

    @property
    def light(self) -> SmoothGrad:
        """See `Method`."""
        return replace(self, pictures=min(self.pictures, 10))

    def __call__(self, case: Case) -> Maps:
        """Maps of pixels; sizes, without a sign."""
        moments = _read_moments(case, self.pictures, self.noise)
        made = {
            "absolute": moments.absolute,
            "squared": moments.squares,
            "variance": np.maximum(moments.squares - moments.mean**2, 0),
        }
        chosen = made[self.of].astype(np.float32)
        side = case.pictures.shape[1:3]
        return Maps(self.name, chosen.max(axis=-1), side, signed=False, channels=chosen)


@dataclass(frozen=True)
class _Moments:
    """Means over noise of the gradients, their sizes and their squares, ``(n, h, w, c)`` each."""

    mean: NDArray[np.float64]
    absolute: NDArray[np.float64]
    squares: NDArray[np.float64]


def _read_moments(case: Case, pictures: int, noise: float) -> _Moments:
    """What SmoothGrad and VarGrad are made of; asked once for all of them."""
    key = ("moments", pictures, noise)
    if key in case.derived:
        return cast("_Moments", case.derived[key])
    rng = np.random.default_rng([case.seed, 1])
    added = rng.standard_normal((pictures, *case.pictures.shape[1:]), np.float32)
    ranges = np.ptp(case.pictures.reshape(len(case), -1), axis=1) * np.float32(noise)
    of = np.repeat(np.arange(len(case)), pictures)

    def make(items: Ints) -> FloatArray:
        changes = ranges[of[items], None, None, None] * added[items % pictures]
        return np.asarray(case.pictures[of[items]] + changes, np.float32)

    sums = [np.zeros(case.pictures.shape, np.float64) for _ in range(3)]
    for items, _, gradients in case.network.gradients(make, case.directions, of, "smoothgrad"):
        wide = gradients.astype(np.float64)
        for total, values in zip(sums, (wide, np.abs(wide), wide**2), strict=True):
            add_by_picture(total, of[items], values)
    moments = _Moments(*(total / pictures for total in sums))
    case.derived[key] = moments
    return moments


def _gradients_of(case: Case, label: str) -> FloatArray:
    """``(n, h, w, c)``."""
    run = case.network.gradients(
        lambda rows: case.pictures[rows], case.directions, np.arange(len(case)), label
    )
    return np.concatenate([gradients for _, _, gradients in run])


def add_by_picture(sums: NDArray[np.float64], of: Ints, values: NDArray[np.floating]) -> None:
    """Add each value to the sum of its picture; ``of`` does not fall."""
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    sums[of[starts]] += np.add.reduceat(values, starts, axis=0)
