"""``reportgen inspect``: what a model file is, and whether it is safe."""

from __future__ import annotations

from pathlib import Path

import click

from reportgen.cli.printer import say, say_json
from reportgen.errors import ExitCode
from reportgen.text import printable


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--custom-objects", multiple=True, metavar="MODULE:NAME", help="As for audit.")
def inspect(model: Path, as_json: bool, custom_objects: tuple[str, ...]) -> int:
    """Tell what MODEL is and whether it is safe. Builds nothing, executes nothing.

    Exit codes: 0 it can be audited; 3 unsafe, or 4 unreadable, or something is missing.
    """
    from reportgen.subject.model_file.inspection import describe
    from reportgen.worker.opening import inspect_file

    facts = inspect_file(model, custom_objects)
    if as_json:
        say_json(facts)
    else:
        for word, said in describe(facts):
            say(f"{word + ':':12} {printable(said, 1000)}")
    if not facts["safe"]:
        return ExitCode.UNSAFE
    return ExitCode.INPUT if facts["needs"] else ExitCode.DONE
