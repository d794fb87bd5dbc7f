"""A plane's cells: where they lie, what was measured in each, and what was not."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import InputError, UsageError
from reportgen.landscape.plotting import Picture, as_png, draw

FloatArray = NDArray[np.float64]
Spacing = Literal["even", "cubic"]

MEASURED, INTERPOLATED, NOT_FINITE, CENSORED, MISSING = range(5)
STATES = ("measured", "interpolated", "not finite", "beyond the scale", "not computed")
_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError)
_OF_ZIP = (zipfile.BadZipFile, zlib.error)
_SETTLED = (MEASURED, NOT_FINITE, CENSORED)


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """Numbers over a plane, or along a line; a notebook shows it.

    Rows belong to ``y`` and columns to ``x``: ``(len(y), len(x))``.

    Attributes:
        loss: mean over the samples, without penalties; NaN where there is no number.
        accuracy: share of right answers; NaN for numbers.
        penalty: what regularisation adds to the loss.
        error: standard error of the loss less the loss at the centre, by paired bootstrap.
        state: `MEASURED`, `INTERPOLATED`, `NOT_FINITE` (NaN or infinite loss), `CENSORED` (above
            the scale for certain, from a part of the samples) or `MISSING` (time ran out).
        off: how far the last cells were from what the others had predicted, relative; NaN without
            refinement.
        plane: what tells this plane from others with the same axes; "" if nobody asks.
    """

    x: FloatArray
    y: FloatArray
    loss: FloatArray
    accuracy: FloatArray
    penalty: FloatArray
    error: FloatArray
    state: NDArray[np.uint8]
    off: float = float("nan")
    plane: str = ""

    def __repr__(self) -> str:
        counts = [(self.count(state), words) for state, words in enumerate(STATES)]
        said = ", ".join(f"{count} {words}" for count, words in counts if count)
        known = np.isfinite(self.loss)
        span = (
            f"{self.loss[known].min():.3g} to {self.loss[known].max():.3g}" if known.any() else ""
        )
        return f"Grid({len(self.y)} x {len(self.x)}: {said}; loss {span or 'unknown'})"

    def plot(self, axes: Any = None, title: str = "Loss") -> Any:
        """Contours of the loss, or a curve if it is a line; returns the Matplotlib figure.

        Args:
            axes: of Matplotlib, to draw into; None: a figure of its own.
        """
        return draw(self.picture(title), axes)

    def _repr_png_(self) -> bytes:
        return as_png(self.picture("Loss"))

    def picture(self, title: str) -> Picture:
        """What `plot` draws."""
        return Picture(self.x, self.y, self.loss, self.error, self.lowest, title)

    def count(self, state: int) -> int:
        """Cells of that state."""
        return int((self.state == state).sum())

    @property
    def measured(self) -> int:
        """Cells whose loss was measured."""
        return self.count(MEASURED)

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Cells that were computed, ``(len(y), len(x))``."""
        return np.isin(self.state, _SETTLED)

    @property
    def steps(self) -> FloatArray:
        """Coordinates of all cells, row by row: ``(cells, 2)``."""
        return np.stack(np.meshgrid(self.x, self.y), axis=-1).reshape(-1, 2)

    @property
    def centre(self) -> tuple[int, int]:
        """Row and column of the point (0, 0)."""
        return int(np.abs(self.y).argmin()), int(np.abs(self.x).argmin())

    @property
    def lowest(self) -> tuple[int, int] | None:
        """Row and column of the lowest loss that was measured."""
        values = np.where(self.state == MEASURED, self.loss, np.inf)
        if not np.isfinite(values).any():
            return None
        row, column = np.unravel_index(values.argmin(), values.shape)
        return int(row), int(column)


