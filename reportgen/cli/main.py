"""The command line: one module a command. The only room that prints."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reportgen.errors import ConfigurationError, ExitCode, ReportgenError, UsageError

if TYPE_CHECKING:
    from reportgen.config import AuditConfig
    from reportgen.report.report import Report

_PREPROCESSING = (
    "none, unit, symmetric, imagenet-caffe, imagenet-torch, standardize, module:function"
)


class Terminated(BaseException):
    """SIGTERM arrived."""


def main() -> None:
    """Run the command; every way out has its exit code, none has a traceback."""
    signal.signal(signal.SIGTERM, _on_terminate)
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        code = _say("Interrupted. An earlier report in the output folder is untouched.", 130)
    except Terminated:
        code = _say("Terminated. An earlier report in the output folder is untouched.", 143)
    except ReportgenError as error:
        code = _say(f"Error: {error}", error.exit_code)
    except OSError as error:
        code = _say(f"Error: {error.strerror or error}.", ExitCode.OUTPUT)
    except Exception as error:
        code = _say(_describe_bug(error), ExitCode.BUG)
    sys.exit(int(code or 0))


def _on_terminate(number: int, frame: Any) -> None:
    raise Terminated


def _say(text: str, code: int) -> int:
    from reportgen.text import printable

    click.echo(printable(text, 2000), err=True)
    return code


def _describe_bug(error: Exception) -> str:
    from reportgen.worker.process import describe

    return f"A bug in reportgen, please report it: {describe(error)}"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="reportgen", message="%(prog)s %(version)s")
def cli() -> None:
    """Audit a trained Keras model and write one report about it."""


def _audit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    path = click.Path(path_type=Path)
    options = [
        click.option("--name", help="What the report calls the model.  [default: the file's]"),
        click.option("--images", type=path, help="Class folders, or a folder of plain images."),
        click.option("--data", type=path, help="An .npz file with x and, for labels, y."),
        click.option("--labels", type=path, help="A CSV table of file,label."),
        click.option("--classes", type=path, help="Class names, one a line, in output order."),
        click.option("--history", type=path, help="Weights recorded in training, or checkpoints."),
        click.option(
            "--train", type=path, help="Training samples (.npz or folders), for the landscape."
        ),
        click.option("--loss", metavar="NAME", help="Loss of Keras.  [default: the compiled one]"),
        click.option(
            "--split",
            type=click.Choice(["train", "validation", "test"]),
            help="Which data the samples are.",
        ),
        click.option("--preprocessing", metavar="NAME", help=f"Input scaling: {_PREPROCESSING}."),
        click.option(
            "--resize",
            type=click.Choice(["stretch", "crop", "pad"]),
            help="How images of another size are fitted.",
        ),
        click.option("--background", type=click.Choice(["white", "black"]), help="Behind alpha."),
        click.option("--input-size", metavar="HxW", help="For models that take any size."),
        click.option("--output", metavar="NAME", help="Which of several outputs to audit."),
        click.option("--max-samples", type=int, help="Draw at most so many, balanced by class."),
        click.option("--out", type=path, help="Folder of the report.  [default: report]"),
        click.option(
            "--preset",
            type=click.Choice(["quick", "standard", "full"]),
            help="How much is computed and shown.  [default: standard]",
        ),
        click.option("--only", metavar="ID,...", help="Run only these analyses."),
        click.option("--skip", metavar="ID,...", help="Leave these analyses out."),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="ID.OPTION=VALUE",
            help="An option of one analysis, for example predictions.min_accuracy=0.9.",
        ),
        click.option(
            "--fail-on",
            type=click.Choice(["never", "fail", "warn"]),
            help="Exit with 1 at a finding of this level or worse.",
        ),
        click.option("--format", "formats", metavar="F,...", help="Of html, pdf, json."),
        click.option("--seed", type=int, help="For every draw.  [default: 0]"),
        click.option("--device", type=click.Choice(["auto", "cpu", "gpu"])),
        click.option("--max-size", type=float, metavar="MB", help="Of the page.  [default: 5]"),
        click.option("--time-limit", type=float, metavar="S", help="For each analysis."),
        click.option("--memory-limit", type=float, metavar="GB", help="For opening and computing."),
        click.option(
            "--architecture",
            metavar="NETWORK",
            help="For a file of weights: FILE.json, module:function, or a keras.applications name.",
        ),
        click.option(
            "--custom-objects",
            multiple=True,
            metavar="MODULE:NAME",
            help="A class or function of your own that the model uses. Repeat for more.",
        ),
        click.option("--sha256", metavar="HEX", help="Refuse the file if its hash differs."),
        click.option(
            "--allow-unsafe",
            is_flag=True,
            default=None,
            help="Open a file that holds code. The report says so at its top.",
        ),
        click.option("--quiet", is_flag=True, default=None, help="Print errors only."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@cli.command()
@click.argument("target", type=click.Path(path_type=Path))
@_audit_options
def audit(target: Path, **given: Any) -> int:
    """Audit TARGET: a model file, or a folder with an audit.toml.

    Exit codes: 0 done; 1 --fail-on was met; 2 usage; 3 unsafe input; 4 unreadable input;
    5 a section or the PDF is missing; 6 cannot write; 7 out of time or memory;
    70 a bug of ours; 130, 143 interrupted.
    """
    from reportgen.analyses import BATTERY
    from reportgen.cli.terminal import choose_display
    from reportgen.config import load_config
    from reportgen.output import claim, write_report
    from reportgen.pipeline import run_audit

    config = load_config(target, _read_given(given), tuple(a.id for a in BATTERY))
    spelled = os.fsencode(target).decode("utf-8", "backslashreplace")
    command = ("reportgen", "audit", spelled)
    with claim(config.out), choose_display(quiet=config.quiet) as display:
        report, timing = run_audit(config, display=display, command=command)
        display.stage("writing the report")
        remarks = write_report(report, config, timing)
    if not config.quiet:
        _summarise(report, config, remarks)
    return _exit_code(report, config, bool(remarks))


def _read_given(given: dict[str, Any]) -> dict[str, Any]:
    """What was typed, in the terms of `AuditConfig`; what was not typed is left out."""
    settings = given.pop("settings", ())
    values = {key: value for key, value in given.items() if value is not None and value != ()}
    for key in ("only", "skip", "formats"):
        if key in values:
            values[key] = tuple(part.strip() for part in values[key].split(",") if part.strip())
    if "formats" in values:
        values["formats_named"] = True
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


def _summarise(report: Report, config: AuditConfig, remarks: list[str]) -> None:
    click.echo(f"Verdict: {report.verdict.level.upper()}. {report.verdict.sentence}")
    for finding in report.findings:
        if finding.level in ("fail", "warn", "error"):
            from reportgen.text import printable

            click.echo(printable(f"  {finding.level:5} {finding.id}: {finding.message}", 300))
    for remark in remarks:
        click.echo(f"Note: {remark}")
    for name in ("report.html", "report.pdf", "report.json"):
        if (config.out / name).is_file():
            click.echo(f"{config.out / name}")


def _exit_code(report: Report, config: AuditConfig, pdf_missing: bool) -> int:
    if report.verdict.level == "error" or any(s.status == "error" for s in report.sections):
        return ExitCode.PARTIAL
    if pdf_missing and config.formats_named:
        return ExitCode.PARTIAL
    gate = {"never": (), "fail": ("fail",), "warn": ("fail", "warn")}[config.fail_on]
    met = any(finding.level in gate for finding in report.findings)
    return ExitCode.GATE if met else ExitCode.DONE


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--custom-objects", multiple=True, metavar="MODULE:NAME", help="As for audit.")
def inspect(model: Path, as_json: bool, custom_objects: tuple[str, ...]) -> int:
    """Tell what MODEL is and whether it is safe. Builds nothing, executes nothing.

    Exit codes: 0 it can be audited; 3 unsafe, or 4 unreadable, or something is missing.
    """
    import json

    from reportgen.subject.model_file.inspection import describe
    from reportgen.text import printable
    from reportgen.worker.opening import inspect_file

    facts = inspect_file(model, custom_objects)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        for word, said in describe(facts):
            click.echo(f"{word + ':':12} {printable(said, 1000)}")
    if not facts["safe"]:
        return ExitCode.UNSAFE
    return ExitCode.INPUT if facts["needs"] else ExitCode.DONE


@cli.command()
@click.argument("out_dir", type=click.Path(path_type=Path))
@click.option("--format", "formats", default="html,pdf", show_default=True, metavar="F,...")
@click.option("--max-size", type=float, default=5.0, show_default=True, metavar="MB")
def render(out_dir: Path, formats: str, max_size: float) -> int:
    """Redraw the pages of OUT_DIR from report.json and data/. Needs no TensorFlow."""
    from reportgen.output import claim, rewrite_pages

    wanted = tuple(part.strip() for part in formats.split(",") if part.strip())
    unknown = sorted(set(wanted) - {"html", "pdf"})
    if unknown or not wanted:
        raise ConfigurationError(f"--format: {', '.join(unknown) or 'nothing'}; use html, pdf.")
    with claim(out_dir):
        remarks = rewrite_pages(out_dir, wanted, int(max_size * 1e6))
    for remark in remarks:
        click.echo(f"Note: {remark}")
    for name in wanted:
        if (out_dir / f"report.{name}").is_file():
            click.echo(f"{out_dir / f'report.{name}'}")
    explicit = click.get_current_context().get_parameter_source("formats")
    named = explicit is not None and explicit.name == "COMMANDLINE"
    return ExitCode.PARTIAL if remarks and named else ExitCode.DONE


@cli.command()
@click.argument("out_dir", type=click.Path(path_type=Path))
def verify(out_dir: Path) -> int:
    """Check that the files of OUT_DIR are what its manifest says."""
    from reportgen.output import find_differences

    differences = find_differences(out_dir)
    for line in differences:
        click.echo(line)
    if not differences:
        click.echo("All files are as the manifest says.")
    return ExitCode.GATE if differences else ExitCode.DONE
