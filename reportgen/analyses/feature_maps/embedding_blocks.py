"""The embedding as points, a series a class, mistakes ringed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reportgen import text
from reportgen.analyses.feature_maps.embedding import Embedding
from reportgen.report.blocks import Block, Lines, Series

_MOST_CLASSES = 12


def draw_embedding(embedding: Embedding | None, classes: tuple[str, ...]) -> list[Block]:
    """One figure; nothing without an embedding."""
    if embedding is None:
        return []
    known = embedding.classes
    named = np.argsort(-np.bincount(known[known >= 0], minlength=len(classes)), kind="stable")
    named = np.sort(named[:_MOST_CLASSES]) if classes else np.empty(0, np.int64)
    series = [_series(classes[i], embedding, known == i) for i in named if (known == i).any()]
    others = (known >= 0) & ~np.isin(known, named)
    if others.any():
        series.append(_series("other classes", embedding, others))
    if (known < 0).any():
        series.append(_series("not labelled" if series else "samples", embedding, known < 0))
    if embedding.wrong.any():
        series.append(_series("mistakes", embedding, embedding.wrong, rings=True))
    return [
        Lines(
            id="feature_maps-embedding",
            title="What the last layers tell apart",
            caption=_caption(embedding),
            alt=f"{len(known)} samples as points in two dimensions, near where features agree.",
            series=tuple(series),
            x_label="first direction (no unit)",
            y_label="second direction (no unit)",
        )
    ]


def _series(
    name: str, embedding: Embedding, rows: NDArray[np.bool_], *, rings: bool = False
) -> Series:
    points = embedding.points[rows]
    return Series(
        name=name,
        x=tuple(points[:, 0].tolist()),
        y=tuple(points[:, 1].tolist()),
        style="rings" if rings else "points",
    )


def _caption(embedding: Embedding) -> str:
    marked = ""
    if (embedding.classes >= 0).any():
        wrong = int(embedding.wrong.sum())
        marked = (
            f" Mistakes are ringed ({wrong}). A ring inside a foreign group: the model takes it "
            "for that class, or its label is wrong. A ring between groups: a close call."
            if wrong
            else " None of them is a mistake."
        )
    return (
        f"{len(embedding.points)} samples, by the {embedding.features} features of "
        f"{embedding.address}, laid out so that near ones stay near (t-SNE). "
        f"Trust in neighbours: {text.percent(embedding.trust)}. Distances between groups and their "
        f"sizes mean nothing.{marked}"
    )
