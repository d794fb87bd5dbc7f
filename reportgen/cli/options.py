"""``reportgen options``: what can be set, and what it does."""

from __future__ import annotations

import click


@click.command()
@click.argument("analysis", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON Schema of an audit.toml.")
def options(analysis: str | None, as_json: bool) -> None:
    """List the options of ANALYSIS, or of all; `audit` are those of the audit itself.

    Each is set in an audit.toml under the name of its analysis, or with --set.
    """
    import json

    from reportgen.catalogue import list_options, settings_schema

    if as_json:
        click.echo(json.dumps(settings_schema(analysis), indent=2))
        return
    for table, rows in list_options(analysis).items():
        _print_table(table, rows)
    click.echo(
        "Set one with --set ID.OPTION=VALUE, or in an audit.toml: [ID], then OPTION = VALUE."
    )


def _print_table(title: str, rows: list[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "Option", "Default", "What it does", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(row["name"], row["default"], row["description"])
    console = Console(highlight=False, markup=False)
    console.print(f"[{title}]")
    console.print(table)
    console.print()
