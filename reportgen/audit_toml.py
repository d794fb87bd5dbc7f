"""An ``audit.toml`` as it was read: its tables, and where each of its lines stands."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reportgen.errors import ConfigurationError, InputError

# Settings that are paths: in a file they are relative to it.
PATHS = ("model", "images", "data", "labels", "classes", "history", "train", "out")
_MAX_BYTES = 2**20
# They decide what code runs. A folder that somebody else made must not decide that.
_COMMAND_LINE_ONLY = ("allow_unsafe", "custom_objects")


@dataclass(frozen=True)
class TomlFile:
    """An ``audit.toml`` as it was read.

    Attributes:
        audit: values of ``[audit]``, with paths relative to the file resolved.
        options: the other tables, by name; nobody has checked them.
        text: the source, to find the line of a mistake.
    """

    path: Path
    text: str
    audit: dict[str, Any]
    options: dict[str, dict[str, Any]]

    def where(self, table: str, key: str | None = None) -> str:
        """``audit.toml, line 3: `` for what the file says; empty for what it does not."""
        said = self.audit if table == "audit" else self.options.get(table)
        if said is None or (key is not None and key not in said):
            return ""
        line = _line_of(self.text, key, table) if key else _line_of(self.text, table, None)
        return f"{self.path}{line}: "

    def without(self, given: dict[str, Any]) -> TomlFile:
        """What of the file is still in force beside ``given``: the rest is not its fault."""
        overruled = given.get("options") or {}
        return replace(
            self,
            audit={key: value for key, value in self.audit.items() if key not in given},
            options={
                name: {k: v for k, v in table.items() if k not in overruled.get(name, {})}
                for name, table in self.options.items()
            },
        )


def read_toml(file: Path) -> TomlFile:
    """Values of ``[audit]`` and the other tables. Paths are relative to the file."""
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ConfigurationError(f"{file} is larger than {_MAX_BYTES} bytes.")
        text = file.read_text("utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{file} is not valid TOML: {error}.") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigurationError(
                f"{file}{_line_of(text, name, None)}: {name!r} is not a table. Settings stand "
                "under [audit], options of an analysis under its id, such as [predictions]."
            )
    values = dict(tables.pop("audit", {}))
    if "options" in values:
        raise ConfigurationError(
            f"{file}{_line_of(text, 'options', 'audit')}: unknown key 'options'. "
            "Options of an analysis stand in a table of its name."
        )
    for key in _COMMAND_LINE_ONLY:
        if key in values:
            raise ConfigurationError(
                f"{file}{_line_of(text, key, 'audit')}: {key} is not taken from a file. "
                f"Say --{key.replace('_', '-')} on the command line."
            )
    for key in PATHS:
        if isinstance(values.get(key), str):
            values[key] = file.parent / values[key]
    network = values.get("architecture")
    if isinstance(network, str) and network.endswith(".json"):
        values["architecture"] = str(file.parent / network)
    return TomlFile(file, text, values, tables)


def _line_of(text: str, key: str, table: str | None) -> str:
    """Where ``key`` of ``table`` stands; of None: where the table or key itself does."""
    current = None
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*[\"']?([^\"'\]]*)", line)
        if header:
            current = header[1].strip()
        if header and table is None and current == key:
            return f", line {number}"
        if current == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return f", line {number}"
    return ""
