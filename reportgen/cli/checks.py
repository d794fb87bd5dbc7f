"""``reportgen checks``: what is checked, and what each check means."""

from __future__ import annotations

import click

from reportgen.cli.printer import say, say_json, say_table


@click.command()
@click.argument("check_id", required=False, metavar="[ID]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects.")
def checks(check_id: str | None, as_json: bool) -> None:
    """List the checks of an audit, or say all about one.

    Their ids are public: findings, gates and badges name them.
    """
    from reportgen.catalogue import check_fields, list_checks

    entries = list_checks(check_id)
    if as_json:
        say_json(entries)
    elif check_id:
        say_table(check_fields(entries[0]))
    else:
        rows = [(one["id"], ", ".join(one["levels"]), one["title"]) for one in entries]
        say_table(rows, ("Check", "Fires at", "Title"), narrow=2)
        say("`reportgen checks ID` says what one means, and what to do when it fires.")
