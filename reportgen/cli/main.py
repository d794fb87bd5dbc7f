"""The group of all commands. Every way out has its exit code, none has a traceback."""

from __future__ import annotations

import signal
import sys
from typing import Any

import click

from reportgen.cli.audit import audit
from reportgen.cli.checks import checks
from reportgen.cli.inspect import inspect
from reportgen.cli.options import options
from reportgen.cli.printer import log
from reportgen.cli.render import render
from reportgen.cli.verify import verify
from reportgen.errors import ExitCode, ReportgenError

# Their modules import nothing heavy until a command runs: help must not wait.
COMMANDS: tuple[click.Command, ...] = (
    audit,
    inspect,
    render,
    verify,
    checks,
    options,
)


@click.group(
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="reportgen", message="%(prog)s %(version)s")
def cli() -> None:
    """Audit a trained Keras model and write one report about it."""


class Terminated(BaseException):
    """SIGTERM arrived."""


def main() -> None:
    """Run the command that was typed, and end the process with its exit code."""
    signal.signal(signal.SIGTERM, _on_terminate)
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        for line in context.get_usage().splitlines() if context else ():
            log(line)
        code = _say(f"Error: {error.format_message()}", ExitCode.USAGE)
    except (KeyboardInterrupt, click.Abort):
        code = _say_untouched("Interrupted", ExitCode.INTERRUPTED)
    except Terminated:
        code = _say_untouched("Terminated", ExitCode.TERMINATED)
    except ReportgenError as error:
        code = _say(f"Error: {error}", error.exit_code)
    except OSError as error:
        code = _say(f"Error: {error.strerror or error}.", ExitCode.OUTPUT)
    except Exception as error:
        code = _say(_describe_bug(error), ExitCode.BUG)
    sys.exit(int(code or 0))


def _on_terminate(number: int, frame: Any) -> None:
    raise Terminated


def _say_untouched(what: str, code: ExitCode) -> ExitCode:
    return _say(f"{what}. An earlier report in the output folder is untouched.", code)


def _say(words: str, code: ExitCode) -> ExitCode:
    log(words)
    return code


def _describe_bug(error: Exception) -> str:
    from reportgen.worker.process import describe

    return f"A bug in reportgen, please report it: {describe(error)}"
