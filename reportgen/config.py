"""What the user asked for, validated: command line over audit.toml over the preset."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
)

from reportgen.errors import ConfigurationError, InputError
from reportgen.invalid import describe_setting, describe_unknown
from reportgen.suggest import nearest

Preset = Literal["quick", "standard", "full"]
Format = Literal["html", "pdf", "json"]
MAX_SAMPLES = {"quick": 500, "standard": 2000, "full": 20_000}
_PATHS = ("model", "images", "data", "labels", "classes", "history", "train", "out")
_MAX_TOML_BYTES = 2**20
_OPTIONS_STAND = (
    "Each analysis has a table of its own, for example "
    "options={'predictions': {'min_accuracy': 0.9}}."
)
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
    fail_on: Literal["never", "fail", "warn"] = "never"
    formats: tuple[Format, ...] = ("html", "pdf", "json")
    formats_named: bool = False
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

    @field_validator("only", "skip", "formats", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("input_size", mode="before")
    @classmethod
    def _read_size(cls, value: Any) -> Any:
        if isinstance(value, str):
            match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", value)
            if not match:
                raise ValueError("must look like 224x224 (height x width)")
            return int(match[1]), int(match[2])
        if value is not None and not (isinstance(value, tuple | list) and len(value) == 2):
            raise ValueError("must look like 224x224 (height x width)")
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
    def sample_limit(self) -> int:
        """How many samples to draw: as asked, else by the preset."""
        return self.max_samples or MAX_SAMPLES[self.preset]


def load_config(target: Path, given: dict[str, Any], analyses: tuple[str, ...]) -> AuditConfig:
    """The configuration for TARGET: a model file, or a folder with an ``audit.toml``.

    Args:
        given: values from the command line or the Python call; they win over the file's.
        analyses: ids of the battery; each may have a table of options.

    Raises:
        ConfigurationError: unknown key, wrong type, value out of range, TOML syntax.
        InputError: TARGET does not exist.
    """
    file = target / "audit.toml"
    if target.is_dir() and file.is_file():
        values, text = read_toml(file, analyses), file.read_text("utf-8")
    else:
        if not target.exists():
            raise InputError(f"{target} does not exist. Give a model file or a folder.")
        values, text = {"model": target}, ""
    build_config(values, file, text)  # on its own first: its line is named, and no other's fault
    options = values.pop("options", {})
    for analysis, table in dict(given.get("options") or {}).items():
        if not isinstance(table, dict):
            raise ConfigurationError(f"options: {analysis} needs a dictionary, got {table!r}.")
        options[analysis] = {**options.get(analysis, {}), **table}
    return build_config({**values, **given, "options": options})


def read_toml(file: Path, analyses: tuple[str, ...]) -> dict[str, Any]:
    """Values of ``[audit]`` and of the analyses' tables. Paths are relative to the file."""
    try:
        if file.stat().st_size > _MAX_TOML_BYTES:
            raise ConfigurationError(f"{file} is larger than {_MAX_TOML_BYTES} bytes.")
        tables = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{file} is not valid TOML: {error}.") from None
    text, known = file.read_text("utf-8"), ("audit", *analyses)
    for name, table in tables.items():
        if name not in known or not isinstance(table, dict):
            what = f"{name!r} is not a table" if name in known else f"unknown key {name!r}"
            guess = nearest(name, known) if name not in known else ""
            raise ConfigurationError(
                f"{file}{_line_of(text, name, None)}: {what}. {guess + ' ' if guess else ''}"
                f"Expected the tables {', '.join(known)}."
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
    for name, table in tables.items():
        _check_options(name, table, file, text)
    for key in _PATHS:
        if isinstance(values.get(key), str):
            values[key] = file.parent / values[key]
    network = values.get("architecture")
    if isinstance(network, str) and network.endswith(".json"):
        values["architecture"] = str(file.parent / network)
    return {**values, "options": tables}


def _check_options(name: str, table: dict[str, Any], file: Path, text: str) -> None:
    from reportgen.analyses import find_analysis

    options = find_analysis(name).options
    try:
        options(**table)
    except ValidationError as error:
        raise ConfigurationError(explain(error, f"{name}.", options, file, text)) from None


def build_config(values: dict[str, Any], file: Path | None = None, text: str = "") -> AuditConfig:
    """Validate ``values``.

    Raises:
        ConfigurationError: names the key, its line in ``text`` if it is there, and what was
            expected.
    """
    try:
        return AuditConfig(**values)
    except ValidationError as error:
        raise ConfigurationError(explain(error, "", AuditConfig, file, text)) from None


def _public(model: type[BaseModel]) -> list[str]:
    """Settings that a user may write."""
    return [name for name in model.model_fields if name not in ("formats_named", "options")]


def explain(
    error: ValidationError, prefix: str, model: type[BaseModel], file: Path | None, text: str
) -> str:
    """One sentence for the first problem in a validation error."""
    first = error.errors()[0]
    key = str(first["loc"][0]) if first["loc"] else ""
    line = _line_of(text, key, prefix.rstrip(".") or "audit")
    where = f"{file}{line}: " if file and line else ""
    if first["type"] == "extra_forbidden":
        return where + describe_unknown(prefix + key, _public(model))
    said = describe_setting([one for one in error.errors() if one["loc"][:1] == (key,)])
    if key == "options":
        inner = ".".join(map(str, first["loc"]))
        return f"{where}{inner}: {said} {_OPTIONS_STAND}"
    return f"{where}{prefix}{key}: {said}"


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
