"""What the user asked for, validated: command line over audit.toml over the preset."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_serializer,
    field_validator,
)

from reportgen.audit_toml import PATHS, TomlFile, read_toml
from reportgen.errors import ConfigurationError, InputError
from reportgen.invalid import describe_setting, describe_unknown
from reportgen.memory import default_memory_limit
from reportgen.report.levels import Gate

Preset = Literal["quick", "standard", "full"]
Resize = Literal["stretch", "crop", "pad"]
# Rules of shrinking and enlarging: by `tf.image.resize`, as image_dataset_from_directory of Keras
# names them; and by Pillow, as load_img does. Of one name they differ, also of nearest.
Interpolation = Literal[
    "nearest",
    "bilinear",
    "bicubic",
    "area",
    "lanczos3",
    "lanczos5",
    "gaussian",
    "mitchellcubic",
    "pillow-nearest",
    "pillow-bilinear",
    "pillow-bicubic",
    "pillow-lanczos",
    "pillow-box",
    "pillow-hamming",
]
PILLOW = "pillow-"
_OF_KERAS, _OF_PILLOW = (
    ", ".join(name for name in get_args(Interpolation) if name.startswith(PILLOW) == is_pillow)
    for is_pillow in (False, True)
)
# Names of input scalings, and what each does to a pixel from 0 to 255.
USUAL_PREPROCESSING = {
    "none": "pixels as they are",
    "unit": "x / 255",
    "symmetric": "x / 127.5 - 1",
    "imagenet-caffe": "RGB to BGR, minus the ImageNet means",
    "imagenet-torch": "x / 255, ImageNet mean and deviation",
    "standardize": "each sample to mean 0 and deviation 1",
}
# What trainings do by mistake, so that a model of such a training can be fed as it was trained.
PREPROCESSING = {
    **USUAL_PREPROCESSING,
    "none-bgr": "pixels as they are, BGR",
    "unit-bgr": "x / 255, BGR",
    "symmetric-bgr": "x / 127.5 - 1, BGR",
    "imagenet-caffe-rgb": "minus the ImageNet means, RGB",
    "imagenet-torch-bgr": "x / 255, ImageNet mean and deviation, BGR",
    "standardize-bgr": "each sample to mean 0 and deviation 1, BGR",
    "unit-twice": "x / 255 / 255",
    "symmetric-twice": "(x / 127.5 - 1) / 127.5 - 1",
}
MAX_SAMPLES: dict[Preset, int] = {"quick": 500, "standard": 2000, "full": 20_000}
_OPTIONS_STAND = (
    "Each analysis has a table of its own, for example "
    "options={'predictions': {'min_accuracy': 0.9}}."
)


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
            "An .npz file with samples x and, for labels, y. It takes the place of `images` and "
            "`labels`, and is refused beside them."
        ),
    )
    labels: Path | None = Field(
        default=None,
        description=(
            "A table of files and labels: cells between commas, semicolons, tabs or |, with or "
            "without a header. Files are relative to `images`, or else to the table's folder."
        ),
    )
    label_column: tuple[str, ...] = Field(
        default=(),
        description=(
            "Which column of `labels` holds the labels, by its name in the header (without one: "
            "column 2). Several are several targets a sample, in the order of the outputs. Empty: "
            "it is found, or asked for."
        ),
    )
    classes: Path | tuple[str, ...] | None = Field(
        default=None,
        description=(
            "Class names in the order of the model's outputs: a file with one a line, a JSON file "
            "as Keras writes it (a list, name to position, position to name); or the names."
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
            f"Input scaling: one of {', '.join(USUAL_PREPROCESSING)}, or module:function; with "
            "-bgr behind it (-rgb behind imagenet-caffe) channels the other way round; unit-twice, "
            "symmetric-twice. Unset: guessed, and the report says what was assumed."
        ),
    )
    resize: Resize = Field(
        default="stretch",
        description=(
            "How images of another size are fitted: stretch ignores proportions, crop cuts off "
            "what is over, pad puts them on black and shrinks only what does not fit."
        ),
    )
    interpolation: Interpolation = Field(
        default="bilinear",
        description=(
            f"Rule of resizing images, as in training: {_OF_KERAS} (as "
            f"image_dataset_from_directory, not smoothed), or {_OF_PILLOW} (as load_img, "
            "smoothed)."
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
        le=2**40,
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
    fail_on: Gate = Field(
        default="never",
        description=(
            "Exit with code 1 at a finding of this level or worse: fail, or warn (warn and fail). "
            "With never, findings do not change the exit code. Only the command line heeds it."
        ),
    )
    formats: tuple[str, ...] = Field(
        default=(),
        description=(
            "Formats to write, by name. Empty: those that an audit makes without being asked. "
            "report.json is always written, since the others are made from it."
        ),
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

    _file: TomlFile | None = PrivateAttr(default=None)

    @field_validator("only", "skip", "formats", "label_column", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("classes", mode="before")
    @classmethod
    def _read_list_of_classes(cls, value: Any) -> Any:
        # As typed: ant,bee,cat. A file may have a comma in its name, too.
        if isinstance(value, str) and "," in value and not os.path.lexists(value):
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

    @field_serializer(*PATHS, when_used="json")
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
        ConfigurationError: unknown key, wrong type, value out of range, TOML syntax, a column of
            no table.
        InputError: TARGET does not exist.
    """
    path = target / "audit.toml"
    if not (os.path.isdir(target) and os.path.lexists(path)):
        if not os.path.exists(target):
            raise InputError(f"{target} does not exist. Give a model file or a folder.")
        config = build_config({"model": target, **given})
        _check_samples(config)
        return config
    file = read_toml(path, given)
    # On its own first: its line is named, and no other's fault.
    _check_limits(build_config(file.audit, file), file, given)
    options = dict(file.options)
    for analysis, table in dict(given.get("options") or {}).items():
        if not isinstance(table, dict):
            raise ConfigurationError(f"options: {analysis} needs a dictionary, got {table!r}.")
        options[analysis] = {**options.get(analysis, {}), **table}
    config = build_config({**_without_rivals(file.audit, given), **given, "options": options})
    config._file = file.without(given)
    _check_samples(config)
    return config


