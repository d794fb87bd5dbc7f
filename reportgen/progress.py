"""How long work says how far it is, without knowing who listens.

Code that loops calls `track`; whoever runs it sets a listener. A context variable carries
it, so analyses stay functions of their inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")
Listener = Callable[[int, int, str], None]

_listener: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


def track(items: Sequence[T], label: str) -> Iterator[T]:
    """Yield ``items``; tell the listener ``(done, total, label)`` before each and at the end."""
    total = len(items)
    for done, item in enumerate(items):
        tell(done, total, label)
        yield item
    tell(total, total, label)


def tell(done: int, total: int, label: str) -> None:
    """Report progress once."""
    listener = _listener.get()
    if listener is not None:
        listener(done, total, label)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send progress of the enclosed code to ``listener``."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class Display(Protocol):
    """Who shows how far the audit is."""

    def stage(self, name: str) -> None:
        """A new stage begins; the one before it is done."""

    def advance(self, done: int, total: int, label: str) -> None:
        """The stage has done ``done`` of ``total`` steps of what ``label`` says."""


class Silence:
    """Shows nothing."""

    def stage(self, name: str) -> None:
        """Nothing."""

    def advance(self, done: int, total: int, label: str) -> None:
        """Nothing."""
