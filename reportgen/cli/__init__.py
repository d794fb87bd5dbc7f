"""The command line: one module a command, a line each in `reportgen.cli.main.COMMANDS`.

The only room that prints.
"""

from reportgen.cli.main import cli, main

__all__ = ["cli", "main"]
