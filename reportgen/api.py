"""What Python users call. Whoever imports it has a `Report` that can write itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reportgen.battery import choose_battery
from reportgen.config import AuditConfig, build_config, load_config
from reportgen.errors import UsageError
from reportgen.formats import formats_of
from reportgen.report.report import Report
from reportgen.subject.user_code import name_objects


def audit(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    out: str | Path | None = None,
    **settings: Any,
) -> Report:
    """Audit a trained model and return the report.

    Args:
        model: path of a model file or of a folder with an ``audit.toml`` (then the work is
            done in a process of its own), or a live Keras model (then in this process).
        x: samples ``(n, ...)`` as arrays, before scaling; only with a live model.
        y: labels ``(n,)``: class positions, names, or numbers for regression.
        out: write the report into this folder too; None writes nothing.
        **settings: the options of ``reportgen audit`` with underscores, for example
            ``images="photos/"``, ``classes=["cat", "dog"]`` (a path or names),
            ``preprocessing="unit"``, ``preset="quick"``, ``seed=1``; and ``options=
            {"predictions": {"min_accuracy": 0.9}}`` for one analysis. ``custom_objects`` takes
            classes and functions by name, as Keras does, or ``["module:name"]``. ``train``: the
            training samples, for the landscape; with a live model a pair of arrays ``(x, y)``.

    Raises:
        ReportgenError: one of its subclasses, with the cause and the next step.
    """
    from reportgen.output import claim, write_report
    from reportgen.pipeline import run_audit

    settings["custom_objects"] = name_objects(settings.get("custom_objects"))
    config, live = _read_call(model, x, y, dict(settings))
    choose_battery(config)  # a wrong name is told before anything is opened or written
    formats_of(config)
    if out is None:
        return run_audit(config, live=live)[0]
    config = config.model_copy(update={"out": Path(out)})
    with claim(config.out):
        report, timing = run_audit(config, live=live)
        write_report(report, config, timing)
    return report


def _read_call(model: Any, x: Any, y: Any, settings: dict[str, Any]) -> tuple[AuditConfig, Any]:
    if isinstance(model, str | Path):
        if x is not None or y is not None:
            raise UsageError(
                "audit: arrays go with a live model. For a model file give data='file.npz' "
                "or images='folder'."
            )
        return load_config(Path(model), settings), None
    from reportgen.subject.live import with_inputs
    from reportgen.subject.subject import LiveInput

    if not callable(getattr(model, "predict", None)):
        raise UsageError(f"audit: a path or a Keras model is needed, got {type(model).__name__}.")
    if x is None:
        raise UsageError("audit: a live model needs samples: audit(model, x, y).")
    train = settings.pop("train", None)
    if train is not None and (not isinstance(train, tuple) or len(train) != 2):
        raise UsageError("audit: train needs a pair of arrays: train=(x_train, y_train).")
    return build_config(settings), LiveInput(with_inputs(model, x), x, y, train)


def render(folder: str | Path) -> Report:
    """Read an output folder back, without TensorFlow; the report can draw and save itself."""
    return Report.load(folder)
