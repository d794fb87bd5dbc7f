"""What ends a measurement before it is done."""

from __future__ import annotations


class OutOfTimeError(Exception):
    """The deadline has passed; what was found until then stands."""
