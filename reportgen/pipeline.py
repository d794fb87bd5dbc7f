"""The driver: subject -> battery -> report."""

from __future__ import annotations

import os
import platform
import time
from concurrent.futures import Executor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Literal

from numpy.typing import NDArray

from reportgen.analyses.contract import Analysis, AnalysisOptions, unmet
from reportgen.battery import BATTERY, FOLLOWS, Chosen, choose_battery
from reportgen.config import AuditConfig
from reportgen.errors import (
    ConfigurationError,
    NothingToCheckError,
    ReportgenError,
    UsageError,
)
from reportgen.progress import Display, Silence, listening
from reportgen.report.cards import Environment, SubjectCard, Timing
from reportgen.report.causes import link_causes
from reportgen.report.report import Report
from reportgen.report.sections import Section, SectionBody
from reportgen.report.verdict import judge
from reportgen.version import __version__
from reportgen.worker.jobs import Opened, close_subject, compute_job, present_job, unpack_body
from reportgen.worker.opening import open_subject, wait
from reportgen.worker.process import InlineExecutor, LocalWorker

_LEFT_OUT = "Left out by --only or --skip. Run the audit without them to check this."


def run_audit(
    config: AuditConfig,
    *,
    live: Any = None,
    display: Display | None = None,
    executor: Executor | None = None,
    command: tuple[str, ...] = (),
) -> tuple[Report, Timing]:
    """Run the battery and put the report together. Writes nothing.

    Args:
        live: a `LiveInput`; then everything runs in this process.
        executor: where to compute; default: a worker process (this process for ``live``).

    Raises:
        ReportgenError: there is nothing to report on (no model, no samples).
    """
    display, timing = display or Silence(), Timing()
    # The one place where the environment decides over options.
    chosen = choose_battery(config, reproducible=is_reproducible())
    with ExitStack() as stack:
        if executor is None:
            executor = stack.enter_context(
                InlineExecutor(config.time_limit)
                if live
                else LocalWorker(
                    device=config.device,
                    listener=display.advance,
                    memory_limit=int((config.memory_limit or 0) * 2**30) or None,
                )
            )
        if live:
            stack.enter_context(listening(display.advance))
            stack.callback(close_subject)  # a live model is not ours to keep
        display.stage("opening model and samples")
        started = time.perf_counter()
        opened = open_subject(executor, config, live)
        timing.seconds["opening"] = time.perf_counter() - started
        card = opened.card
        sections: list[Section] = []
        arrays: dict[str, NDArray[Any]] = {}
        options_of = {analysis.id: options for analysis, options in chosen}
        for analysis in BATTERY:
            if analysis.id not in options_of:
                sections.append(_empty(analysis, "not_applicable", _LEFT_OUT))
                continue
            display.stage(analysis.id)
            section, found = _run_one(
                executor, config, live, analysis, options_of[analysis.id], card, timing
            )
            sections.append(section)
            arrays |= {f"{analysis.id}/{key}": value for key, value in found.items()}
    linked = link_causes(tuple(sections), FOLLOWS)
    report = Report(
        verdict=judge(linked),
        subject=card,
        environment=_environment(config, opened, chosen, command),
        sections=linked,
    )
    return report.with_arrays(arrays), timing


def _run_one(
    workers: Executor,
    config: AuditConfig,
    live: Any,
    analysis: Analysis[Any, Any],
    options: AnalysisOptions,
    card: SubjectCard,
    timing: Timing,
) -> tuple[Section, dict[str, NDArray[Any]]]:
    """One section, whatever happens: done, not applicable, or an error that says why."""
    missing = unmet(analysis.needs, card)
    if missing:
        said = " ".join(f"Not checked: {need.missing}. {need.remedy}" for need in missing)
        return _empty(analysis, "not_applicable", said), {}
    try:
        body, seconds, memory = _compute(workers, config, live, analysis, options, card)
    except NothingToCheckError as error:
        return _empty(analysis, "not_applicable", f"Not checked: {error}"), {}
    except UsageError as error:
        said = f"Nothing here was checked, for a setting that does not fit. {error}"
        return _empty(analysis, "error", said), {}
    except (ReportgenError, MemoryError) as error:
        return _empty(
            analysis,
            "error",
            f"This analysis failed, so nothing here was checked. {error} Run the audit again; "
            "if it fails again, report this sentence.",
        ), {}
    timing.seconds[analysis.id] = seconds
    timing.peak_memory_bytes[analysis.id] = memory
    fixed = is_reproducible()
    section = Section(
        id=analysis.id,
        title=analysis.title,
        why=analysis.why,
        status="done",
        findings=body.findings,
        blocks=body.blocks,
        method=body.method,
        seconds=None if fixed else seconds,
        peak_memory_bytes=None if fixed else memory,
    )
    return section, dict(body.arrays)


def _empty(
    analysis: Analysis[Any, Any], status: Literal["not_applicable", "error"], said: str
) -> Section:
    return Section(
        id=analysis.id,
        title=analysis.title,
        why=analysis.why,
        status=status,
        findings=analysis.not_checked(status, said),
        method=(said,),
    )


def _compute(
    workers: Executor,
    config: AuditConfig,
    live: Any,
    analysis: Analysis[Any, Any],
    options: AnalysisOptions,
    card: SubjectCard,
) -> tuple[SectionBody, float, int]:
    parts = analysis.split(options, card) if analysis.split else [options]
    futures = [workers.submit(compute_job, config, live, analysis.id, part) for part in parts]
    limit = config.time_limit
    packed = [wait(workers, limit, future) for future in futures]
    presented = workers.submit(present_job, analysis.id, packed)
    return unpack_body(wait(workers, limit, presented))


def is_reproducible() -> bool:
    """Whether the user asked for the same bytes every time (``SOURCE_DATE_EPOCH``)."""
    return "SOURCE_DATE_EPOCH" in os.environ


def creation_time() -> datetime:
    """Now, or the moment that ``SOURCE_DATE_EPOCH`` fixes.

    Raises:
        ConfigurationError: the variable is not a number of seconds.
    """
    if not is_reproducible():
        return datetime.now(UTC).replace(microsecond=0)
    value = os.environ["SOURCE_DATE_EPOCH"]
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (ValueError, OverflowError, OSError):
        raise ConfigurationError(
            f"SOURCE_DATE_EPOCH is {value!r}, not seconds since 1970."
        ) from None


def _environment(
    config: AuditConfig,
    opened: Opened,
    chosen: Chosen,
    command: tuple[str, ...],
) -> Environment:
    fixed = is_reproducible()
    return Environment(
        created=creation_time().isoformat(),
        reportgen=__version__,
        versions={**opened.versions, "python": platform.python_version()},
        device=None if fixed else opened.device,
        host=None if fixed else f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        seed=config.seed,
        preset=config.preset,
        options={a.id: options.model_dump(mode="json") for a, options in chosen},
        command=command,
        isolation=() if fixed else opened.isolation,
    )
