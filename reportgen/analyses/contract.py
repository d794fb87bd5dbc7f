"""The contract between the pipeline and an analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from reportgen.config import Preset, explain
from reportgen.errors import ConfigurationError
from reportgen.report.checks import Check

if TYPE_CHECKING:
    import numpy as np

    from reportgen.report.cards import SubjectCard
    from reportgen.report.findings import Finding
    from reportgen.report.sections import SectionBody
    from reportgen.subject.subject import Subject


class Need(Enum):
    """What an analysis cannot do without: what is missing, and how to supply it."""

    SAMPLES = (
        "there are no samples",
        "Give --images FOLDER (class folders or plain images), --labels TABLE.csv, or --data "
        "FILE.npz with x and y.",
    )
    LABELS = ("the samples have no labels", "Give class folders, --labels, or y in --data.")
    IMAGES = (
        "the model does not take images",
        "Its layers are looked at in the sections on weights and feature maps.",
    )

    @property
    def missing(self) -> str:
        """What is not there."""
        return self.value[0]

    @property
    def remedy(self) -> str:
        """What the user can do."""
        return self.value[1]


def unmet(needs: frozenset[Need], card: SubjectCard) -> list[Need]:
    """The needs that the subject does not meet."""
    met = {
        Need.SAMPLES: card.samples > 0,
        Need.LABELS: card.labelled,
        Need.IMAGES: card.input_kind == "image",
    }
    missing = [need for need in Need if need in needs and not met[need]]
    # Without samples there are no labels either: one word is enough.
    return [need for need in missing if need is not Need.LABELS or Need.SAMPLES not in missing]


class AnalysisOptions(BaseModel):
    """Base of the options: frozen, small.

    Attributes:
        presets: by name of a preset, what differs from the defaults.
        reproducible: values in place of the defaults where a report has to come out the same
            each time; what the user asks for goes before them.
        tiny: the least that still takes every path, so that a test of the whole does not take
            minutes; no preset of the command.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    presets: ClassVar[Mapping[Preset, Mapping[str, Any]]] = {}
    reproducible: ClassVar[Mapping[str, Any]] = {}
    tiny: ClassVar[Mapping[str, Any]] = {}


OptionsT = TypeVar("OptionsT", bound=AnalysisOptions)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Analysis(Generic[OptionsT, ResultT]):
    """One chapter of the audit.

    compute is pure: same subject, options and generator, same result; it touches no files,
    prints nothing, draws nothing, and leaves every weight as it found it.
    present is NumPy only: it turns the result into findings and blocks.

    shows: what a reader finds in the section, for the table in the README.
    checks: the questions that this analysis answers. Each of them appears in every report: with
        its verdict, or as not applicable, or as an error.
    split, join: independent parts of the work, and the whole from their results.
    """

    id: str
    title: str
    why: str
    shows: str
    needs: frozenset[Need]
    options: type[OptionsT]
    compute: Callable[[Subject, OptionsT, np.random.Generator], ResultT]
    present: Callable[[ResultT], SectionBody]
    checks: tuple[Check, ...] = ()
    split: Callable[[OptionsT, SubjectCard], list[OptionsT]] | None = None
    join: Callable[[list[ResultT]], ResultT] | None = None

    def choose_options(
        self, preset: Preset, given: Mapping[str, Any], *, reproducible: bool = False
    ) -> OptionsT:
        """The options in force: ``given`` over the preset over the defaults.

        Args:
            reproducible: the report has to come out the same each time, see `AnalysisOptions`.

        Raises:
            ConfigurationError: an unknown option, a wrong type, a value out of range.
        """
        fixed = self.options.reproducible if reproducible else {}
        values = {**fixed, **self.options.presets.get(preset, {}), **given}
        try:
            return self.options(**values)
        except ValidationError as error:
            raise ConfigurationError(explain(error, self.id, self.options)) from None

    def not_checked(
        self, level: Literal["not_applicable", "error"], message: str
    ) -> tuple[Finding, ...]:
        """A finding for each check, when the analysis could not run."""
        return tuple(check.not_checked(message, level) for check in self.checks)
