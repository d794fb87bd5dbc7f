"""The report as one object: sections, verdict and the arrays behind the pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray
from pydantic import PrivateAttr

from reportgen.errors import OutputError, UsageError
from reportgen.report import registry
from reportgen.report.cards import Environment, SubjectCard
from reportgen.report.findings import Finding, Metric, Verdict, read_metric
from reportgen.report.folder import REPORT, open_report, read_arrays, read_record
from reportgen.report.levels import Level
from reportgen.report.record import Record
from reportgen.report.sections import Arrays, Section
from reportgen.suggest import nearest
from reportgen.text import printable

SCHEMA_VERSION: Literal["1.0"] = "1.0"

_ROW = ("section", "id", "level", "title", "message", "value", "low", "high", "unit", "threshold")


class Report(Record):
    """One audit: its verdict, the findings behind it, and the page that shows them.

    In a notebook it shows itself. ``report["weights"]`` is one section; `findings` and `metrics`
    are all checks and all numbers; `to_file` writes the page.

    Attributes:
        verdict: the answer in one sentence, its level, and how many findings have which level.
        subject: what was audited: the model and its samples.
        environment: where and with which options the audit ran.
        sections: the chapters, in the order of the report.
    """

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    verdict: Verdict
    subject: SubjectCard
    environment: Environment
    sections: tuple[Section, ...]

    _arrays: dict[str, NDArray[Any]] = PrivateAttr(default_factory=dict)

    @property
    def arrays(self) -> Arrays:
        """The arrays that blocks name, by ``"section/key"``."""
        return self._arrays

    def with_arrays(self, arrays: Arrays) -> Report:
        """The same report, holding ``arrays`` (by ``"section/key"``)."""
        copy = self.model_copy()
        copy._arrays = dict(arrays)
        return copy

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings of all sections, in the order of the report."""
        return tuple(finding for section in self.sections for finding in section.findings)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The number of every finding that has one, named by the finding's id."""
        found = map(read_metric, self.findings)
        return tuple(metric for metric in found if metric is not None)

    @property
    def ok(self) -> bool:
        """Whether something was checked and nothing of it warns, fails or is an error."""
        counts = self.verdict.counts
        checked = counts.get("pass", 0) + counts.get("note", 0) > 0
        return checked and self.verdict.level in ("pass", "note")

    def __getitem__(self, id_: str) -> Section:
        """The section with that id, for example ``report["weights"]``.

        Raises:
            KeyError: there is none; names those that there are.
        """
        for section in self.sections:
            if section.id == id_:
                return section
        known = [section.id for section in self.sections]
        guess = nearest(id_, known)
        raise KeyError(
            f"There is no section {id_!r}. {guess + ' ' if guess else ''}Known: {', '.join(known)}."
        )

    def __contains__(self, id_: object) -> bool:
        return any(section.id == id_ for section in self.sections)

    def __str__(self) -> str:
        counts: dict[Level, int] = self.verdict.counts
        said = ", ".join(f"{n} {level.replace('_', ' ')}" for level, n in counts.items() if n)
        first = f"Report of {self.subject.name[:60]!r}: {self.verdict.level.upper()}. "
        return (
            f"{printable(first + self.verdict.sentence)}\n"
            f"{len(self.sections)} sections; findings: {said or 'none'}."
        )

    def __repr__(self) -> str:
        return f"<{self}>"

    def __rich_repr__(self) -> Any:
        # What rich prints instead of repr; inherited, it would be the whole report.
        yield "name", self.subject.name
        yield "verdict", self.verdict.level
        yield "sentence", self.verdict.sentence

    def to_json(self) -> str:
        """The report as JSON text (schema: `Report.model_json_schema`); no arrays."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=True) + "\n"

    def to_html(self, *, max_bytes: int | None = None) -> str:
        """One self-contained page that needs no network and no script to be read."""
        return self._written("html", max_bytes).decode()

    def to_pdf(self) -> bytes:
        """The report on paper.

        Raises:
            PdfUnavailableError: WeasyPrint or the Pango library it needs is missing.
        """
        return self._written("pdf", None)

    def to_file(self, path: str | Path) -> Path:
        """Write the report in the format that the suffix names: ``.html``, ``.pdf``, ``.json``, ...

        Where several formats have one suffix, the first of `reportgen.formats.FORMATS` is written.
        The folder is made if it is not there. Returns the path that was written.

        Raises:
            UsageError: another suffix.
            OutputError: the file cannot be written there.
        """
        target = Path(path)
        by_suffix: dict[str, str] = {}
        for name, writer in registry.find_writers().items():
            by_suffix.setdefault(writer.suffix, name)
        if target.suffix not in by_suffix:
            raise UsageError(
                f"to_file: the name ends in {target.suffix!r}. Use {', '.join(by_suffix)}."
            )
        content = self._written(by_suffix[target.suffix], None)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError as error:
            raise OutputError(
                f"{target} cannot be written: {error.strerror}. Give another path."
            ) from None
        return target

    def _written(self, name: str, max_bytes: int | None) -> bytes:
        return registry.find_writers()[name].write(self, max_bytes)

    def to_dataframe(self) -> Any:
        """All findings as a ``pandas.DataFrame``, one a row, in the order of the report.

        Columns: section, id, level, title, message, value, low, high (the interval of the value,
        where it is known), unit, threshold.

        Raises:
            UsageError: pandas is not installed; it is no part of reportgen.
        """
        try:
            import pandas
        except ImportError:
            raise UsageError(
                "to_dataframe needs pandas, which is not installed: `pip install pandas`. "
                "Without it, report.findings and report.metrics hold the same."
            ) from None
        rows = [
            (section.id, *(getattr(finding, name, None) for name in _ROW[1:]))
            for section in self.sections
            for finding in section.findings
        ]
        return pandas.DataFrame(rows, columns=list(_ROW))

    def _repr_html_(self) -> str:
        # A page of its own inside the notebook: its styles must not leak into the cell.
        from html import escape

        page = escape(self.to_html(), quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="allow-scripts" '
            'style="width:100%;height:800px;border:0" title="model audit"></iframe>'
        )

    @classmethod
    def load(cls, folder: str | Path) -> Report:
        """Read back ``report.json`` and ``data/*.npz`` of an output folder.

        Raises:
            InputError: the folder has no report, or one that we did not write.
        """
        with open_report(Path(folder)) as inside:
            return read_record(inside, REPORT, cls).with_arrays(read_arrays(inside))
