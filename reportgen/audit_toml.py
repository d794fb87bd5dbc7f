"""An ``audit.toml`` as it was read: its tables, and where each of its lines stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reportgen.errors import ConfigurationError, InputError
from reportgen.files import leads_out, read_regular

# Settings that are paths: in a file they are relative to it, and lead nowhere but below its folder.
PATHS = ("model", "images", "data", "labels", "classes", "history", "train", "out")
_MAX_BYTES = 2**20
# They decide what code runs. A folder that somebody else made must not decide that.
_COMMAND_LINE_ONLY = ("allow_unsafe", "custom_objects")
_MAYBE_CODE = ("preprocessing", "architecture")
# The parser keeps every beginning of a dotted key: 100,000 parts would take all memory.
_MAX_PARTS = 30
_DEEP_KEY = re.compile(
    rf"""(?:(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{_MAX_PARTS}}}"""
)


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


def read_toml(file: Path, overruled: Collection[str] = ()) -> TomlFile:
    """Values of ``[audit]`` and the other tables. Paths are relative to the file.

    The file holds data: whoever made the folder decides neither what code runs, nor which files
    outside of it are read or written.

    Args:
        overruled: settings that were typed; what the file says of them does not count.

    Raises:
        ConfigurationError: no TOML, or a setting that is not taken from a file; says what to type.
        InputError: it cannot be read.
    """
    try:
        if leads_out(file, file.parent):
            raise ConfigurationError(f"{file} is a link out of its folder. Put the file there.")
        text = read_regular(file, _MAX_BYTES).decode("utf-8")
        if _DEEP_KEY.search(text):
            raise ConfigurationError(f"{file} holds a key of more than {_MAX_PARTS} parts.")
        tables = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:  # ValueError also: a number of 5000 digits
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
    found = TomlFile(file, text, values, tables)
    for key in sorted(values.keys() - set(overruled)):
        _check_data(found, key)
    for key in PATHS:
        if isinstance(values.get(key), str):
            values[key] = file.parent / values[key]
    network = values.get("architecture")
    if isinstance(network, str) and network.endswith(".json"):
        values["architecture"] = str(file.parent / network)
    return found


def _check_data(file: TomlFile, key: str) -> None:
    """Refuse what would run code or lead out of the folder.

    Raises:
        ConfigurationError: says what to type instead.
    """
    value, flag = file.audit[key], f"--{key.replace('_', '-')}"
    where = file.where("audit", key)
    if key in _COMMAND_LINE_ONLY:
        raise ConfigurationError(
            f"{where}{key} is not taken from a file. Say {flag} on the command line."
        )
    if not isinstance(value, str):
        return
    if key in _MAYBE_CODE and ":" in value:
        raise ConfigurationError(
            f"{where}{key} names code ({value[:80]!r}), which is not taken from a file: whoever "
            f"made the folder would decide what runs. If you trust it, type {flag} {value[:80]}"
        )
    if key == "architecture" and not value.endswith(".json") and not value.isidentifier():
        raise ConfigurationError(
            f"{where}architecture is neither a .json file nor a name of keras.applications "
            f"({value[:80]!r}). If you mean it, type {flag} {value[:80]}"
        )
    is_path = key in PATHS or (key == "architecture" and value.endswith(".json"))
    if is_path and ("\0" in value or leads_out(file.path.parent / value, file.path.parent)):
        raise ConfigurationError(
            f"{where}{key} leads out of the folder of the file ({value[:80]!r}), which is not "
            f"taken from a file. If you mean it, type {flag} {file.path.parent / value[:80]}"
        )
    if key == "out" and (file.path.parent / value).resolve() == file.path.parent.resolve():
        raise ConfigurationError(f"{where}out is the audited folder itself. Name one in it.")


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
