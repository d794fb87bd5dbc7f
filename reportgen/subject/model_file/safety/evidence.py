"""What the guards look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reportgen.subject.model_file.content import Content
from reportgen.subject.model_file.declared import Declared


@dataclass(frozen=True)
class Evidence:
    """A model file as it was read. config: after the repairs, which is what would be built.

    custom: names of classes and functions that the user supplies.
    old_layout: Keras 1 wrote it, which cut and turned its arrays in another way.
    """

    content: Content
    config: Any
    declared: Declared
    custom: frozenset[str] = frozenset()
    old_layout: bool = False
