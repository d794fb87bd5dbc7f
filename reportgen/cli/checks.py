"""``reportgen checks``: what is checked, and what each check means."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.argument("check_id", required=False, metavar="[ID]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects.")
def checks(check_id: str | None, as_json: bool) -> None:
    """List the checks of an audit, or say all about one.

    Their ids are public: findings, gates and badges name them.
    """
    import json

    from reportgen.catalogue import check_fields, list_checks

    entries = list_checks(check_id)
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    elif check_id:
        _print_fields(check_fields(entries[0]))
    else:
        _print_table(entries)
        click.echo("`reportgen checks ID` says what one means, and what to do when it fires.")


def _print_fields(rows: list[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, words in rows:
        table.add_row(name, words)
    Console(highlight=False, markup=False).print(table)


def _print_table(entries: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("Check", "Fires at", "Title", box=None, pad_edge=False)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for entry in entries:
        table.add_row(entry["id"], ", ".join(entry["levels"]), entry["title"])
    Console(highlight=False, markup=False).print(table)
