"""A column that numbers the labels, such as ``class_id`` beside ``class_name``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reportgen.errors import ConfigurationError
from reportgen.subject.label_table.columns import Layout, data_rows
from reportgen.subject.label_table.text import TableText

# Other columns may go with the labels by chance.
_WORDS = frozenset("class classes label labels category target species id index idx code y".split())


def refuse_other_order(text: TableText, layout: Layout, labels: Sequence[str]) -> None:
    """Ask where a column that is not read counts the labels in another order than text.

    Args:
        labels: the distinct ones, sorted as text.

    Raises:
        ConfigurationError: says which column, and the two ways to go on.
    """
    (label,) = layout.labels
    numbers: dict[int, dict[str, str] | None] = {
        i: {}
        for i, name in enumerate(layout.names)
        if i not in (layout.file, label) and _WORDS & set(re.split(r"[\W_]+", name.lower()))
    }
    if not numbers or len(labels) < 2 or all(name.isdecimal() for name in labels):
        return
    known = set(labels)
    for _, row in data_rows(text, layout.header):
        written = row[label] if label < len(row) else ""
        for column, found in numbers.items():
            cell = row[column] if column < len(row) else ""
            if found is None or written not in known:
                continue
            if not cell.isdecimal() or found.setdefault(written, cell) != cell:
                numbers[column] = None
    for column, found in numbers.items():
        if found and _counts_otherwise(found, labels):
            first = sorted(labels, key=lambda name: int(found[name]))[:3]
            raise ConfigurationError(
                f"{text.path}: column {layout.names[column][:40]!r} numbers the labels "
                f"({', '.join(f'{found[name]} {name[:40]}' for name in first)}, ...) in another "
                "order than they have as text. If the outputs are in the order of these numbers: "
                f"--label-column {layout.names[column][:40]!r}. If not, give --classes FILE."
            )


def _counts_otherwise(found: dict[str, str], labels: Sequence[str]) -> bool:
    """Whether each label has a number of its own, from 0 or 1 on, and the order is another."""
    if len(found) < len(labels):
        return False
    numbers = [int(found[name]) for name in labels]
    begin = min(numbers)
    counted = sorted(numbers) == list(range(begin, begin + len(numbers)))
    return begin in (0, 1) and counted and numbers != sorted(numbers)
