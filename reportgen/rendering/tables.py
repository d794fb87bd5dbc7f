"""Tables prepared for print: numbers formatted and aligned, sparks as paths."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reportgen import text
from reportgen.report.blocks import Cell, Spark, Table

SPARK_WIDTH, SPARK_HEIGHT = 96, 22


@dataclass(frozen=True)
class CellView:
    """A cell: its words, or the path of a spark with its alternative text."""

    words: str
    path: Markup | None = None
    alt: str = ""


@dataclass(frozen=True)
class TableView:
    """``right[j]``: column ``j`` holds numbers. ``wide``: it needs small print on paper."""

    header: tuple[str, ...]
    rows: tuple[tuple[CellView, ...], ...]
    right: tuple[bool, ...]
    wide: bool


def tabulate(table: Table) -> TableView:
    """Format the cells of ``table``."""
    width = max([len(table.header), *(len(row) for row in table.rows)], default=0)
    right = tuple(_is_numeric([row[j] for row in table.rows if j < len(row)]) for j in range(width))
    decimals = [_decimals([row[j] for row in table.rows if j < len(row)]) for j in range(width)]
    rows = tuple(
        tuple(_cell(cell, places) for cell, places in zip(row, decimals, strict=False))
        for row in table.rows
    )
    return TableView(table.header, rows, right, wide=width > 6)


def _is_numeric(cells: list[Cell]) -> bool:
    filled = [cell for cell in cells if cell is not None]
    return bool(filled) and all(isinstance(cell, int | float) for cell in filled)


def _decimals(cells: list[Cell]) -> int | None:
    """Decimals that a column's fractions share, so that its points stand under each other.

    None: the column has none, or they span too many orders of magnitude.
    """
    fractions = [abs(cell) for cell in cells if isinstance(cell, float) and cell != 0]
    if not fractions or all(value.is_integer() for value in fractions):
        return None
    if min(fractions) < 1e-3 or max(fractions) >= 1e4:
        return None
    return 2 if min(fractions) >= 10 else 3 if max(fractions) >= 1 else 4


def _cell(cell: Cell, decimals: int | None) -> CellView:
    if cell is None:
        return CellView("\u2013")
    if isinstance(cell, Spark):
        return CellView("", spark_path(cell.values), text.printable(cell.alt, 200))
    if isinstance(cell, str):
        return CellView(text.printable(cell, 400))
    if isinstance(cell, float) and decimals is not None:
        return CellView(f"{cell:.{decimals}f}".replace("-", "\u2212"))
    return CellView(text.number(cell))


def spark_path(values: tuple[float, ...]) -> Markup:
    """A filled outline of ``values`` over 96 x 22 pixels, from their lowest, or zero, up."""
    if not values:
        return Markup("")
    low, high = min(0.0, *values), max(0.0, *values)
    reach = (high - low) or 1.0
    step = SPARK_WIDTH / len(values)
    base = SPARK_HEIGHT - 1 - (0 - low) / reach * (SPARK_HEIGHT - 2)
    parts = [f"M0 {base:.1f}"]
    for index, value in enumerate(values):
        y = SPARK_HEIGHT - 1 - (value - low) / reach * (SPARK_HEIGHT - 2)
        parts.append(f"L{index * step:.1f} {y:.1f}H{(index + 1) * step:.1f}")
    parts.append(f"V{base:.1f}Z")
    return Markup("".join(parts))
