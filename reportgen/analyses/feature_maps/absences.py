"""What this section shows for other models, and why it does not for this one."""

from __future__ import annotations

from reportgen.analyses.feature_maps.compute import FeatureMapsResult
from reportgen.report.blocks import Block, Text


def say_absences(result: FeatureMapsResult) -> list[Block]:
    """One block with a sentence for each thing left out; none where all is shown."""
    said = [part for part in (_excitation(result), _maps(result), _embedding(result)) if part]
    if not said:
        return []
    return [
        Text(
            id="feature_maps-absent",
            title="What is not drawn for this model",
            caption=said[0],
            paragraphs=tuple(said[1:]),
        )
    ]


def _excitation(result: FeatureMapsResult) -> str:
    if result.excitation or not result.options.unit_layers:
        return ""
    shape = " × ".join(map(str, result.sample_shape))
    if len(result.sample_shape) in (2, 3):
        return "What excites a unit is not drawn: no hidden layer has units that respond."
    why = (
        "no positions that a patch could be cut at"
        if len(result.sample_shape) == 1
        else "more positions than a flat picture can show"
    )
    return (
        f"What excites a unit is drawn for pictures and sequences. A sample of {shape} numbers "
        f"has {why}. The table of units says what each layer does."
    )


def _maps(result: FeatureMapsResult) -> str:
    if len(result.sample_shape) < 4:
        return ""
    return (
        "Maps with three axes of positions are not drawn. The table of units and the comparison "
        "of the layers count them."
    )


def _embedding(result: FeatureMapsResult) -> str:
    if result.embedding is not None or not result.options.embedded:
        return ""
    return (
        "Samples are not laid out by the features of the last layers: that takes 20 samples, and "
        "3 finite features that vary over them."
    )
