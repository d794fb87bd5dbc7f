"""The battery: the analyses of an audit in the order of the report, their checks, their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from reportgen.analyses.attributions import ANALYSIS as ATTRIBUTIONS
from reportgen.analyses.contract import Analysis, AnalysisOptions
from reportgen.analyses.feature_maps import ANALYSIS as FEATURE_MAPS
from reportgen.analyses.inputs import ANALYSIS as INPUTS
from reportgen.analyses.loss_landscape import ANALYSIS as LOSS_LANDSCAPE
from reportgen.analyses.optvis import ANALYSIS as OPTVIS
from reportgen.analyses.overview import ANALYSIS as OVERVIEW
from reportgen.analyses.predictions import ANALYSIS as PREDICTIONS
from reportgen.analyses.weights import ANALYSIS as WEIGHTS
from reportgen.config import AuditConfig, explain
from reportgen.errors import ConfigurationError
from reportgen.report.checks import Check
from reportgen.report.registry import DIRECTIONS
from reportgen.suggest import nearest

BATTERY: tuple[Analysis[Any, Any], ...] = (
    OVERVIEW,
    PREDICTIONS,
    INPUTS,
    ATTRIBUTIONS,
    FEATURE_MAPS,
    WEIGHTS,
    OPTVIS,
    LOSS_LANDSCAPE,
)
DIRECTIONS.update({check.id: check.better for a in BATTERY for check in a.checks if check.better})
FOLLOWS = {check.id: check.follows for a in BATTERY for check in a.checks}
Chosen = tuple[tuple[Analysis[Any, Any], AnalysisOptions], ...]


def analysis_ids() -> tuple[str, ...]:
    """Ids of the battery, in the order of the report."""
    return tuple(analysis.id for analysis in BATTERY)


def find_analysis(id_: str) -> Analysis[Any, Any]:
    """The analysis named ``id_``.

    Raises:
        ConfigurationError: there is none; names the nearest.
    """
    for analysis in BATTERY:
        if analysis.id == id_:
            return analysis
    raise ConfigurationError(f"There is no analysis {id_!r}. {_hint(id_, analysis_ids())}")


def all_checks() -> Mapping[str, tuple[Analysis[Any, Any], Check]]:
    """Every check with the analysis that makes it, by id, in the order of the report."""
    return {check.id: (analysis, check) for analysis in BATTERY for check in analysis.checks}


def find_check(id_: str) -> tuple[Analysis[Any, Any], Check]:
    """The check named ``id_``, and the analysis that makes it.

    Raises:
        ConfigurationError: there is none; names the nearest.
    """
    known = all_checks()
    if id_ not in known:
        hint = nearest(id_, known) or "`reportgen checks` lists them."
        raise ConfigurationError(f"There is no check {id_!r}. {hint}")
    return known[id_]


def choose_battery(config: AuditConfig, *, reproducible: bool = False) -> Chosen:
    """The analyses to run with their options in force.

    Args:
        reproducible: the report has to come out the same each time (`AnalysisOptions`).

    Raises:
        ConfigurationError: an unknown id, or an option that an analysis does not have.
    """
    _check_tables(config)
    for id_ in (*config.only, *config.skip):
        find_analysis(id_)
    for id_, given in config.options.items():  # also of what is left out: a typo is a typo
        find_analysis(id_).choose_options(config.preset, given)
    wanted = [a for a in BATTERY if (not config.only or a.id in config.only)]
    chosen = [a for a in wanted if a.id not in config.skip]
    if not chosen:
        raise ConfigurationError("--only and --skip leave nothing to run.")
    return tuple(
        (
            a,
            a.choose_options(
                config.preset, config.options.get(a.id, {}), reproducible=reproducible
            ),
        )
        for a in chosen
    )


def _check_tables(config: AuditConfig) -> None:
    """The tables of ``audit.toml`` on their own, so that a mistake in them is told by its line."""
    if config.file is None:
        return
    for id_, table in config.file.options.items():
        where = config.file.where(id_)
        if id_ not in analysis_ids():
            tables = ("audit", *analysis_ids())
            raise ConfigurationError(f"{where}unknown table {id_!r}. {_hint(id_, tables)}")
        options = find_analysis(id_).options
        try:
            options(**table)
        except ValidationError as error:
            raise ConfigurationError(explain(error, id_, options, config.file)) from None


def _hint(word: str, known: tuple[str, ...]) -> str:
    return f"{nearest(word, known)} Known: {', '.join(known)}.".strip()
