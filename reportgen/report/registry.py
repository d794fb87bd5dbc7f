"""What the rooms above tell the report, which imports none of them.

The battery says which way the number of a check is better, and the formats say how a report is
written. Both fill these tables when they are imported; `reportgen.api`, through which every user
comes, imports both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from reportgen.errors import UsageError

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Writer:
    """How a report becomes a file.

    Attributes:
        suffix: of the file, with its dot.
        write: ``(report, max_bytes)`` to the bytes of the file.
    """

    suffix: str
    write: Callable[[Any, int | None], bytes]


# By id of a check. A check that is not here has no better side.
DIRECTIONS: dict[str, Better] = {}
# By name of a format, in the order of `reportgen.formats.FORMATS`.
WRITERS: dict[str, Writer] = {}


def find_writers() -> dict[str, Writer]:
    """How a report is written, by name of a format.

    Raises:
        UsageError: the formats were never imported.
    """
    if not WRITERS:
        raise UsageError(
            "Nothing is known here that writes a report. Take Report from reportgen: "
            "`from reportgen import Report`."
        )
    return WRITERS
