"""Cells between measured ones: two ways to fill them, and where the two disagree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

FloatArray = NDArray[np.float64]
_FIRST, _SECOND = "cubic", "thin_plate_spline"


@dataclass(frozen=True)
class Filled:
    """values: at all places. doubt: how far two interpolants differ there, in the same unit."""

    values: FloatArray
    doubt: FloatArray


def fill(places: FloatArray, known: NDArray[np.bool_], values: FloatArray) -> Filled:
    """Interpolate ``values`` from the known places to all of them.

    A cubic radial basis gives the values; a thin-plate spline is the second opinion (both by
    scipy's `RBFInterpolator`).

    Args:
        places: ``(cells, 2)``. known: ``(cells,)``. values: ``(cells,)``, read where known.
    """
    from scipy.interpolate import RBFInterpolator

    scale = np.ptp(places, axis=0)
    unit = places / np.where(scale > 0, scale, 1)
    near, given = unit[known], values[known]
    with threadpool_limits(1, user_api="blas"):  # further threads wait for TensorFlow's
        smooth = RBFInterpolator(near, given, kernel=_FIRST)(unit)
        second = RBFInterpolator(near, given, kernel=_SECOND)(unit)
    doubt = np.abs(smooth - second)
    doubt[known] = 0.0
    smooth[known] = given
    return Filled(smooth, doubt)


def spread(
    places: FloatArray, known: NDArray[np.bool_], answers: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Interpolate whole arrays from the known places to all others, by a cubic radial basis.

    Args:
        answers: ``(known, ...)``.

    Returns: ``(others, ...)``.
    """
    from scipy.interpolate import RBFInterpolator

    scale = np.ptp(places, axis=0)
    unit = places / np.where(scale > 0, scale, 1)
    count = int(known.sum())
    with threadpool_limits(1, user_api="blas"):
        # The interpolant is linear in the values, so one solution serves all samples.
        weights = RBFInterpolator(unit[known], np.eye(count), kernel=_FIRST)(unit[~known])
        made = weights.astype(np.float32) @ answers.reshape(count, -1)
    return np.asarray(made.reshape(-1, *answers.shape[1:]))


def pick_doubtful(places: FloatArray, doubt: FloatArray, count: int, apart: float) -> list[int]:
    """Positions of the ``count`` most doubtful places that are not next to each other.

    Args:
        apart: distance within which a chosen place takes the doubt from its neighbours.
    """
    left = doubt.copy()
    chosen: list[int] = []
    for _ in range(count):
        best = int(left.argmax())
        if left[best] <= 0:
            break
        chosen.append(best)
        squares = ((places - places[best]) ** 2).sum(axis=1)
        left *= 1 - np.exp(-squares / (2 * apart**2))
        left[best] = 0.0
    return chosen
