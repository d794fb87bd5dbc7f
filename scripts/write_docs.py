"""Write the documents that are made from the code. Run by `scripts/docs`; held by a test."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reportgen.battery import BATTERY
from reportgen.catalogue import AUDIT, check_fields, list_checks, list_options, report_schema

ROOT = Path(__file__).resolve().parents[1]
_MADE = "<!-- Made by scripts/docs from the code. Change it there. -->"
_TABLE = re.compile(r"(<!-- battery: .*? -->\n).*?(<!-- end of battery -->)", re.DOTALL)


def documents() -> dict[Path, str]:
    """Each document that is made from the code, by its path."""
    readme = ROOT / "README.md"
    return {
        ROOT / "docs/checks.md": describe_checks(),
        ROOT / "docs/options.md": describe_options(),
        ROOT / "docs/report.schema.json": json.dumps(report_schema(), indent=1) + "\n",
        readme: _TABLE.sub(
            lambda found: found[1] + battery_table() + found[2], readme.read_text("utf-8")
        ),
    }


def battery_table() -> str:
    """The table of sections in the README."""
    rows = ["| Section | What it shows | Checks |", "| --- | --- | --- |"]
    for analysis in BATTERY:
        ids, before = [], ""
        for check in analysis.checks:
            room, noun = check.id.split(".")
            ids.append(f"`.{noun}`" if room == before else f"`{check.id}`")
            before = room
        rows.append(f"| {analysis.title} | {analysis.shows} | {', '.join(ids)} |")
    return "\n".join(rows) + "\n"


def describe_checks() -> str:
    """docs/checks.md: every check, by section."""
    measured = json.loads((ROOT / "docs/sound-models.json").read_text("utf-8"))
    parts = [
        "# The checks",
        _MADE,
        "Each of them appears in every report: with its verdict, as not checked (with what is "
        "missing), or as an error. Their ids are public. `reportgen checks ID` prints an entry "
        "of this page; `reportgen checks --json` all of them.",
        describe_sound_models(measured),
    ]
    for analysis in BATTERY:
        parts.append(f"## {analysis.title}")
        for entry in list_checks():
            if entry["section"] == analysis.id:
                parts.append(f"### {entry['id']}")
                said = dict(check_fields(entry))
                for known in ("Check", "Section", "Meaning"):
                    del said[known]
                said["On sound models"] = say_how_often(measured["checked"].get(entry["id"]))
                rows = "\n".join(f"- {name}: {words}" for name, words in said.items())
                parts.append(f"{entry['meaning']}\n\n{rows}")
    return "\n\n".join(parts) + "\n"


def describe_sound_models(measured: Mapping[str, Any]) -> str:
    """What the line "On sound models" of each check counts."""
    trained = sum(name.startswith("digits, ") for name in measured["fired"])
    return (
        "The last line of an entry, which `reportgen checks` does not print, says how often the "
        f"check fires on {measured['models']} models that are sound: {trained} small networks "
        f"trained on scikit-learn's digits, and {measured['models'] - trained} that strangers "
        "trained and published. Nothing was planted in them. A finding that follows from another "
        "one counts as a note. `python -m benchmarks sound_models` measures it again, with the "
        "preset `quick` and the scaling of each model stated."
    )


def say_how_often(counts: Mapping[str, int] | None) -> str:
    """How often a check fires on sound models. None: it was not there when that was measured."""
    if counts is None:
        return "not measured."
    levels = {level: counts[level] for level in ("note", "warn", "fail") if counts[level]}
    judged = counts["judged"]
    if not judged:
        return "none of them has what it needs."
    if not levels:
        return f"never fired on the {judged} that it judged."
    how = ", ".join(f"{level} {count}" for level, count in levels.items())
    return f"fires on {sum(levels.values())} of {judged} that it judged ({how})."


def describe_options() -> str:
    """docs/options.md: every option, by table."""
    parts = [
        "# The options",
        _MADE,
        "Set an option of an analysis with `--set ID.OPTION=VALUE`, or in an `audit.toml` under "
        "`[ID]`; one of the audit with `--OPTION VALUE`, or under `[audit]`. What is typed wins "
        "over the file, and the file over the preset. `reportgen options ID` prints a table of "
        "this page; `reportgen options --json` is the JSON Schema of an `audit.toml`.",
    ]
    titles = {AUDIT: "The audit"} | {analysis.id: analysis.title for analysis in BATTERY}
    for table, rows in list_options().items():
        lines = ["| Option | Default | Presets | What it does |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{row['name']}` | {row['default']} | {row['presets'] or '-'} "
            f"| {_cell(row['description'])} |"
            for row in rows
        ]
        parts += [f"## {titles[table]} (`[{table}]`)", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def main() -> None:
    """Write what has changed, and say it."""
    for path, text in documents().items():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
