"""The report as one object: sections, verdict and the arrays behind the pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PrivateAttr, ValidationError

from reportgen.errors import InputError, UsageError
from reportgen.report.blocks import Record
from reportgen.report.cards import Environment, SubjectCard
from reportgen.report.findings import Finding, Verdict
from reportgen.report.sections import Arrays, Section

SCHEMA_VERSION: Literal["1.0"] = "1.0"


class Report(Record):
    """One audit. `to_file` writes it by suffix; in a notebook it shows itself."""

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

    def findings(self) -> Iterator[Finding]:
        """All findings of all sections, in the order of the report."""
        for section in self.sections:
            yield from section.findings

    def to_json(self) -> str:
        """The report as JSON text (schema: `Report.model_json_schema`); no arrays."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=True) + "\n"

    def to_html(self, *, max_bytes: int | None = None) -> str:
        """One self-contained page that needs no network and no script to be read."""
        from reportgen.rendering.html import render_html

        return render_html(self, max_bytes=max_bytes)

    def to_pdf(self) -> bytes:
        """The report on paper.

        Raises:
            PdfUnavailableError: WeasyPrint or the Pango library it needs is missing.
        """
        from reportgen.rendering.pdf import render_pdf

        return render_pdf(self)

    def to_file(self, path: str | Path) -> Path:
        """Write the report as ``.html``, ``.pdf`` or ``.json``, chosen by the suffix.

        Raises:
            UsageError: another suffix.
        """
        target = Path(path)
        writers: dict[str, Callable[[], bytes]] = {
            ".html": lambda: self.to_html().encode(),
            ".pdf": self.to_pdf,
            ".json": lambda: self.to_json().encode(),
        }
        if target.suffix not in writers:
            raise UsageError(
                f"to_file: the name ends in {target.suffix!r}. Use .html, .pdf or .json."
            )
        target.write_bytes(writers[target.suffix]())
        return target

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
        root = Path(folder)
        source = root / "report.json"
        try:
            report = cls.model_validate_json(source.read_bytes())
        except OSError as error:
            raise InputError(
                f"{source} cannot be read ({error.strerror}). "
                "Give the output folder of `reportgen audit`."
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the top level"
            raise InputError(
                f"{source} is not a report of this version: {first['msg']} at {where}. "
                "Run the audit again, or use the reportgen that wrote it."
            ) from None
        return report.with_arrays(read_arrays(root / "data"))


def read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """All arrays of ``folder/*.npz`` by ``"stem/key"``. Pickled objects are refused."""
    arrays: dict[str, NDArray[Any]] = {}
    for file in sorted(folder.glob("*.npz")):
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays |= {f"{file.stem}/{key}": archive[key] for key in archive.files}
        except (OSError, ValueError) as error:
            raise InputError(f"{file} cannot be read ({error}). Run the audit again.") from None
    return arrays
