"""``reportgen options``: what can be set, and what it does."""

from __future__ import annotations

import click

from reportgen.cli.printer import say, say_json, say_table


@click.command()
@click.argument("analysis", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON Schema of an audit.toml.")
def options(analysis: str | None, as_json: bool) -> None:
    """List the options of ANALYSIS, or of all; `audit` are those of the audit itself.

    Each is set in an audit.toml under the name of its analysis, or with --set.
    """
    from reportgen.catalogue import list_options, settings_schema

    if as_json:
        say_json(settings_schema(analysis))
        return
    for table, rows in list_options(analysis).items():
        say(f"[{table}]")
        say_table(
            [(row["name"], row["default"], row["description"]) for row in rows],
            ("Option", "Default", "What it does"),
        )
        say("")
    say("Set one with --set ID.OPTION=VALUE, or in an audit.toml: [ID], then OPTION = VALUE.")
