"""What every vector picture is, and where its numbers come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

# Finds an array by the key that a block names it by; None where it is missing.
Find = Callable[[str], NDArray[Any] | None]

# The most CSS pixels that a thumbnail may be wide and high.
THUMBNAIL = (120, 80)


@dataclass(frozen=True)
class Drawing:
    """An SVG picture and its size in CSS pixels."""

    svg: bytes
    width: int
    height: int


def nothing(key: str) -> None:
    """Finds no array: for blocks that hold all of their numbers themselves."""
