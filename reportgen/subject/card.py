"""The subject in words and numbers."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import keras
import numpy as np

from reportgen.report.cards import SubjectCard
from reportgen.subject.model_file import format_name
from reportgen.subject.outputs import list_outputs
from reportgen.subject.resizing import describe_resizing

if TYPE_CHECKING:
    from reportgen.subject.audited_model import AuditedModel
    from reportgen.subject.samples import SampleSet


def describe(subject: AuditedModel) -> SubjectCard:
    """Everything about ``subject`` that needs no analysis."""
    file, samples, calls = subject.file, subject.samples, subject.probe.calls
    path = os.fsencode(file.path.name) if file else b""
    file_name = path.decode("utf-8", "backslashreplace")
    return SubjectCard(
        name=subject.config.name or file_name or f"{subject.model.name} (in memory)",
        file_name=file_name,
        file_format=format_name(file.kind) if file else "a live Keras model",
        sha256=file.sha256 if file else None,
        size_bytes=file.size_bytes if file else None,
        keras_version=file.keras_version if file else keras.__version__,
        task=subject.reading.task,
        task_reason=subject.reading.reason,
        input_shape=subject.input.shape,
        input_kind=subject.input.kind,
        outputs=tuple(f"{o.name} {o.shape[1:]}" for o in list_outputs(subject.probe)),
        parameters=int(sum(np.prod(w.shape) for w in subject.model.weights)),
        layers=len({id(call.layer) for call in calls}),
        conv_layers=len({id(call.layer) for call in calls if "Conv" in call.class_name}),
        classes=subject.labels.classes,
        class_order=subject.labels.order,
        samples=len(samples),
        samples_found=samples.found,
        labelled=subject.labels.values is not None,
        split=subject.config.split or "not declared",
        preprocessing=subject.scaling.words + (", assumed" if subject.scaling.assumed else ""),
        other_ways=subject.other_ways,
        assumed=tuple(filter(None, (subject.scaling.assumed,))),
        resize=subject.config.resize if samples.sizes.size else "none",
        resizing=_describe_resizing(subject),
        notes=subject.notes,
        skipped=samples.skipped,
        history_steps=len(subject.history.steps) if subject.history else 0,
        samples_sha256=_hash_samples(samples) if len(samples) else "",
        unsafe=tuple(str(hazard) for hazard in file.hazards) if file else (),
        repairs=tuple(str(repair) for repair in file.repairs) if file else (),
    )


def _describe_resizing(subject: AuditedModel) -> str:
    config, sizes = subject.config, subject.samples.sizes
    if not sizes.size:
        return ""
    height, width, _ = subject.input.pixels
    return describe_resizing(sizes, (height, width), config.resize, config.interpolation)


def _hash_samples(samples: SampleSet) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(samples), 256):
        digest.update(np.ascontiguousarray(samples.pixels[start : start + 256]).tobytes())
    return digest.hexdigest()
