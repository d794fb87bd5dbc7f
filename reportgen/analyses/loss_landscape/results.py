"""What the section holds: numbers only, free of TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.loss_landscape.options import Options
from reportgen.landscape.grid import FloatArray, Grid
from reportgen.landscape.sharpness import Rise
from reportgen.landscape.source import Source
from reportgen.landscape.spectrum import Trace


@dataclass(frozen=True, eq=False)
class Plane:
    """A measured plane.

    id: ``random``, ``random_2`` ..., ``path``, ``hessian``. cosine: between the directions.
    lengths: of one unit along each, in the weights' own unit. vectors: the directions through all
    moved weights, ``(2, weights)``; None where they are many.
    """

    id: str
    grid: Grid
    cosine: float
    lengths: tuple[float, float]
    vectors: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class Training:
    """The path of training.

    labels: of each record (its epoch). coordinates, distances, lengths, shares, null, held: see
        `PathPlane`. losses, right: of each record as it was, with its own moving statistics.
    shown: loss of the plane where the record is projected to; errors: of the difference between
        the two, by paired bootstrap.
    line: along the straight way from the first record (1) to the model (0): places, losses, errors,
        right.
    """

    labels: tuple[str, ...]
    coordinates: FloatArray
    distances: FloatArray
    lengths: FloatArray
    shares: FloatArray
    null: FloatArray
    held: float
    losses: FloatArray
    right: FloatArray
    shown: FloatArray
    errors: FloatArray
    line: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
    from_start: bool
    plane: Plane


@dataclass(frozen=True, eq=False)
class Match:
    """Whether the last record is the audited model.

    distance: of the last record to the model, as a part of the model's length. tolerated: what
    rounding explains. nearest: the record that is nearest, by position, and its distance.
    problem: why it cannot be compared at all; empty where it can.
    """

    distance: float = 0.0
    tolerated: float = 0.0
    nearest: int = -1
    nearest_distance: float = 0.0
    nearest_label: str = ""
    problem: str = ""

    @property
    def fits(self) -> bool:
        """Whether they are the same but for rounding."""
        return not self.problem and self.distance <= self.tolerated


@dataclass(frozen=True, eq=False)
class Bends:
    """Second derivatives at the model.

    top, bottom: eigenvalues with their residuals, outermost first. complete: all were found.
    products: Hessian products in all. places, density: share of the eigenvalues a unit; empty
    without time for it. density_trace, trace: sum of the eigenvalues by both ways.
    worst, average: rise of the loss within a ball, plain and adaptive. size: number of weights.
    needed: seconds that the section would have to have for the eigenvalues, about. bends_down: the
    loss itself bends down along the lowest eigenvector; None where that was not asked. source: how
    the products were made; None where there was no time for any. nodes, node_weights: of the
    quadrature behind the density, ``(starts, steps)``.
    """

    top: tuple[tuple[float, float], ...]
    bottom: tuple[tuple[float, float], ...]
    complete: bool
    products: int
    size: int
    places: FloatArray
    density: FloatArray
    density_trace: Trace | None
    trace: Trace | None
    worst: tuple[Rise, ...]
    average: tuple[Rise, ...]
    needed: float
    bends_down: bool | None = None
    source: Source | None = None
    nodes: FloatArray | None = None
    node_weights: FloatArray | None = None

    @property
    def largest(self) -> float | None:
        """The largest eigenvalue; None if there was no time for it."""
        return self.top[0][0] if self.top else None


@dataclass(frozen=True)
class Descent:
    """gradient: its length. noise: what of it the draw of the samples explains (standard error).
    fall: of the loss along it, on the other half. error: its standard error. step: as a part of
    the weights' length. half: samples of the first of the two gradients ``(n,)``."""

    gradient: float
    noise: float
    fall: float
    error: float
    step: float
    half: NDArray[np.bool_]


@dataclass(frozen=True)
class Lower:
    """A place of lower loss: on the audited samples, or on the training samples.

    plane: its id. fall: below the model's loss. error: standard error of that difference. cells:
    among how many it was the lowest.
    """

    plane: str
    x: float
    y: float
    fall: float
    error: float
    cells: int
    on_training: bool = False

    @property
    def score(self) -> float:
        """In standard errors."""
        return self.fall / self.error if self.error > 0 else 0.0


@dataclass(frozen=True)
class Recomputed:
    """A cell by plain Keras: `evaluate` with the weights set. Both with penalties."""

    plane: str
    x: float
    y: float
    ours: float
    keras: float

    @property
    def off(self) -> float:
        """Relative difference."""
        return abs(self.ours - self.keras) / max(abs(self.keras), 1e-30)


@dataclass(frozen=True)
class Invariance:
    """Largest relative change of the surface when ``first`` is multiplied by ``factor`` and
    ``second`` takes it back."""

    first: str
    second: str
    factor: float
    off: float


@dataclass(frozen=True)
class Facts:
    """What was measured where. error: standard error of the loss. penalty: of regularisation.

    available: samples that there are; ``samples`` of them are used. parameters: how many numbers
    move. left: weights that do not, being frozen or not named.
    precision: that the network itself computes in, where it is not that of the landscape.
    """

    loss_name: str
    loss_reason: str
    loss: float
    error: float
    accuracy: float | None
    penalty: float
    chance: float | None
    ceiling: float | None
    samples: int
    available: int
    split: str
    parameters: int
    left: int
    dtype: str
    precision: str
    reused: str
    static_batch: int | None


@dataclass(frozen=True, eq=False)
class Profile:
    """Loss along the first random direction, on the audited and on the training samples."""

    steps: FloatArray
    losses: FloatArray
    errors: FloatArray
    right: FloatArray
    train_losses: FloatArray
    train_errors: FloatArray


@dataclass(frozen=True, eq=False)
class LandscapeResult:
    """Everything that the section shows.

    held: share of the training path that each plane holds, by id. finite: the loss of
    the model itself is a number; nothing else was measured if not. train_loss, train_descent: on
    the training samples, if there are any. untouched: the hash over all weights is as before.
    rows: numbers of the samples. moved: positions of the moved arrays in ``model.weights``.
    losses: of each sample at the model ``(n,)``.
    """

    facts: Facts
    planes: tuple[Plane, ...]
    training: Training | None
    match: Match | None
    bends: Bends | None
    descent: Descent | None
    lower: tuple[Lower, ...]
    profile: Profile | None
    recomputed: tuple[Recomputed, ...]
    invariance: Invariance | None
    held: dict[str, float]
    options: Options
    finite: bool = True
    train_loss: float | None = None
    train_descent: Descent | None = None
    untouched: bool = False
    rows: NDArray[np.int64] | None = None
    moved: tuple[int, ...] = ()
    losses: FloatArray | None = None
