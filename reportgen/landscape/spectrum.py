"""Eigenvalues of the Hessian: the extreme ones, their sum, and how all of them are spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.landscape.limits import OutOfTimeError

if TYPE_CHECKING:
    from reportgen.landscape.curvature import Hessian, Vector

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Eigenpair:
    """residual: ``|H v - value v|`` for v of length one. Some eigenvalue lies within it of the
    value, not always the one of that rank (Parlett 1998, theorem 4.5.1)."""

    value: float
    vector: Vector
    residual: float


@dataclass(frozen=True, eq=False)
class Extremes:
    """The largest and the smallest eigenvalues, outermost first. complete: all that were asked for
    were found to the tolerance; else time or iterations ran out. products: that it took."""

    top: tuple[Eigenpair, ...]
    bottom: tuple[Eigenpair, ...]
    complete: bool
    products: int


def find_extremes(
    hessian: Hessian,
    rng: np.random.Generator,
    *,
    count: int = 2,
    tolerance: float = 1e-3,
    most_products: int = 200,
    halfway: float = np.inf,
) -> Extremes:
    """Both ends of the spectrum by Lanczos (ARPACK through scipy's `eigsh`).

    Power iteration would find the largest absolute value, which may be either end. The lower end
    is found as the upper end of ``top - H``, so that the tolerance is a part of the largest
    eigenvalue on both sides: near zero a relative tolerance would never be met.

    Args:
        count: eigenvalues at each end. tolerance: relative to the largest. most_products: Hessian
            products for each end. halfway: when the upper end has to be done, of `time.monotonic`.
    """
    before, deadline = hessian.products, hessian.deadline
    hessian.deadline = min(deadline, halfway)
    top, done = _largest(
        hessian, lambda v: hessian.product(v), rng, count, tolerance, most_products
    )
    hessian.deadline = deadline
    bottom: list[Eigenpair] = []
    if top:
        shift = max(top[0].value, 0.0)
        turned, also = _largest(
            hessian, lambda v: shift * v - hessian.product(v), rng, count, tolerance, most_products
        )
        bottom = [Eigenpair(shift - pair.value, pair.vector, pair.residual) for pair in turned]
        done = done and also
    return Extremes(tuple(top), tuple(bottom), done, hessian.products - before)


def _largest(
    hessian: Hessian,
    product: object,
    rng: np.random.Generator,
    count: int,
    tolerance: float,
    most_products: int,
) -> tuple[list[Eigenpair], bool]:
    size = hessian.size
    try:
        if size <= 2 * count + 1:
            pairs, done = _dense(product, size, count), True
        else:
            pairs, done = _by_arpack(product, size, rng, count, tolerance, most_products)
    except OutOfTimeError:
        return [], False
    finite = [pair for pair in pairs if np.isfinite(pair.residual)]
    return sorted(finite, key=lambda pair: -pair.value), done and len(finite) == len(pairs)


def _by_arpack(
    product: object,
    size: int,
    rng: np.random.Generator,
    count: int,
    tolerance: float,
    most_products: int,
) -> tuple[list[Eigenpair], bool]:
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    basis = min(size, max(2 * count + 1, 20))
    start = rng.standard_normal(size)
    try:
        values, vectors = eigsh(
            operator,
            k=count,
            which="LA",
            v0=start,
            ncv=basis,
            tol=tolerance,
            maxiter=max(1, most_products // basis),
        )
        done = True
    except ArpackNoConvergence as error:
        values, vectors, done = error.eigenvalues, error.eigenvectors, False
    except ArpackError:
        # It gives up on a matrix that is zero (every vector is an eigenvector) or not finite.
        pairs = [_check(product, 0.0, vector) for vector in np.eye(count, size)]
        return pairs, not any(pair.residual for pair in pairs)
    return [_check(product, v, vectors[:, i]) for i, v in enumerate(values)], done


def _check(product: object, value: float, vector: Vector) -> Eigenpair:
    unit = vector / np.linalg.norm(vector)
    image = product(unit)  # type: ignore[operator]
    # The Rayleigh quotient is the best value for this vector.
    best = float(unit @ image)
    return Eigenpair(best, unit, float(np.linalg.norm(image - best * unit)))


def _dense(product: object, size: int, count: int) -> list[Eigenpair]:
    """The whole matrix, where there are only a few weights."""
    matrix = np.stack([product(row) for row in np.eye(size)])  # type: ignore[operator]
    if not np.isfinite(matrix).all():
        return [Eigenpair(np.nan, np.zeros(size), np.nan)]
    _, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return [_check(product, 0.0, vectors[:, -1 - i]) for i in range(min(count, size))]


@dataclass(frozen=True)
class Trace:
    """Sum of all eigenvalues by random signs.

    error: standard error over the draws. low, high: 95 % interval (Student's: the draws are few).
    values: of the single draws, ``(draws,)``.
    """

    value: float
    error: float
    low: float
    high: float
    values: tuple[float, ...]

    @property
    def draws(self) -> int:
        """How many vectors it is made of."""
        return len(self.values)


def average_draws(values: Sequence[float]) -> Trace:
    """The mean of two draws or more, with its error and interval."""
    from scipy.stats import t

    count, mean = len(values), float(np.mean(values))
    error = float(np.std(values, ddof=1) / np.sqrt(count))
    half = float(t.ppf(0.975, count - 1)) * error
    return Trace(mean, error, mean - half, mean + half, tuple(map(float, values)))


def estimate_trace(
    hessian: Hessian, rng: np.random.Generator, draws: int, known: Sequence[Vector] = ()
) -> Trace | None:
    """Mean of ``z H z`` over random signs z (Hutchinson 1990). None: no time for two draws.

    Args:
        known: directions that much of the sum lies in, such as outermost eigenvectors. Their part
            is computed and the signs see the rest only, which makes the error smaller and the
            draws less skewed (Meyer, Musco, Musco & Woodruff 2021, "Hutch++"). Any directions give
            the right sum.
    """
    basis = np.linalg.qr(np.stack(known, axis=1))[0] if len(known) else np.zeros((hessian.size, 0))
    values: list[float] = []
    try:
        sure = sum(float(vector @ hessian.product(vector)) for vector in basis.T)
        for _ in range(draws):
            signs = rng.choice((-1.0, 1.0), hessian.size)
            rest = signs - basis @ (basis.T @ signs)
            values.append(sure + float(rest @ hessian.product(rest)))
    except OutOfTimeError:
        pass
    return average_draws(values) if len(values) > 1 else None


@dataclass(frozen=True, eq=False)
class Density:
    """How the eigenvalues are spread.

    nodes, weights: of the quadrature, ``(starts, steps)``; the weights of a start sum to one.
    trace: sum of all eigenvalues by these nodes, with its standard error over the starts.
    """

    nodes: FloatArray
    weights: FloatArray
    trace: Trace

    def smooth(self, places: FloatArray, width: float) -> FloatArray:
        """Share of the eigenvalues per unit, smoothed by a Gaussian of this width: at places."""
        distance = (places[:, None] - self.nodes.ravel()[None]) / width
        bells = np.exp(-(distance**2) / 2) / (width * np.sqrt(2 * np.pi))
        return np.asarray(bells @ self.weights.ravel() / len(self.nodes))


def estimate_density(
    hessian: Hessian, rng: np.random.Generator, *, starts: int, steps: int
) -> Density | None:
    """Stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017), with full reorthogonalisation.

    Args:
        starts: random starting vectors of signs. steps: of Lanczos from each.

    Returns: None if there was no time for two starts.
    """
    nodes, weights = [], []
    steps = min(steps, hessian.size)
    try:
        for _ in range(starts):
            signs = rng.choice((-1.0, 1.0), hessian.size) / np.sqrt(hessian.size)
            diagonal, beside = lanczos(hessian, signs, steps)
            values, vectors = _eigen_tridiagonal(diagonal, beside)
            missing = steps - len(values)
            nodes.append(np.pad(values, (0, missing), constant_values=values[-1]))
            weights.append(np.pad(vectors[0] ** 2, (0, missing)))
    except OutOfTimeError:
        pass
    if len(nodes) < 2:
        return None
    all_nodes, all_weights = np.stack(nodes), np.stack(weights)
    sums = hessian.size * (all_nodes * all_weights).sum(axis=1)
    return Density(all_nodes, all_weights, average_draws(sums.tolist()))


def lanczos(hessian: Hessian, start: Vector, steps: int) -> tuple[FloatArray, FloatArray]:
    """Diagonal and off-diagonal of the tridiagonal matrix of ``steps`` steps from ``start``.

    It ends early where the Krylov space is exhausted.
    """
    basis = np.zeros((steps, len(start)))
    basis[0] = start / np.linalg.norm(start)
    diagonal, beside = [], []
    for step in range(steps):
        image = hessian.product(basis[step])
        diagonal.append(float(basis[step] @ image))
        known = basis[: step + 1]
        for _ in range(2):  # twice is enough (Parlett 1998, section 6.9)
            image = image - (known @ image) @ known
        length = float(np.linalg.norm(image))
        if step == steps - 1 or length <= 1e-10 * max(1e-30, abs(diagonal[0])):
            break
        beside.append(length)
        basis[step + 1] = image / length
    return np.array(diagonal), np.array(beside[: len(diagonal) - 1])


def _eigen_tridiagonal(diagonal: FloatArray, beside: FloatArray) -> tuple[FloatArray, FloatArray]:
    from scipy.linalg import eigh_tridiagonal

    if len(diagonal) == 1:
        return diagonal, np.ones((1, 1))
    return eigh_tridiagonal(diagonal, beside)  # type: ignore[no-any-return]
