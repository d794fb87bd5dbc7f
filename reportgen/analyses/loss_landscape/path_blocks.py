"""The training path as blocks."""

from __future__ import annotations

import numpy as np

from reportgen.analyses.loss_landscape.plane_blocks import Painter
from reportgen.analyses.loss_landscape.results import LandscapeResult, Training
from reportgen.analyses.loss_landscape.wording import plane_name, share
from reportgen.report.blocks import Block, KeyValues, Lines, PlanePath, Series, Table, as_finite


def path_blocks(result: LandscapeResult, painter: Painter) -> list[Block]:
    """The plane with the path, what it holds, every record, and the straight way."""
    training = result.training
    if training is None:
        return []
    return [
        _plane(training, painter),
        _fidelity(result, training),
        _records(result, training),
        _line(result, training),
    ]


def _plane(training: Training, painter: Painter) -> Block:
    shares = [share(float(part)) for part in np.pad(training.shares, (0, 2))[:2]]
    path = PlanePath(
        name="records of the training",
        x=tuple(training.coordinates[:, 0].tolist()),
        y=tuple(training.coordinates[:, 1].tolist()),
        labels=training.labels,
    )
    return painter.loss(
        training.plane,
        "The way of training through its own plane",
        "The plane through the model that holds most of the path, and every record projected into "
        "it. A projected point is not a visited point: beside the plane the loss may be another. "
        "The table below has both. Records after the first few often lie in a valley that gets "
        "flatter.",
        (
            f"first direction ({shares[0]} of the path)",
            f"second direction ({shares[1]})",
        ),
        path,
    )


def _fidelity(result: LandscapeResult, training: Training) -> KeyValues:
    far = int(np.argmax(training.distances))
    gaps = np.abs(training.losses - training.shown)
    rows = [
        (
            "Share of the path that the plane holds",
            f"{share(training.held)} (of the squared distances to the model)",
        ),
        ("Share by direction, the plane's two first", _join(training.shares)),
        (f"The same of a random walk of {len(training.labels)} records", _join(training.null)),
        (
            "Record farthest from the plane",
            f"epoch {training.labels[far]}: {training.distances[far]:.3g}, and "
            f"{training.lengths[far]:.3g} from the model",
        ),
    ]
    if np.isfinite(gaps).any():
        worst = int(np.nanargmax(gaps))
        rows.append(
            (
                "Largest gap between a record's loss and the plane's",
                f"epoch {training.labels[worst]}: {training.losses[worst]:.4g} recorded, "
                f"{training.shown[worst]:.4g} in the plane",
            )
        )
    rows += [
        (f"Share of the path that the {plane_name(id_)} holds", share(value))
        for id_, value in result.held.items()
        if id_ != "path"
    ]
    return KeyValues(
        id="landscape-fidelity",
        title="How much of the path this plane holds",
        caption=(
            "The principal plane of any path looks meaningful, also that of a random walk, of "
            "which it holds about nine tenths: compare the two rows of shares."
        ),
        rows=tuple(rows),
    )


def _join(shares: object) -> str:
    values = np.asarray(shares, float)[:3]
    return " / ".join(f"{100 * v:.1f}" for v in values) + " %"


def _records(result: LandscapeResult, training: Training) -> Table:
    counted = result.facts.accuracy is not None
    header = [
        "Epoch",
        "Distance to the model",
        "To the plane",
        "Loss",
        "Loss in the plane",
        "Difference",
        "± standard error",
    ]
    rows = []
    for i, label in enumerate(training.labels):
        row = [
            label,
            float(training.lengths[i]),
            float(training.distances[i]),
            *as_finite([training.losses[i], training.shown[i]]),
            *as_finite([training.losses[i] - training.shown[i], training.errors[i]]),
        ]
        if counted:
            row += as_finite([100 * training.right[i]])
        rows.append(tuple(row))
    return Table(
        id="landscape-records",
        title="Every record of the training",
        caption=(
            "Loss: of the record as it was, with its own moving statistics, on the same samples as "
            "the plane. Loss in the plane: where the record is projected to. Where the two differ "
            "by more than two standard errors, the contours around that point are not what "
            "training saw."
        ),
        header=(*header, *(("Right %",) if counted else ())),
        rows=tuple(rows),
    )


def _line(result: LandscapeResult, training: Training) -> Lines:
    places, losses, errors, _ = training.line
    start = "initial weights" if training.from_start else "first record"
    return Lines(
        id="landscape-line",
        title=f"Straight from the model to the {start}",
        caption=(
            f"0 is the model, 1 the {start}; the band is two standard errors of the difference to "
            "the model. A curve without a hill: nothing had to be climbed over. A lower place "
            "beyond 0: the last steps still had a way to go on these samples."
        ),
        alt=f"Loss along the line from the model to the {start}.",
        series=(
            Series(
                name="loss",
                x=tuple(places.tolist()),
                y=as_finite(losses),
                low=as_finite(losses - 2 * errors),
                high=as_finite(losses + 2 * errors),
            ),
            Series(
                name="this model",
                x=(0.0, 0.0),
                y=(float(np.nanmin(losses)), float(np.nanmax(losses))),
                style="reference",
            ),
        ),
        x_label=f"share of the way to the {start}",
        y_label=result.facts.loss_name,
    )
