"""What ends a measurement before it is done."""

from __future__ import annotations


class OutOfTimeError(Exception):
    """The deadline has passed; what was found until then stands."""


class NoProductError(Exception):
    """The Hessian cannot be had: nothing that depends on it is to be said."""
