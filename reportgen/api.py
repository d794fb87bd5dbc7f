"""What Python users call. Whoever imports it has a `Report` that can write itself."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from reportgen.battery import choose_battery
from reportgen.config import AuditConfig, Interpolation, Preset, Resize, build_config, load_config
from reportgen.errors import ConfigurationError, LimitError, TimeLimitError, UsageError
from reportgen.formats import formats_of
from reportgen.progress import within
from reportgen.report.levels import Gate
from reportgen.report.report import Report
from reportgen.subject.user_code import find_address, name_objects, name_of
from reportgen.suggest import nearest

if TYPE_CHECKING:
    from reportgen.subject.subject import LiveInput

P = ParamSpec("P")
T = TypeVar("T")

# What says how a file is opened, or where its samples are: a live model is open, and has them.
_OF_FILES = (
    *("images", "data", "labels", "label_column"),
    *("architecture", "sha256", "allow_unsafe"),
)
# What the system can only hold another process to.
_OF_PROCESSES = ("memory_limit", "device")


def _name_unknown(function: Callable[P, T]) -> Callable[P, T]:
    """Answer a misspelled argument with the nearest one, and not with a bare TypeError."""
    known = tuple(inspect.signature(function).parameters)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        for name in kwargs:
            if name not in known:
                guess = nearest(name, known)
                raise ConfigurationError(
                    f"audit has no argument {name!r}. {guess + ' ' if guess else ''}"
                    f"Known: {', '.join(known)}."
                )
        return function(*args, **kwargs)

    return call


@_name_unknown
def audit(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    out: str | Path | None = None,
    name: str | None = None,
    images: str | Path | None = None,
    data: str | Path | None = None,
    labels: str | Path | None = None,
    label_column: str | Sequence[str] | None = None,
    classes: str | Path | Sequence[str] | None = None,
    history: str | Path | None = None,
    train: Any = None,
    loss: str | None = None,
    split: Literal["train", "validation", "test"] | None = None,
    preprocessing: str | Callable[[Any], Any] | None = None,
    resize: Resize | None = None,
    interpolation: Interpolation | None = None,
    background: Literal["white", "black"] | None = None,
    input_size: str | tuple[int, int] | None = None,
    output: str | None = None,
    max_samples: int | None = None,
    preset: Preset | None = None,
    only: str | Sequence[str] | None = None,
    skip: str | Sequence[str] | None = None,
    fail_on: Gate | None = None,
    formats: str | Sequence[str] | None = None,
    seed: int | None = None,
    device: Literal["auto", "cpu", "gpu"] | None = None,
    max_size: float | None = None,
    time_limit: float | None = None,
    memory_limit: float | None = None,
    architecture: str | None = None,
    custom_objects: Mapping[str, Any] | Sequence[str] | str | None = None,
    allow_unsafe: bool = False,
    sha256: str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Report:
    """Audit a trained model and return the report.

    Samples are taken as you have them, before scaling; ``preprocessing`` makes of them what the
    model takes. An argument that is None is not given: then ``audit.toml`` decides, where
    ``model`` is a folder with one, else the preset and the defaults that are named here.

        reportgen.audit(model, x_test, y_test, preprocessing="unit")
        reportgen.audit(model, dataset, preprocessing=keras.applications.vgg16.preprocess_input)
        reportgen.audit("model.keras", images="test/", out="report/")

    Args:
        model: path of a model file or of a folder with an ``audit.toml`` (then the work is done
            in a process of its own), or a live Keras model (then in this process).
        x: samples ``(n, ...)``, only with a live model: arrays, or a ``tf.data.Dataset`` or
            ``keras.utils.PyDataset`` of ``(x, y)``, ``(x, y, sample_weight)`` or ``x``. Of a
            dataset at most 16 times ``max_samples`` are looked at; weights are ignored.
        y: labels ``(n,)``: class positions, names, or numbers for regression; or rows of 0 and 1
            ``(n, classes)``. None without labels, and with a dataset, which brings its own.
        out: write the report into this folder too; None writes nothing.
        name: what the report calls the model. Default: the name of the file or of the model.
        images: folder with a folder of images for each class, or of plain images.
        data: an ``.npz`` file with ``x`` and, for labels, ``y``.
        labels: a table of files and labels, with or without a header; files are relative to
            ``images``, else to it.
        label_column: its column of labels, by name; several are several targets a sample, in the
            order of the outputs. Default: found, or asked for.
        classes: class names in the order of the outputs, or a file: one a line, or JSON as Keras
            writes it.
        history: folder of recorded weights (`WeightRecorder`) or of checkpoints.
        train: training samples, for the landscape: a path as for ``data`` or ``images``; with a
            live model a pair of arrays ``(x, y)`` or a dataset.
        loss: of Keras, by name. Default: the one that the model was compiled with.
        split: which data the samples are.
        preprocessing: how samples become inputs: ``none``, ``unit`` (x / 255), ``symmetric``
            (x / 127.5 - 1), ``imagenet-caffe``, ``imagenet-torch``, ``standardize``,
            one of these with channels the other way round (``unit-bgr``), ``unit-twice``,
            ``module:function``, or a function from an array ``(n, ...)`` to one of the same
            shape, such as ``keras.applications.vgg16.preprocess_input``. It works on a copy. With
            a path it must be a function of a module. Default: assumed, and the report says what.
        resize: how image files of another size are fitted. Default: ``stretch``.
        interpolation: by which rule they are shrunk or enlarged: ``bilinear`` (default) and others
            as in `keras.utils.image_dataset_from_directory`, ``pillow-bilinear`` and others as in
            `keras.utils.load_img`.
        background: behind transparent image files. Default: ``white``.
        input_size: height and width, for models that take any: ``(224, 224)`` or ``"224x224"``.
        output: which of several outputs to audit, by name or place. Default: the first.
        max_samples: draw at most so many, balanced by class. Default: 500, 2000 or 20,000 by
            preset.
        preset: how much is computed and shown: ``quick``, ``standard`` (default) or ``full``.
        only, skip: run only these analyses, or not those: ``"predictions"``, ``"a,b"`` or a list.
        fail_on: of ``reportgen audit``; here it is only written down. See `Report.ok`.
        formats: which files ``out`` gets besides the data: ``"html"``, ``"html,pdf"`` or a list.
        seed: for every draw. Default: 0.
        device: ``cpu`` hides the GPUs from the process. Not with a live model.
        max_size: of the page, in MB. Default: 5.
        time_limit: seconds for each analysis, and for opening. Default: 1800. The process is
            ended there; an analysis of a live model is stopped at its next step, which cannot
            interrupt one long call of the model itself.
        memory_limit: GB for the process that opens and computes. Not with a live model.
        architecture: the network for a file of weights: ``file.json``, ``module:function``, or a
            name of ``keras.applications``.
        custom_objects: your own layers, losses and functions, by name as Keras takes them, or as
            ``"module:name"``.
        allow_unsafe: open a file that holds code. The report says so at its top.
        sha256: refuse the file if its hash differs.
        options: for one analysis each, such as ``{"predictions": {"min_accuracy": 0.9}}``.

    Raises:
        UsageError: arguments that do not go together.
        ConfigurationError: an unknown argument or option, or a value that cannot be used.
        InputError, UnsafeInputError: the model or the samples cannot be read, or must not be.
        OutputError: ``out`` cannot be written.
        LimitError: time or memory ran out before there was anything to report.
    """
    given = {key: value for key, value in locals().items() if key not in ("model", "x", "y", "out")}
    from reportgen.output import claim, write_report
    from reportgen.pipeline import run_audit

    settings = {key: value for key, value in given.items() if value is not None}
    if not allow_unsafe:
        del settings["allow_unsafe"]
    settings["custom_objects"] = name_objects(custom_objects)
    if isinstance(model, str | Path):
        config, live = _read_path(model, x, y, settings), None
    else:
        config, live = _read_live(model, x, y, settings)
    choose_battery(config)  # a wrong name is told before anything is opened or written
    formats_of(config)
    if out is None:
        return run_audit(config, live=live)[0]
    config = config.model_copy(update={"out": Path(out)})
    with claim(config.out):
        report, timing = run_audit(config, live=live)
        written = write_report(report, config, timing)
    for remark in written.remarks:
        warnings.warn(remark, stacklevel=3)  # past the wrapper that names unknown arguments
    return report


def _read_path(model: str | Path, x: Any, y: Any, settings: dict[str, Any]) -> AuditConfig:
    if x is not None or y is not None:
        raise UsageError(
            "audit: arrays and datasets go with a live model. For a model file give "
            "data='file.npz' or images='folder'."
        )
    if callable(settings.get("preprocessing")):
        settings["preprocessing"] = find_address(settings["preprocessing"])
    return load_config(Path(model), settings)


def _read_live(
    model: Any, x: Any, y: Any, settings: dict[str, Any]
) -> tuple[AuditConfig, LiveInput]:
    from reportgen.subject.datasets import Drawn, draw_samples, is_dataset
    from reportgen.subject.live import with_inputs
    from reportgen.subject.subject import LiveInput

    if not callable(getattr(model, "predict", None)):
        raise UsageError(f"audit: a path or a Keras model is needed, got {type(model).__name__}.")
    _refuse(settings)
    if x is None:
        raise UsageError("audit: a live model needs samples: audit(model, x, y).")
    if is_dataset(x) and y is not None:
        raise UsageError(
            "audit: x is a dataset, which brings its own labels. Leave y out, and give a dataset "
            "of (x, y)."
        )
    train, function = settings.pop("train", None), settings.get("preprocessing")
    pair = isinstance(train, tuple) and len(train) == 2
    if train is not None and not pair and not is_dataset(train):
        raise UsageError(
            "audit: train needs a pair of arrays, train=(x_train, y_train), or a dataset."
        )
    if callable(function):
        settings["preprocessing"] = name_of(function)  # written down; the function itself is used
    config = build_config(settings)

    def draw(dataset: Any) -> Drawn:
        try:
            with within(config.time_limit):
                return draw_samples(dataset, model, limit=config.sample_limit, seed=config.seed)
        except TimeLimitError as error:
            raise LimitError(f"The dataset could not be read. {error}") from None

    drawn = draw(x) if is_dataset(x) else None
    notes = drawn.notes if drawn else ()
    if is_dataset(train):
        trained = draw(train)
        train = (trained.x, trained.y)
        notes += tuple(f"Training samples: {note}" for note in trained.notes)
    samples = drawn.x if drawn else x
    live = LiveInput(
        model=with_inputs(model, samples),
        x=samples,
        y=drawn.y if drawn else y,
        train=train,
        places=drawn.rows if drawn else None,
        found=drawn.found if drawn else None,
        notes=notes,
        preprocessing=function if callable(function) else None,
    )
    return config, live


def _refuse(settings: dict[str, Any]) -> None:
    """What a live model cannot be held to is refused, and not ignored.

    Raises:
        UsageError: says why, and what to do.
    """
    for key in _OF_FILES:
        if key in settings:
            raise UsageError(
                f"audit: {key} goes with a model file. A live model is open already and takes its "
                f"samples as arrays or a dataset: audit(model, x, y). Leave {key} out."
            )
    for key in _OF_PROCESSES:
        if key in settings and settings[key] != "auto":
            raise UsageError(
                f"audit: {key} cannot be held for a live model, which is computed in this process. "
                f"Save it, and audit the file: model.save('model.keras'), then "
                f"audit('model.keras', data='samples.npz', {key}={settings[key]!r})."
            )


def render(folder: str | Path) -> Report:
    """Read an output folder back, without TensorFlow; the report can draw and save itself.

    Args:
        folder: what ``audit(..., out=folder)`` or ``reportgen audit --out`` wrote.

    Raises:
        InputError: it holds no report, or one of another version.
    """
    return Report.load(folder)
