"""Checks and options as plain rows: help, documents and schemas are made from these.

Nothing is said here a second time: the words stand beside the analyses (`Check`, and the
descriptions of the fields), and this module only lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reportgen.battery import BATTERY, all_checks, analysis_ids, find_analysis, find_check
from reportgen.config import AuditConfig, Preset
from reportgen.errors import ConfigurationError
from reportgen.suggest import nearest

AUDIT = "audit"


def list_checks(id_: str | None = None) -> list[dict[str, Any]]:
    """One JSON-like object a check: of ``id_``, or of all in the order of the report.

    Raises:
        ConfigurationError: there is no such check; names the nearest.
    """
    chosen = [find_check(id_)] if id_ else list(all_checks().values())
    return [
        {
            "id": check.id,
            "title": check.title,
            "section": analysis.id,
            "meaning": check.meaning,
            "levels": list(check.levels),
            "unit": check.unit,
            "better": check.better,
            "bar": f"{analysis.id}.{check.bar}" if check.bar else None,
            "default": _default_bar(analysis.options, check.bar),
            "advice": check.advice,
        }
        for analysis, check in chosen
    ]


def check_fields(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A check as names and values for a person."""
    usual = "not set" if entry["default"] is None else show_value(entry["default"])
    bar = f"{entry['bar']}, {usual} by default" if entry["bar"] else "none"
    return [
        ("Check", entry["id"]),
        ("Title", entry["title"]),
        ("Section", find_analysis(entry["section"]).title),
        ("Meaning", entry["meaning"]),
        ("Fires at", " or ".join(entry["levels"])),
        ("Unit", entry["unit"]),
        ("Better", entry["better"] or "neither way"),
        ("Its bar", bar),
        ("What to do", entry["advice"]),
    ]


def _default_bar(options: type[BaseModel], bar: str | None) -> Any:
    return options.model_fields[bar].default if bar else None


def list_options(table: str | None = None) -> dict[str, list[dict[str, str]]]:
    """Rows of ``name``, ``default``, ``presets`` and ``description``, by table.

    Args:
        table: the id of an analysis, or ``audit``; None: all of them.

    Raises:
        ConfigurationError: there is no such table; names the nearest.
    """
    return {
        name: [
            _option_row(field, info, _presets_of(model, field))
            for field, info in model.model_fields.items()
            if not is_internal(info)
        ]
        for name, model in _tables(table).items()
    }


def settings_schema(table: str | None = None) -> dict[str, Any]:
    """The JSON Schema of an ``audit.toml``, or of one of its tables.

    Raises:
        ConfigurationError: there is no such table; names the nearest.
    """
    made = {name: _table_schema(model) for name, model in _tables(table).items()}
    if table:
        return made[table]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "audit.toml",
        "type": "object",
        "properties": made,
        "additionalProperties": False,
    }


def report_schema() -> dict[str, Any]:
    """The JSON Schema of ``report.json``, in which every id of a check is explained."""
    from reportgen.report.report import Report  # with every block: listing checks needs none

    schema = Report.model_json_schema()
    finding = schema["$defs"]["Finding"]["properties"]["id"]
    finding["description"] = "A check. Later versions may add some."
    finding["anyOf"] = [
        {"const": check.id, "title": check.title, "description": check.meaning}
        for _, check in all_checks().values()
    ] + [{"pattern": finding.pop("pattern")}]
    return schema


def is_internal(info: FieldInfo) -> bool:
    """Whether a field is none of the user's business."""
    extra = info.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("internal"))


def _tables(table: str | None) -> dict[str, type[BaseModel]]:
    known = {AUDIT: AuditConfig} | {analysis.id: analysis.options for analysis in BATTERY}
    if table is None:
        return known
    if table not in known:
        names = (AUDIT, *analysis_ids())
        hint = f"{nearest(table, names)} Known: {', '.join(names)}.".strip()
        raise ConfigurationError(f"There is no table of options {table!r}. {hint}")
    return {table: known[table]}


def _table_schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    hidden = {name for name, info in model.model_fields.items() if is_internal(info)}
    schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in hidden}
    schema.pop("description", None)  # of the class, for who reads the code
    return schema


def _presets_of(model: type[BaseModel], field: str) -> dict[str, Any]:
    presets: Mapping[str, Mapping[str, Any]] = getattr(model, "presets", {})
    return {
        name: presets[name][field] for name in get_args(Preset) if field in presets.get(name, {})
    }


def _option_row(name: str, info: FieldInfo, presets: Mapping[str, Any]) -> dict[str, str]:
    default = info.get_default(call_default_factory=True)
    return {
        "name": name,
        "default": show_value(default),
        "presets": ", ".join(f"{preset}: {show_value(value)}" for preset, value in presets.items()),
        "description": info.description or "",
    }


def show_value(value: Any) -> str:
    """A value as it is typed in an ``audit.toml``; ``-`` where there is none."""
    if value is None or value in ((), {}):
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ", ".join(map(show_value, value))
    return str(value)
