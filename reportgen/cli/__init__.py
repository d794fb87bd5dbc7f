"""The command line: one module a command. The only room that prints."""

from reportgen.cli.main import cli, main

__all__ = ["cli", "main"]
