"""What is measured, how finely, and when a check speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from reportgen.analyses.contract import AnalysisOptions


class Options(AnalysisOptions):
    """Say what of the loss landscape is measured, how finely, and when a check speaks."""

    seconds: float = Field(
        default=150.0,
        gt=0,
        description=(
            "Seconds for the whole section; with `tiles`, for each part. What does not fit is "
            "left out, or interpolated between measured cells, and marked."
        ),
    )
    samples: int = Field(
        default=512,
        ge=8,
        description=(
            "Samples that every loss is the mean of, drawn at random and the same in every cell; "
            "of training samples at most as many. Fewer, but at least 64, where a plane would "
            "cost more than `work`."
        ),
    )
    work: float = Field(
        default=3000.0,
        gt=0,
        description=(
            "Thousand millions of multiplications that a plane of about 400 cells may cost. A "
            "larger model is measured on fewer samples than `samples`, but on at least 64."
        ),
    )
    points: int = Field(
        default=31,
        ge=5,
        le=401,
        description=(
            "Cells a side of the first random plane. An even number gets one more, so that the "
            "model itself lies on a cell."
        ),
    )
    reach: float = Field(
        default=1.0,
        gt=0,
        description=(
            "How far random planes reach from the model to each side. With `normalisation`, 1 is "
            "as far as the weights' own length."
        ),
    )
    spacing: Literal["even", "cubic"] = Field(
        default="even",
        description=(
            "How the cells of the first random plane lie: even, or cubic, which is dense around "
            "the model and wide at the edge."
        ),
    )
    refine: bool = Field(
        default=True,
        description=(
            "Measure only as many cells of a large plane as it takes to know the others, and "
            "interpolate these. If not, all cells are measured, but for further random planes; "
            "with `tiles`, all of the first one always are."
        ),
    )
    planes: int = Field(
        default=3,
        ge=1,
        le=20,
        description=(
            "Random planes in all, to see how much the picture owes to the draw. The second and "
            "further ones are rough, with `rough_points` a side, and are left out where time is "
            "short."
        ),
    )
    rough_points: int = Field(
        default=11,
        ge=5,
        le=101,
        description=(
            "Cells a side of each further random plane, and of the plane of the training samples."
        ),
    )
    path_points: int = Field(
        default=25,
        ge=5,
        le=201,
        description=(
            "Cells a side of the plane that the training path lies in, where weights were recorded."
        ),
    )
    hessian_points: int = Field(
        default=15,
        ge=5,
        le=201,
        description=(
            "Cells a side of the plane in which the loss bends most and least (outermost "
            "eigenvectors of the Hessian, the matrix of second derivatives)."
        ),
    )
    normalisation: Literal["filter", "layer", "tensor", "none"] = Field(
        default="filter",
        description=(
            "How long a random direction is: filter, layer and tensor scale each filter, each "
            "layer or each array of weights to the length that it has in the model; none leaves "
            "it as drawn."
        ),
    )
    vectors: Literal["ignore", "keep"] = Field(
        default="ignore",
        description=(
            "What random directions do with biases and other one-dimensional weights: ignore "
            "leaves them where they are, keep moves them too."
        ),
    )
    layers: tuple[str, ...] = Field(
        default=(),
        description=(
            "Addresses of the layers whose weights move, with * for any letters; frozen ones "
            "count when they are named. Empty: all weights that are trainable."
        ),
    )
    eigenvalues: int = Field(
        default=2,
        ge=1,
        le=20,
        description=(
            "Eigenvalues of the Hessian (how strongly the loss bends along its outermost "
            "directions) that are looked for at each end, largest and smallest."
        ),
    )
    products: int = Field(
        default=80,
        ge=20,
        description=(
            "Products of the Hessian with a vector that the eigenvalues of each end may take, "
            "about. More find them more exactly, and take longer."
        ),
    )
    trace_draws: int = Field(
        default=20,
        ge=2,
        description=(
            "Random vectors that the sum of all eigenvalues is estimated from. More make its "
            "error smaller."
        ),
    )
    density_starts: int = Field(
        default=3,
        ge=2,
        description=(
            "Random starts that the spread of all eigenvalues is estimated from, averaged. More "
            "make it less noisy."
        ),
    )
    density_steps: int = Field(
        default=16,
        ge=2,
        le=200,
        description=(
            "Steps (products of the Hessian with a vector) from each start of the spread. More "
            "show finer detail."
        ),
    )
    radius: float = Field(
        default=0.05,
        gt=0,
        description=(
            "Radius of the ball around the weights, as a length of all weights together, in which "
            "sharpness is measured: how much the loss rises. 0.05 is usual for SAM."
        ),
    )
    adaptive_radius: float = Field(
        default=0.5,
        gt=0,
        description=(
            "The same for the second sharpness, which measures each weight relative to its size, "
            "so that rescaling layers does not change it. 0.5 is usual for ASAM."
        ),
    )
    ascents: int = Field(
        default=20,
        ge=2,
        description=(
            "Steps of gradient ascent, at most, from each of three starts, that look for the "
            "largest rise of the loss in each ball."
        ),
    )
    checked_cells: int = Field(
        default=5,
        ge=1,
        le=100,
        description=(
            "Measured cells, drawn at random from all planes, whose loss plain Keras computes "
            "again as a check."
        ),
    )
    tiles: int = Field(
        default=1,
        ge=1,
        le=1000,
        description=(
            "Parts that the first random plane is cut into, to be computed apart by an executor "
            "with many workers. With more than 1 every cell of it is measured."
        ),
    )
    part: int = Field(
        default=0,
        ge=0,
        description=(
            "Internal: which of the `tiles` this is, counted from 0. The audit sets it itself and "
            "overwrites what you give."
        ),
        json_schema_extra={"internal": True},
    )
    fidelity: float = Field(
        default=0.8,
        gt=0,
        lt=1,
        description=(
            "Bar of `landscape.plane_fidelity`: there is a note where the plane of the training "
            "path holds less than this share of the path, so that the picture leaves much out."
        ),
    )
    lower: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        description=(
            "Bar of `landscape.not_a_minimum`: it speaks where the loss is lower close by, by at "
            "least this share of the model's loss. It warns on training samples, and notes it on "
            "others."
        ),
    )
    negative: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description=(
            "Bar of `landscape.negative_curvature`: there is a note where the smallest eigenvalue "
            "lies below zero by more than this share of the largest, so that the loss bends down "
            "somewhere."
        ),
    )

    tiny: ClassVar[Mapping[str, Any]] = {
        "seconds": 600.0,
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
            "eigenvalues": 2,
            "products": 40,
            "trace_draws": 10,
            "density_starts": 3,
            "density_steps": 10,
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
