"""``reportgen audit``: run the battery and write the report."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reportgen.cli.fields import Spelling, make_options
from reportgen.cli.printer import say
from reportgen.errors import ExitCode, UsageError
from reportgen.report.levels import PROBLEMS, reaches
from reportgen.text import printable

if TYPE_CHECKING:
    from reportgen.config import AuditConfig
    from reportgen.report.report import Report

# TARGET is the model, and --set gives the options.
_HIDDEN = ("model", "options")
_SPELLINGS = {
    "only": Spelling(metavar="ID,..."),
    "skip": Spelling(metavar="ID,..."),
    "label_column": Spelling(metavar="NAME,..."),
    "custom_objects": Spelling(metavar="MODULE:NAME", repeat=True),
    "input_size": Spelling(metavar="HxW"),
    "interpolation": Spelling(metavar="NAME"),
    "name": Spelling(metavar="NAME"),
    "loss": Spelling(metavar="NAME"),
    "output": Spelling(metavar="NAME"),
    "preprocessing": Spelling(metavar="NAME"),
    "architecture": Spelling(metavar="NETWORK"),
    "sha256": Spelling(metavar="HEX"),
    "max_size": Spelling(metavar="MB"),
    "time_limit": Spelling(metavar="S"),
    "memory_limit": Spelling(metavar="GB"),
}


class AuditCommand(click.Command):
    """A command whose options are made from `AuditConfig` when they are looked at."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters that were declared, then one for each field."""
        from reportgen.config import AuditConfig
        from reportgen.formats import FORMATS

        names = ",".join(one.name for one in FORMATS)
        spellings = {**_SPELLINGS, "formats": Spelling("--format", metavar=names)}
        target, settings, *rest = super().get_params(ctx)
        return [target, *make_options(AuditConfig, _HIDDEN, spellings), settings, *rest]


@click.command(cls=AuditCommand)
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="ID.OPTION=VALUE",
    help="An option of one analysis, for example predictions.min_accuracy=0.9. "
    "`reportgen options` lists them.",
)
def audit(target: Path, settings: tuple[str, ...], **given: Any) -> int:
    """Audit TARGET: a model file, or a folder with an audit.toml.

    Exit codes: 0 done; 1 --fail-on was met; 2 usage; 3 unsafe input; 4 unreadable input;
    5 a section or the PDF is missing; 6 cannot write; 7 out of time or memory;
    70 a bug of ours; 130, 143 interrupted.
    """
    from reportgen.battery import choose_battery
    from reportgen.cli.terminal import choose_display
    from reportgen.config import load_config
    from reportgen.formats import formats_of
    from reportgen.output import claim, write_report
    from reportgen.pipeline import run_audit

    config = load_config(target, _read_given(given, settings))
    _check_default_out(config, given)
    choose_battery(config)  # a wrong name is told before anything is claimed or opened
    formats_of(config)
    spelled = os.fsencode(target).decode("utf-8", "backslashreplace")
    command = ("reportgen", "audit", spelled)
    with claim(config.out), choose_display(quiet=config.quiet) as display:
        report, timing = run_audit(config, display=display, command=command)
        display.stage("writing the report")
        written = write_report(report, config, timing)
    if not config.quiet:
        _summarise(report, spelled)
        written.tell(say, config.out)
    return exit_code(report, config, incomplete=bool(written.remarks))


def _check_default_out(config: AuditConfig, given: dict[str, Any]) -> None:
    """Nobody named ``report``: where it is a link out of the working directory, a stranger did."""
    from reportgen.files import leads_out

    named = given.get("out") or (config.file and "out" in config.file.audit)
    if not named and leads_out(config.out, Path()):
        raise UsageError(
            f"{config.out} is a link out of the working directory. If you mean where it leads, "
            f"type --out {config.out}"
        )


def _read_given(given: dict[str, Any], settings: tuple[str, ...]) -> dict[str, Any]:
    """What was typed, in the terms of `AuditConfig`; what was not typed is left out."""
    values = {name: value for name, value in given.items() if value not in (None, ())}
    if settings:
        values["options"] = _read_settings(settings)
    return values


def _read_settings(settings: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    import tomllib

    tables: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        analysis, dot, option = name.strip().partition(".")
        if not (equals and dot):
            raise UsageError(f"--set {setting!r}: expected ID.OPTION=VALUE.")
        try:
            tables.setdefault(analysis, {})[option] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            tables.setdefault(analysis, {})[option] = value.strip()
    return tables


def _summarise(report: Report, target: str) -> None:
    say(f"Verdict: {report.verdict.level.upper()}. {report.verdict.sentence}")
    for assumed in report.subject.assumed:
        say(printable(f"  note  inputs.assumed: {assumed}", 300))
    if not report.subject.samples:
        say("  The model alone was audited. To see what it answers, type next:")
        image = report.subject.input_kind == "image"
        given = "--images FOLDER_OF_CLASS_FOLDERS" if image else "--data SAMPLES.npz"
        say(printable(f"  reportgen audit {shlex.quote(target)} {given}", 300))
    for finding in report.findings:
        if finding.level in PROBLEMS:
            say(printable(f"  {finding.level:5} {finding.id}: {finding.message}", 300))


def exit_code(report: Report, config: AuditConfig, *, incomplete: bool) -> ExitCode:
    """What the shell is told.

    Args:
        incomplete: a format could not be written; that counts where it was asked for by name.
    """
    if report.verdict.level == "error" or any(s.status == "error" for s in report.sections):
        return ExitCode.PARTIAL
    if incomplete and config.formats:
        return ExitCode.PARTIAL
    met = any(reaches(finding.level, config.fail_on) for finding in report.findings)
    return ExitCode.GATE if met else ExitCode.DONE