def axis(reach: float | tuple[float, float], count: int, spacing: Spacing = "even") -> FloatArray:
    """Coordinates from -reach to reach, or from one number to another; 0 is always among them.

    Args:
        spacing: ``cubic`` is that of the article, ``linspace(-1, 1, n) ** 3 * reach``: dense in the
            middle. With an even ``count`` it has no point at the centre, so one is added.
    """
    low, high = (-reach, reach) if isinstance(reach, int | float) else reach
    if count < 2 or not low < high:
        raise UsageError(
            f"grid: {count} points from {low:g} to {high:g}; 2 and a width are needed."
        )
    places = np.linspace(-1, 1, count)
    if spacing == "cubic":
        places = places**3
    values = low + (places + 1) / 2 * (high - low)
    if low < 0 < high and not (values == 0).any():
        nearest = int(np.abs(values).argmin())
        if np.isclose(values[nearest], 0, atol=1e-12 * (high - low)):
            values[nearest] = 0.0
        else:
            values = np.sort(np.append(values, 0.0))
    return np.asarray(values)


def empty(x: FloatArray, y: FloatArray, plane: str = "") -> Grid:
    """A grid of which nothing is known."""
    blank = np.full((len(y), len(x)), np.nan)
    state = np.full(blank.shape, MISSING, np.uint8)
    return Grid(x, y, blank, blank.copy(), blank.copy(), blank.copy(), state, plane=plane)


def split(grid: Grid, parts: int) -> list[NDArray[np.bool_]]:
    """Masks of the cells that still have to be measured, in parts of equal size.

    Each part is spread over the plane, so that a plane with a missing part still shows its shape.
    """
    todo = np.flatnonzero(~grid.settled.ravel())
    masks = []
    for part in range(parts):
        mask = np.zeros(grid.state.size, bool)
        mask[todo[part::parts]] = True
        masks.append(mask.reshape(grid.state.shape))
    return masks


def join(grids: Sequence[Grid]) -> Grid:
    """One grid from parts of the same plane; what any part has settled is taken.

    Raises:
        UsageError: the parts are not of the same plane.
    """
    whole = grids[0]
    for part in grids[1:]:
        if not (np.array_equal(part.x, whole.x) and np.array_equal(part.y, whole.y)):
            raise UsageError("join: the parts have different axes, so they are of two planes.")
        if part.plane and whole.plane and part.plane != whole.plane:
            raise UsageError(
                "join: the parts are of different planes: another model, samples, loss or seed."
            )
        take = part.settled & ~whole.settled
        merged = {
            name: np.where(take, getattr(part, name), getattr(whole, name))
            for name in ("loss", "accuracy", "penalty", "error", "state")
        }
        whole = replace(whole, **merged)
    return whole


def save(grid: Grid, path: Path | str, fingerprint: str) -> None:
    """Keep what is known, whole or not at all, so that it can go on later.

    Args:
        fingerprint: of everything that the numbers depend on; `load` wants the same.
    """
    arrays: dict[str, Any] = {f.name: getattr(grid, f.name) for f in fields(grid)}
    stream = io.BytesIO()
    np.savez_compressed(stream, fingerprint=np.array(json.dumps(fingerprint)), **arrays)
    temporary = Path(path).with_name(f".{Path(path).name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(stream.getvalue())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path | str, fingerprint: str) -> Grid:
    """What `save` kept.

    Raises:
        InputError: no such file, damaged, or of another model, samples or plane.
    """
    try:
        # NumPy would leave a file open that turns out to be damaged.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        known = json.loads(str(arrays.pop("fingerprint")))
        plain = {"off": float(arrays["off"]), "plane": str(arrays["plane"])}
        grid = Grid(**{**arrays, **plain})
    except (*_DAMAGED, *_OF_ZIP) as error:
        raise InputError(
            f"{path} is no saved plane, or is damaged ({error}). Delete it and start anew."
        ) from None
    if known != fingerprint:
        raise InputError(
            f"{path} is of another model, other samples or another plane. Name another file, or "
            "delete it and start anew."
        )
    return grid
