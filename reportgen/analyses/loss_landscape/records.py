"""What was drawn and measured as arrays, for whoever computes a number again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.loss_landscape.results import Bends, LandscapeResult
from reportgen.analyses.records import keep_records


def keep_numbers(result: LandscapeResult) -> dict[str, NDArray[Any]]:
    """Which samples, which weights, which directions; every plane; every random draw.

    Of each plane: ``record_<plane>_x``, ``_y``, ``_loss``, ``_accuracy``, ``_penalty``, ``_error``
    and ``_states``, and ``_vectors``, its two directions ``(2, weights)`` through the arrays that
    ``record_moved`` names by their positions in ``model.weights``, one after another.
    """
    found: dict[str, Any] = {
        "samples": result.rows,
        "moved": result.moved,
        "losses": result.losses,
    }
    for plane in result.planes:
        grid = plane.grid
        found |= {
            f"{plane.id}_{name}": getattr(grid, name)
            for name in ("x", "y", "loss", "accuracy", "penalty", "error")
        }
        found[f"{plane.id}_states"] = grid.state
        found[f"{plane.id}_vectors"] = plane.vectors
    if result.descent is not None:
        found["gradient_half"] = result.descent.half
    if result.bends is not None:
        found |= _of_curvature(result.bends)
    return keep_records(found)


def _of_curvature(bends: Bends) -> dict[str, Any]:
    return {
        "eigenvalues": np.array([*bends.top, *bends.bottom]).reshape(-1, 2),
        "trace_draws": bends.trace.values if bends.trace else None,
        "density_nodes": bends.nodes,
        "density_weights": bends.node_weights,
    }
