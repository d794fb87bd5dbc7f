"""How long work says how far it is, without knowing who listens, and where it is stopped.

Code that loops calls `track`; whoever runs it sets a listener, and a time limit. Context variables
carry them, so analyses stay functions of their inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, TypeVar

from reportgen.errors import TimeLimitError

T = TypeVar("T")
Listener = Callable[[int, int, str], None]


@dataclass
class _Limit:
    seconds: float
    end: float
    passed: bool = False

    def check(self) -> None:
        if monotonic() > self.end:
            self.passed = True
            raise self.error()

    def error(self) -> TimeLimitError:
        return TimeLimitError(
            f"It did not finish within {self.seconds:g} seconds and was stopped. "
            "Raise time_limit, or lower max_samples."
        )


_listener: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)
_limit: ContextVar[_Limit | None] = ContextVar("progress_limit", default=None)


def track(items: Sequence[T], label: str) -> Iterator[T]:
    """Yield ``items``; tell the listener ``(done, total, label)`` before each and at the end."""
    total = len(items)
    for done, item in enumerate(items):
        tell(done, total, label)
        yield item
    tell(total, total, label)


def tell(done: int, total: int, label: str) -> None:
    """Report progress once.

    Raises:
        TimeLimitError: the time limit is over; see `within`.
    """
    limit = _limit.get()
    if limit is not None:
        limit.check()
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


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Stop the enclosed code after ``seconds``, where it next tells of its progress.

    It cannot interrupt what does not tell: one long call of a model, for example. None: no limit.

    Raises:
        TimeLimitError: out of `tell`; and at the end, if the code has caught it on the way.
    """
    limit = None if seconds is None else _Limit(seconds, monotonic() + seconds)
    token = _limit.set(limit)
    try:
        yield
    finally:
        _limit.reset(token)
    if limit is not None and limit.passed:
        raise limit.error()


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
