"""Counts that a method is given, checked where it is made: zero would be an empty map, or all."""

from __future__ import annotations

from reportgen.errors import UsageError


def require_counts(least: int = 1, **given: int) -> None:
    """Refuse counts that are too small.

    Raises:
        UsageError: one is no whole number, or below ``least``.
    """
    for name, count in given.items():
        if not isinstance(count, int) or count < least:
            raise UsageError(f"{name}: a whole number of {least} or more, got {count!r}.")
