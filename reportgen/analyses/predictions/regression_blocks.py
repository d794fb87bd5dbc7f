"""A regression as blocks."""

from __future__ import annotations

import numpy as np

from reportgen.analyses.predictions.regression import Regression
from reportgen.report.blocks import Block, Lines, Series, Table, as_finite


def present(fit: Regression, samples: int) -> list[Block]:
    """Scores by target; the fitted curve, or predicted against actual; residuals."""
    blocks: list[Block] = [_scores(fit, samples)]
    first = _curve(fit) if fit.x is not None else _against(fit)
    return [*blocks, first, _residuals(fit)]


def _scores(fit: Regression, samples: int) -> Table:
    return Table(
        id="predictions-scores",
        title="Errors",
        caption=(
            f"Over {samples:,} samples. MAE: mean absolute error. RMSE: root of the mean squared "
            "error. R2: share of the targets' variance that is explained; 0 is as good as always "
            "answering their mean."
        ),
        header=("Target", "MAE", "RMSE", "R2", "R2 from", "R2 to", "Targets' deviation"),
        rows=tuple(
            (
                f"output {i}",
                float(fit.mae[i]),
                float(fit.rmse[i]),
                float(fit.r2[i]),
                float(fit.r2_interval[i, 0]),
                float(fit.r2_interval[i, 1]),
                float(fit.spread[i]),
            )
            for i in range(len(fit.mae))
        ),
    )


def _curve(fit: Regression) -> Lines:
    assert fit.x is not None
    return Lines(
        id="predictions-fit",
        title="Fitted curve",
        caption="The model's function over the range of its input, and the samples around it.",
        alt="The fitted curve through the scattered samples.",
        series=(
            Series(
                name="samples",
                x=tuple(fit.x.tolist()),
                y=as_finite(fit.actual[:, 0]),
                style="points",
            ),
            Series(name="model", x=tuple(fit.curve_x.tolist()), y=as_finite(fit.curve_y)),
        ),
        x_label="input",
        y_label="output",
    )


def _against(fit: Regression) -> Lines:
    low = float(min(fit.actual.min(), fit.predicted.min()))
    high = float(max(fit.actual.max(), fit.predicted.max()))
    return Lines(
        id="predictions-fit",
        title="Predicted against actual",
        caption="On the diagonal a prediction is exact. A bow means a missing effect.",
        alt="Scatter of predicted against actual values with the diagonal.",
        series=(
            Series(name="exact", x=(low, high), y=(low, high), style="reference"),
            *(
                Series(
                    name=f"output {i}",
                    x=tuple(fit.actual[:, i].tolist()),
                    y=as_finite(fit.predicted[:, i]),
                    style="points",
                )
                for i in range(min(4, fit.actual.shape[1]))
            ),
        ),
        x_label="actual",
        y_label="predicted",
        square=True,
    )


def _residuals(fit: Regression) -> Lines:
    residual = fit.actual - fit.predicted
    across = fit.x if fit.x is not None else fit.predicted[:, 0]
    ends = (float(np.min(across)), float(np.max(across)))
    return Lines(
        id="predictions-residuals",
        title="Residuals",
        caption="Actual less predicted. A pattern along the axis is something the model missed.",
        alt="Scatter of residuals around zero.",
        series=(
            Series(name="zero", x=ends, y=(0, 0), style="reference"),
            Series(
                name="residual",
                x=tuple(across.tolist()),
                y=as_finite(residual[:, 0]),
                style="points",
            ),
        ),
        x_label="input" if fit.x is not None else "predicted",
        y_label="residual",
    )
