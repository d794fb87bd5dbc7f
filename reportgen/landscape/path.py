"""The way of training through the weights: its principal plane, and what that plane holds.

Differences to the final weights are taken, since the drawn plane goes through them, and the right
singular vectors are the directions (Li et al. 2018, section 7). They are found from the matrix of
inner products of the records, so memory does not grow with records times parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reportgen.landscape.parameters import FloatArray, Parameters, Point
from reportgen.progress import tell

# Index of a record, positions in ``model.weights`` -> the arrays there.
Reader = Callable[[int, Sequence[int]], Sequence[FloatArray]]
_MOST_BYTES = 48 * 2**20


@dataclass(frozen=True, eq=False)
class PathPlane:
    """The plane through the final weights that holds most of the path.

    directions: two, of length one, orthogonal; the path's first and second right singular vectors.
    coordinates: of every record in the plane, by least squares, ``(records, 2)``.
    distances: of every record to the plane. lengths: to the final weights.
    shares: of the path's squared distances to the final weights by principal component, largest
        first; the plane's directions are the first two. null: the same of a random walk of as many
        records, in many dimensions.
    """

    directions: tuple[Point, Point]
    coordinates: NDArray[np.float64]
    distances: NDArray[np.float64]
    lengths: NDArray[np.float64]
    shares: NDArray[np.float64]
    null: NDArray[np.float64]

    @property
    def held(self) -> float:
        """Share of the path's squared distances to the final weights that the plane holds."""
        total = float((self.lengths**2).sum())
        return 1 - float((self.distances**2).sum()) / total if total else 0.0


def find_path_plane(parameters: Parameters, read: Reader, records: int, final: Point) -> PathPlane:
    """The principal plane of ``records`` records around ``final``."""
    gram = gram_matrix(parameters, read, records, final)
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1]
    # A single record has no second component.
    missing = max(0, 2 - records)
    values = np.pad(np.clip(values[order], 0, None), (0, missing))
    vectors = np.pad(vectors[:, order], ((0, 0), (0, missing)))
    lengths = np.sqrt(np.clip(np.diag(gram), 0, None))
    directions = _combine(parameters, read, records, final, vectors[:, :2], values[:2])
    coordinates = vectors[:, :2] * np.sqrt(values[:2])
    coordinates[lengths == 0] = 0.0  # the final weights, without the rounding of `eigh`
    left = np.clip(lengths**2 - (coordinates**2).sum(axis=1), 0, None)
    return PathPlane(
        directions=(directions[0], directions[1]),
        coordinates=coordinates,
        distances=np.sqrt(left),
        lengths=lengths,
        shares=values / max(float(values.sum()), 1e-300),
        null=random_walk_shares(records),
    )


def gram_matrix(
    parameters: Parameters,
    read: Reader,
    records: int,
    final: Point,
    most_bytes: int = _MOST_BYTES,
) -> NDArray[np.float64]:
    """Inner products of the records' differences to ``final``: ``(records, records)``.

    One tensor at a time, so that memory stays below ``most_bytes`` (but for a single tensor that
    is larger, of which a few records are held at once).
    """
    gram = np.zeros((records, records))
    for number, (position, last) in enumerate(zip(parameters.positions, final, strict=True)):
        tell(number, len(final), "path of training")
        size = max(2, int(most_bytes // (8 * max(1, last.size))))
        for start in range(0, records, size):
            rows = range(start, min(start + size, records))
            first = _stack(read, rows, position, last)
            gram[rows.start : rows.stop, rows.start : rows.stop] += first @ first.T
            for other in range(rows.stop, records, size):
                columns = range(other, min(other + size, records))
                part = first @ _stack(read, columns, position, last).T
                gram[rows.start : rows.stop, columns.start : columns.stop] += part
                gram[columns.start : columns.stop, rows.start : rows.stop] += part.T
    return gram


def _stack(read: Reader, records: range, position: int, last: FloatArray) -> NDArray[np.float64]:
    base = last.astype(np.float64).ravel()
    return np.stack([read(i, [position])[0].astype(np.float64).ravel() - base for i in records])


def _combine(
    parameters: Parameters,
    read: Reader,
    records: int,
    final: Point,
    vectors: NDArray[np.float64],
    values: NDArray[np.float64],
) -> list[Point]:
    """Right singular vectors: sums of the records' differences, one record in memory at a time."""
    sums = [[np.zeros(a.shape, np.float64) for a in final] for _ in range(2)]
    for record in range(records):
        arrays = read(record, parameters.positions)
        for k in range(2):
            if values[k] <= values[0] * 1e-14:
                continue  # the path is a line: there is no second direction in it
            weight = vectors[record, k] / np.sqrt(values[k])
            for total, array, last in zip(sums[k], arrays, final, strict=True):
                total += weight * (array.astype(np.float64) - last)
    return [tuple(total) for total in sums]


def random_walk_shares(records: int) -> NDArray[np.float64]:
    """Shares of a random walk's squared distances to its end by direction, largest first.

    Steps in many dimensions are at right angles, so records m and k steps before the end have the
    inner product min(m, k). Its eigenvalues are 1 / (4 sin^2((2k - 1) pi / (4n + 2))) for n steps
    (as of any second-difference matrix with one free end); for many steps the plane of the first
    two holds 8 / pi^2 (1 + 1/9) = 90 %. Centred over time, as Antognini & Sohl-Dickstein 2018
    (arXiv 1806.08805) have it, the shares are others: a plane through the end is not centred.
    """
    steps = records - 1
    if steps < 1:
        return np.zeros(0)
    k = np.arange(1, steps + 1)
    values = 1 / np.sin((2 * k - 1) * np.pi / (4 * steps + 2)) ** 2
    return np.asarray(values / values.sum())


def project(directions: Sequence[Point], differences: Sequence[Point]) -> NDArray[np.float64]:
    """Least-squares coordinates of differences in the span of directions that need not be
    orthogonal or of length one: ``(differences, directions)`` (the article's pseudo-inverse)."""
    from reportgen.landscape.parameters import dot

    inner = np.array([[dot(a, b) for b in directions] for a in directions])
    right = np.array([[dot(d, way) for way in directions] for d in differences])
    return np.asarray(right @ np.linalg.pinv(inner))
