"""``reportgen verify``: are the files of a report what its manifest says?"""

from __future__ import annotations

from pathlib import Path

import click

from reportgen.cli.printer import say
from reportgen.errors import ExitCode


@click.command()
@click.argument("out_dir", type=click.Path(path_type=Path))
def verify(out_dir: Path) -> int:
    """Check that the files of OUT_DIR are what its manifest says."""
    from reportgen.report.folder import find_differences

    differences = find_differences(out_dir)
    for line in differences:
        say(line)
    if not differences:
        say("All files are as the manifest says.")
    return ExitCode.GATE if differences else ExitCode.DONE
