"""Numbers become colours: lookup tables, and the reserved rows in them."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from reportgen import theme
from reportgen.report.blocks import ColourScale

Map = Literal["magma", "viridis", "signed"]
Bytes = NDArray[np.uint8]

# An odd number of colours gives the signed map a row that is exactly zero. The last rows of a
# table of 256 are left for what is no number.
STEPS = 253
ZERO = STEPS // 2
MISSING = 254
GAP = 255

_MATPLOTLIB_NAME = {"magma": "magma", "viridis": "viridis", "signed": "RdBu_r"}


@cache
def table(name: Map) -> Bytes:
    """The lookup table of a map, ``(256, 3)`` uint8.

    Rows 0 to 252 are the colours from low to high, row 254 is "no value", row 255 the gap
    between tiles (drawn transparent on screen, white on paper).
    """
    colours = colormaps[_MATPLOTLIB_NAME[name]](np.linspace(0, 1, STEPS))[:, :3]
    rows = np.full((256, 3), 255, np.uint8)
    rows[:STEPS] = np.rint(colours * 255).astype(np.uint8)
    rows[STEPS] = rows[STEPS - 1]
    rows[MISSING] = list(bytes.fromhex(theme.MISSING[1:]))
    rows.flags.writeable = False
    return rows


def limits(scale: ColourScale) -> tuple[float, float]:
    """The values at the two ends of the map. A signed one reaches equally far to both sides."""
    if scale.map == "signed":
        reach = max(abs(scale.low), abs(scale.high)) or 1.0
        return -reach, reach
    if scale.high > scale.low:
        return scale.low, scale.high
    return scale.low, scale.low + 1.0


def indices(values: NDArray[Any], scale: ColourScale) -> Bytes:
    """Rows of the lookup table for ``values`` of any shape; beyond the limits is clipped."""
    low, high = limits(scale)
    numbers = np.asarray(values, dtype=np.float32)
    # Halves first: high - low may overflow float32 where each of them does not.
    unit = (numbers / 2 - np.float32(low / 2)) / np.float32(high / 2 - low / 2)
    missing = np.isnan(unit)
    unit = np.where(missing, 0, unit)
    rows = np.rint(np.clip(unit, 0, 1) * (STEPS - 1)).astype(np.uint8)
    rows[missing] = MISSING
    return rows


def paint(values: NDArray[Any], scale: ColourScale) -> Bytes:
    """Colours of ``values``: ``(..., 3)`` uint8."""
    return table(scale.map)[indices(values, scale)]


def hex_colour(rgb: Bytes) -> str:
    """``#rrggbb`` of one colour, ``(3,)`` uint8."""
    return "#" + bytes(rgb.tolist()).hex()


def ink_on(rgb: Bytes) -> str:
    """Black or white, whichever reads better on ``rgb`` (WCAG relative luminance)."""
    channel = rgb.astype(float) / 255
    linear = np.where(channel <= 0.03928, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return theme.BLACK if luminance > 0.179 else theme.WHITE
