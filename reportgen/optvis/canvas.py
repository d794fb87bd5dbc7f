"""The size of the pictures that are painted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Canvas:
    """Height, width and channels of one image."""

    height: int
    width: int
    channels: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width
