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

Preset = Literal["quick", "standard", "full"]
Format = Literal["html", "pdf", "json"]
MAX_SAMPLES = {"quick": 500, "standard": 2000, "full": 20_000}
_PATHS = ("model", "images", "data", "labels", "classes", "history", "train", "out")
_MAX_TOML_BYTES = 2**20
# They decide what code runs. A folder that somebody else made must not decide that.
_COMMAND_LINE_ONLY = ("allow_unsafe", "custom_objects")


class AuditConfig(BaseModel):
    """Hold the settings of one audit, named like the options of ``reportgen audit``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    model: Path | None = Field(
        default=None,
        description=(
            "Model file or SavedModel folder to audit. On the command line it is the target itself."
        ),
    )
    name: str | None = Field(
        default=None,
        max_length=200,
        description="What the report calls the model. Unset: the name of the file or live model.",
    )
    images: Path | None = Field(
        default=None,
        description=(
            "Folder of images: a folder for each class, or plain images without labels. With "
            "`labels`, the folder that its files are relative to."
        ),
    )
    data: Path | None = Field(
        default=None,
        description=(
            "An .npz file with samples x and, for labels, y. It is used instead of `images` and "
            "`labels`."
        ),
    )
    labels: Path | None = Field(
        default=None,
        description=(
            "A CSV table of file,label. Files are relative to `images`, or else to the table's "
            "folder."
        ),
    )
    classes: Path | tuple[str, ...] | None = Field(
        default=None,
        description=(
            "Class names in the order of the model's outputs: a file with one a line, or a list "
            "of names."
        ),
    )
    history: Path | None = Field(
        default=None,
        description="Folder of weights recorded in training by WeightRecorder, or of checkpoints.",
    )
    train: Path | None = Field(
        default=None,
        description=(
            "Training samples with labels (.npz file or folder of class folders), for the loss "
            "landscape. With a live model a pair of arrays."
        ),
    )
    loss: str | None = Field(
        default=None,
        max_length=100,
        description=(
            "Loss of the loss landscape, by its name in Keras, such as mean_squared_error. Unset: "
            "the one that the model was compiled with, or else one that fits its output."
        ),
    )
    split: Literal["train", "validation", "test"] | None = Field(
        default=None,
        description=(
            "Which data the samples are: train, validation or test. Unset: the report says that "
            "it was not declared. On train, `landscape.not_a_minimum` may warn."
        ),
    )
    preprocessing: str | None = Field(
        default=None,
        description=(
            "Input scaling: none, unit (x / 255), symmetric (x / 127.5 - 1), imagenet-caffe, "
            "imagenet-torch, standardize (each sample to mean 0 and deviation 1), or "
            "module:function. Unset: it is guessed, and the report says what was assumed."
        ),
    )
    resize: Literal["stretch", "crop", "pad"] = Field(
        default="stretch",
        description=(
            "How images of another size are fitted: stretch ignores proportions, crop cuts off "
            "what is over, pad puts them on black and shrinks only what does not fit."
        ),
    )
    background: Literal["white", "black"] = Field(
        default="white",
        description="Colour behind the transparent parts of image files.",
    )
    input_size: tuple[int, int] | None = Field(
        default=None,
        description=(
            "Height and width in pixels (HxW, such as 224x224), for models that take images of any "
            "size; each from 1 to 8192."
        ),
    )
    output: str | None = Field(
        default=None,
        description=(
            "Which of several outputs to audit, by name or by position from 0. Unset: the first."
        ),
    )
    max_samples: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Draw at most so many samples, balanced by class; of training samples as well. Unset: "
            "500 in the preset quick, 2000 in standard, 20,000 in full."
        ),
    )
    out: Path = Field(
        default=Path("report"),
        description="Folder of the report. A report that is there is replaced.",
    )
    preset: Preset = Field(
        default="standard",
        description=(
            "How much is computed and shown, and on how many samples: quick is the least, full "
            "shows nearly everything and may take hours."
        ),
    )
    only: tuple[str, ...] = Field(
        default=(),
        description="Run only these analyses, by id. Empty: all.",
    )
    skip: tuple[str, ...] = Field(
        default=(),
        description="Leave these analyses out, by id, also of those in `only`.",
    )
    fail_on: Literal["never", "fail", "warn"] = Field(
        default="never",
        description=(
            "Exit with code 1 at a finding of this level or worse: fail, or warn (warn and fail). "
            "With never, findings do not change the exit code. Only the command line heeds it."
        ),
    )
    formats: tuple[Format, ...] = Field(
        default=("html", "pdf", "json"),
        description=(
            "Pages to write, of html and pdf. The data, report.json, is always written; json "
            "alone writes no page."
        ),
    )
    formats_named: bool = Field(
        default=False,
        description=(
            "Internal: whether you named the formats. Then a PDF that cannot be made counts as "
            "missing, with exit code 5."
        ),
        json_schema_extra={"internal": True},
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="Seed of every random draw. The same seed draws the same samples again.",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto",
        description=(
            "Where to compute: auto and gpu use a GPU if TensorFlow finds one, cpu hides it. A "
            "live model stays where it is."
        ),
    )
    max_size: float = Field(
        default=5.0,
        gt=0.2,
        allow_inf_nan=False,
        description=(
            "Size of report.html in MB, at most. Pictures are compressed, made smaller or left "
            "out until it fits; the text alone may be larger."
        ),
    )
    time_limit: float = Field(
        default=1800.0,
        gt=0,
        allow_inf_nan=False,
        description=(
            "Seconds for each analysis, and for opening the model and the samples; what takes "
            "longer is ended. It does not hold for a live model."
        ),
    )
    quiet: bool = Field(
        default=False,
        description="Print errors only, neither progress nor the verdict.",
    )
    memory_limit: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description=(
            "Memory in GB (2^30 bytes) for opening and computing. Unset: 80 % of what the machine "
            "or its container has. It does not hold for a live model."
        ),
    )
    architecture: str | None = Field(
        default=None,
        max_length=4096,
        description=(
            "The network for a file of weights: FILE.json, module:function, or a "
            "keras.applications name."
        ),
    )
    custom_objects: tuple[str, ...] = Field(
        default=(),
        description="Classes or functions of your own that the model uses, each as module:name.",
    )
    allow_unsafe: bool = Field(
        default=False,
        description=(
            "Open a model file that holds code or reads other files, and let it do so. The report "
            "says so: `model.unsafe_content` fails."
        ),
    )
    sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-fA-F]{64}$",
        description=(
            "Refuse the model file if its SHA-256 hash differs from this, before anything of it "
            "is parsed; 64 hexadecimal digits."
        ),
    )
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="By analysis id, values that override its preset.",
    )

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
            raise ConfigurationError(
                f"{file}{_line_of(text, name, None)}: {what}. "
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
