"""Names and values that the page lists: the subject, the run, the options."""

from __future__ import annotations

import json
from typing import Any

from reportgen import text
from reportgen.report.cards import Environment, SubjectCard
from reportgen.report.report import Report

_TASKS = {
    "softmax": "Classification",
    "logits": "Classification (logits)",
    "binary": "Yes or no (one sigmoid)",
    "binary_logit": "Yes or no (one logit)",
    "independent": "Independent labels",
    "regression": "Regression",
    "other": "Unknown",
}


def headline_figure(report: Report) -> tuple[tuple[str, str], ...]:
    """How right the model is, if that was measured."""
    for finding in report.findings:
        if finding.id == "predictions.accuracy" and finding.value is not None:
            share = finding.unit == "share"
            return (("Accuracy" if share else "R2", text.quantity(finding.value, finding.unit)),)
    return ()


def key_facts(card: SubjectCard) -> tuple[tuple[str, str], ...]:
    """The four to six facts of the front page."""
    samples = text.grouped(card.samples)
    if card.samples_found > card.samples:
        samples += f" of {text.grouped(card.samples_found)}"
    samples = samples if card.samples_found else "none: the model alone"
    facts = [("Task", _TASKS.get(card.task, card.task)), ("Samples", samples)]
    if card.classes:
        facts.append(("Classes", text.grouped(len(card.classes))))
    facts.append(("Parameters", text.grouped(card.parameters)))
    facts.append(("Input", text.shape(card.input_shape)))
    facts.append(("Scaling", card.preprocessing))
    return tuple((key, value) for key, value in facts if value)


def describe_card(card: SubjectCard) -> tuple[tuple[str, str], ...]:
    """The model and its samples."""
    rows = (
        ("Model file", card.file_name or card.name),
        ("Format", card.file_format),
        ("Size", text.file_size(card.size_bytes) if card.size_bytes is not None else ""),
        ("SHA-256 of the file", card.sha256 or ""),
        ("Saved by Keras", card.keras_version or ""),
        ("Task", f"{_TASKS.get(card.task, card.task)}: {card.task_reason}"),
        ("Input", f"{text.shape(card.input_shape)} ({card.input_kind})"),
        ("Outputs", ", ".join(text.name(output) for output in card.outputs)),
        ("Layers", f"{card.layers}, of them {card.conv_layers} convolutional"),
        ("Parameters", text.grouped(card.parameters)),
        ("Classes", _class_list(card)),
        ("Class order", card.class_order),
        ("Samples", _say_samples(card)),
        ("Labels", "yes" if card.labelled else "none"),
        ("Split", card.split),
        ("Input scaling", card.preprocessing),
        ("Resize", card.resizing or card.resize),
        ("SHA-256 of the samples", card.samples_sha256),
        ("Training history", f"{card.history_steps} steps" if card.history_steps else "none"),
        *(("Not safe", reason) for reason in card.unsafe),
        *(("Repaired", repair) for repair in card.repairs),
        *(("Note", note) for note in card.notes),
    )
    return tuple((key, value) for key, value in rows if value)


def _say_samples(card: SubjectCard) -> str:
    if not card.samples_found:
        return "none: the model alone was audited"
    return f"{text.grouped(card.samples)} of {text.grouped(card.samples_found)} found"


def _class_list(card: SubjectCard, most: int = 40) -> str:
    shown = ", ".join(text.name(name, 40) for name in card.classes[:most])
    more = len(card.classes) - most
    return f"{shown} and {more} more" if more > 0 else shown


def describe_run(made: Environment) -> tuple[tuple[str, str], ...]:
    """When, where and with what the audit was made."""
    rows = (
        ("Created", made.created),
        ("reportgen", made.reportgen),
        ("Versions", ", ".join(f"{name} {version}" for name, version in made.versions.items())),
        ("Device", made.device or ""),
        ("Host", made.host or ""),
        ("Seed", str(made.seed)),
        ("Preset", made.preset),
        ("Command", " ".join(made.command)),
        ("Isolation", " ".join(made.isolation)),
    )
    return tuple((key, value) for key, value in rows if value)


def list_options(made: Environment) -> tuple[tuple[str, str], ...]:
    """Every option in force, a line an analysis."""
    return tuple(
        (section, "; ".join(f"{name} = {_option(value)}" for name, value in options.items()))
        for section, options in made.options.items()
    )


def _option(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
