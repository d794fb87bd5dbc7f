"""What every vector picture is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Drawing:
    """An SVG picture and its size in CSS pixels."""

    svg: bytes
    width: int
    height: int
