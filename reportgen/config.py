"""What the user asked for, validated: command line over audit.toml over the preset."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_serializer,
    field_validator,
)

from reportgen.errors import ConfigurationError, InputError
from reportgen.report.levels import Gate

Preset = Literal["quick", "standard", "full"]
MAX_SAMPLES = {"quick": 500, "standard": 2000, "full": 20_000}
_PATHS = ("model", "images", "data", "labels", "classes", "history", "train", "out")
_MAX_TOML_BYTES = 2**20
# They decide what code runs. A folder that somebody else made must not decide that.
_COMMAND_LINE_ONLY = ("allow_unsafe", "custom_objects")


class AuditConfig(BaseModel):
    """One audit. Fields are named like the options of ``reportgen audit``.

    options: per analysis id, values that override its preset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    model: Path | None = None
    name: str | None = Field(default=None, max_length=200)
    images: Path | None = None
    data: Path | None = None
    labels: Path | None = None
    classes: Path | tuple[str, ...] | None = None
    history: Path | None = None
    train: Path | None = None
    loss: str | None = Field(default=None, max_length=100)
    split: Literal["train", "validation", "test"] | None = None
    preprocessing: str | None = None
    resize: Literal["stretch", "crop", "pad"] = "stretch"
    background: Literal["white", "black"] = "white"
    input_size: tuple[int, int] | None = None
    output: str | None = None
    max_samples: int | None = Field(default=None, ge=1)
    out: Path = Path("report")
    preset: Preset = "standard"
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    fail_on: Gate = "never"
    formats: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0, lt=2**63)
    device: Literal["auto", "cpu", "gpu"] = "auto"
    max_size: float = Field(default=5.0, gt=0.2, allow_inf_nan=False)
    time_limit: float = Field(default=1800.0, gt=0, allow_inf_nan=False)
    quiet: bool = False
    memory_limit: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    architecture: str | None = Field(default=None, max_length=4096)
    custom_objects: tuple[str, ...] = ()
    allow_unsafe: bool = False
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)

    _file: TomlFile | None = PrivateAttr(default=None)

    @field_validator("input_size", mode="before")
    @classmethod
    def _read_size(cls, value: Any) -> Any:
        if isinstance(value, str):
            match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", value)
            if not match:
                raise ValueError("must look like 224x224 (height x width)")
            return int(match[1]), int(match[2])
        return value

    @field_validator("input_size")
    @classmethod
    def _check_size(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value and not all(1 <= side <= 8192 for side in value):
            raise ValueError("each side must be between 1 and 8192")
        return value

    @field_serializer(*_PATHS, when_used="json")
    def _spell_path(self, value: Any) -> Any:
        # A path may hold bytes that are not UTF-8, which JSON cannot.
        return (
            os.fsencode(value).decode("utf-8", "backslashreplace")
            if isinstance(value, Path)
            else value
        )

    @property
    def file(self) -> TomlFile | None:
        """The ``audit.toml`` behind it, as far as its values are in force."""
        return self._file

    @property
    def sample_limit(self) -> int:
        """How many samples to draw: as asked, else by the preset."""
        return self.max_samples or MAX_SAMPLES[self.preset]


def load_config(target: Path, given: dict[str, Any]) -> AuditConfig:
    """The configuration for TARGET: a model file, or a folder with an ``audit.toml``.

    Knows no analysis: `battery.choose_battery` checks the tables of options and the ids.

    Args:
        given: values from the command line or the Python call; they win over the file's.

    Raises:
        ConfigurationError: unknown key, wrong type, value out of range, TOML syntax.
        InputError: TARGET does not exist.
    """
    path = target / "audit.toml"
    if not (target.is_dir() and path.is_file()):
        if not target.exists():
            raise InputError(f"{target} does not exist. Give a model file or a folder.")
        return build_config({"model": target, **given})
    file = read_toml(path)
    build_config(file.audit, file)  # on its own first: its line is named, and no other's fault
    options = dict(file.options)
    for analysis, table in dict(given.get("options") or {}).items():
        if not isinstance(table, dict):
            raise ConfigurationError(f"options: {analysis} needs a dictionary, got {table!r}.")
        options[analysis] = {**options.get(analysis, {}), **table}
    config = build_config({**file.audit, **given, "options": options})
    config._file = file.without(given)
    return config


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
        if file.stat().st_size > _MAX_TOML_BYTES:
            raise ConfigurationError(f"{file} is larger than {_MAX_TOML_BYTES} bytes.")
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
    for key in _PATHS:
        if isinstance(values.get(key), str):
            values[key] = file.parent / values[key]
    network = values.get("architecture")
    if isinstance(network, str) and network.endswith(".json"):
        values["architecture"] = str(file.parent / network)
    return TomlFile(file, text, values, tables)


def build_config(values: dict[str, Any], file: TomlFile | None = None) -> AuditConfig:
    """Validate ``values``.

    Args:
        file: where they come from, to name the line of a mistake.

    Raises:
        ConfigurationError: names the key, its line, and what was expected.
    """
    try:
        return AuditConfig(**values)
    except ValidationError as error:
        raise ConfigurationError(explain(error, "audit", AuditConfig, file)) from None


def _public(model: type[BaseModel]) -> list[str]:
    """Settings that a user may write."""
    return [name for name in model.model_fields if name != "options"]


def explain(
    error: ValidationError, table: str, model: type[BaseModel], file: TomlFile | None = None
) -> str:
    """One sentence for the first problem in a validation error.

    Args:
        table: ``audit``, or the id of the analysis whose options were validated.
        file: the file that may hold the mistake.
    """
    first = error.errors()[0]
    key = str(first["loc"][0]) if first["loc"] else ""
    prefix = "" if table == "audit" else f"{table}."
    where = file.where(table, key) if file else ""
    if first["type"] == "extra_forbidden":
        return f"{where}unknown key {prefix}{key}. Known: {', '.join(_public(model))}."
    got = repr(first["input"])[:60]
    return f"{where}{prefix}{key}: {first['msg']} (got {got})."


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
