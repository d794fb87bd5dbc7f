"""The formats of a report: one module each, and one line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reportgen.config import AuditConfig
from reportgen.errors import ConfigurationError
from reportgen.formats.contract import Format, Writing
from reportgen.formats.html import HTML
from reportgen.formats.pdf import PDF
from reportgen.formats.report_json import REPORT_JSON
from reportgen.report.registry import WRITERS, Writer
from reportgen.suggest import nearest

# In the order in which they are written and listed.
FORMATS: tuple[Format, ...] = (
    HTML,
    PDF,
    REPORT_JSON,
)


def _writer(one: Format) -> Writer:
    return Writer(
        Path(one.file).suffix, lambda report, max_bytes: one.write(Writing(report, max_bytes))
    )


# `Report.to_html` and its kin reach the formats through this table: the report stands below.
WRITERS.update({one.name: _writer(one) for one in FORMATS})

__all__ = ["FORMATS", "REPORT_JSON", "Format", "Writing", "choose_formats", "formats_of"]


def formats_of(config: AuditConfig) -> tuple[Format, ...]:
    """The formats that an audit writes: those that were named, else those made without asking.

    Raises:
        ConfigurationError: a name that no format has.
    """
    if not config.formats:
        return tuple(one for one in FORMATS if one.default)
    where = config.file.where("audit", "formats") if config.file else ""
    return choose_formats(config.formats, where)


def choose_formats(names: Iterable[str], where: str = "") -> tuple[Format, ...]:
    """The formats called ``names``, in the order of `FORMATS`.

    Args:
        where: the file and line that name them, for the error.

    Raises:
        ConfigurationError: a name that none has, or no name at all.
    """
    known = {one.name: one for one in FORMATS}
    wanted = [name.strip() for name in names if name.strip()]
    for name in wanted:
        if name not in known:
            hint = f"{nearest(name, known)} Known: {', '.join(known)}.".strip()
            raise ConfigurationError(f"{where}formats: there is no format {name!r}. {hint}")
    if not wanted:
        raise ConfigurationError(f"{where}formats: none was named. Known: {', '.join(known)}.")
    return tuple(one for one in FORMATS if one.name in wanted)
