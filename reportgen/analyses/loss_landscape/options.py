"""What is measured, how finely, and when a check speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions


class Options(AnalysisOptions):
    """Options of the loss landscape.

    seconds: for everything; what does not fit is left out or interpolated, and marked.
    samples: the same in every cell; fewer, but at least 64, where a plane would cost more than
        ``work`` thousand millions of multiplications.
    points, reach: of a side of the random plane, in units of the filters' lengths; spacing
        ``cubic`` is that of the article. refine: measure only as many cells as it takes to know the
        others. planes: random planes; the further ones have rough_points a side.
    path_points, hessian_points: of a side of the planes of the training path and of the Hessian.
    normalisation, vectors: of random directions; vectors are biases and the like.
    layers: addresses of the layers that move (``*`` for any letters); none: all that are trainable.
    eigenvalues: at each end. products: Hessian products for each end. trace_draws,
        density_starts, density_steps: of the sum and the spread of the eigenvalues.
    radius, adaptive_radius: of the balls for sharpness, in weights and in weights relative to
        their size (the usual ones of SAM and ASAM). ascents: steps.
    checked_cells: recomputed by plain Keras.
    tiles: independent parts that the random plane is cut into, for an executor with many workers;
        every cell is measured then. part: which of them this is.
    fidelity: share of the training path that a plane should hold. lower: relative drop of the
        loss from which it is clearly lower. negative: a negative eigenvalue counts from this share
        of the largest.
    """

    seconds: float = Field(default=150.0, gt=0)
    samples: int = Field(default=512, ge=8)
    work: float = Field(default=3000.0, gt=0)
    points: int = Field(default=31, ge=5, le=401)
    reach: float = Field(default=1.0, gt=0)
    spacing: Literal["even", "cubic"] = "even"
    refine: bool = True
    planes: int = Field(default=3, ge=1, le=20)
    rough_points: int = Field(default=11, ge=5, le=101)
    path_points: int = Field(default=25, ge=5, le=201)
    hessian_points: int = Field(default=15, ge=5, le=201)
    normalisation: Literal["filter", "layer", "tensor", "none"] = "filter"
    vectors: Literal["ignore", "keep"] = "ignore"
    layers: tuple[str, ...] = ()
    eigenvalues: int = Field(default=2, ge=1, le=20)
    products: int = Field(default=80, ge=20)
    trace_draws: int = Field(default=10, ge=2)
    density_starts: int = Field(default=3, ge=2)
    density_steps: int = Field(default=16, ge=2, le=200)
    radius: float = Field(default=0.05, gt=0)
    adaptive_radius: float = Field(default=0.5, gt=0)
    ascents: int = Field(default=20, ge=2)
    checked_cells: int = Field(default=5, ge=1, le=100)
    tiles: int = Field(default=1, ge=1, le=1000)
    part: int = Field(default=0, ge=0)
    fidelity: float = Field(default=0.8, gt=0, lt=1)
    lower: float = Field(default=0.02, gt=0, lt=1)
    negative: float = Field(default=0.05, gt=0, lt=1)

    tiny: ClassVar[Mapping[str, Any]] = {
        "seconds": 60.0,
        "samples": 64,
        "points": 9,
        "planes": 2,
        "rough_points": 5,
        "path_points": 7,
        "hessian_points": 5,
        "eigenvalues": 1,
        "products": 40,
        "trace_draws": 4,
        "density_starts": 2,
        "density_steps": 6,
        "ascents": 4,
    }
    presets: ClassVar[Mapping[Any, Mapping[str, Any]]] = {
        "quick": {
            "seconds": 40.0,
            "samples": 256,
            "work": 600.0,
            "points": 21,
            "planes": 2,
            "path_points": 17,
            "hessian_points": 11,
            "eigenvalues": 1,
            "products": 40,
            "trace_draws": 6,
            "density_starts": 2,
            "density_steps": 12,
        },
        "full": {
            "seconds": 7200.0,
            "samples": 4096,
            "work": 1e6,
            "points": 51,
            "refine": False,
            "planes": 5,
            "rough_points": 21,
            "path_points": 51,
            "hessian_points": 31,
            "eigenvalues": 5,
            "products": 400,
            "trace_draws": 64,
            "density_starts": 8,
            "density_steps": 60,
        },
    }