def _check_limits(config: AuditConfig, file: TomlFile, given: dict[str, Any]) -> None:
    """A limit protects whoever audits: a file may lower it, and only a person may raise it.

    Raises:
        ConfigurationError: the file raises one; says what to type.
    """
    usual: dict[str, float] = {
        "time_limit": AuditConfig.model_fields["time_limit"].default,
        "max_size": AuditConfig.model_fields["max_size"].default,
        "max_samples": max(MAX_SAMPLES.values()),
        "memory_limit": default_memory_limit() / 2**30,
    }
    for key, most in usual.items():
        asked = getattr(config, key) if key in file.audit and key not in given else None
        if asked is not None and asked > most:
            raise ConfigurationError(
                f"{file.where('audit', key)}{key} = {asked:g} raises a limit ({most:.4g}), which "
                "is not taken from a file. If you mean it, type "
                f"--{key.replace('_', '-')} {asked:g}"
            )


def _without_rivals(audit: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What stands in the file, less the samples that the ones that were typed take the place of."""
    rivals = {
        "data": ("images", "labels", "label_column"),
        "images": ("data",),
        "labels": ("data",),
    }
    gone = {other for key in given if key in rivals for other in rivals[key]} - set(given)
    return {key: value for key, value in audit.items() if key not in gone}


def _check_samples(config: AuditConfig) -> None:
    """Samples come from one place, and columns are those of a table.

    Raises:
        ConfigurationError: arrays beside image files, or a column without a table.
    """
    if config.data and (config.images or config.labels):
        other = "images" if config.images else "labels"
        where = config.file.where("audit", "data") if config.file else ""
        raise ConfigurationError(
            f"{where}data: samples are given twice, as arrays with --data and as files with "
            f"--{other}. Leave one of them out."
        )
    if config.label_column and not config.labels:
        where = config.file.where("audit", "label_column") if config.file else ""
        raise ConfigurationError(
            f"{where}label_column: names a column of a table, and there is none. Give the table "
            "with --labels TABLE.csv, or leave --label-column out."
        )


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
        return where + describe_unknown(prefix + key, _public(model))
    said = describe_setting([one for one in error.errors() if one["loc"][:1] == (key,)])
    if key == "options":
        inner = ".".join(map(str, first["loc"]))
        return f"{where}{inner}: {said} {_OPTIONS_STAND}"
    return f"{where}{prefix}{key}: {said}"
