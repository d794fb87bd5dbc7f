"""A plane of the loss of a live model, in one call; it can be cut into parts and go on later."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.landscape import grid as grids
from reportgen.landscape.directions import Normalisation, Vectors, cosine, draw_plane
from reportgen.landscape.evaluator import Evaluator
from reportgen.landscape.grid import Grid, Spacing
from reportgen.landscape.losses import Loss, choose_loss
from reportgen.landscape.measuring import Effort, Surveyor
from reportgen.landscape.model import Model
from reportgen.landscape.parameters import Parameters, Point, difference, find_parameters
from reportgen.landscape.plotting import as_png
from reportgen.landscape.restoring import hash_arrays
from reportgen.landscape.reuse import plan_reuse
from reportgen.landscape.samples import Samples, choose_chunk
from reportgen.landscape.uncertainty import PairedBootstrap
from reportgen.subject.datasets import is_dataset
from reportgen.subject.labels import resolve_labels
from reportgen.subject.live import take_inputs, with_inputs
from reportgen.subject.outputs import LOOKED_AT, list_outputs, read_output
from reportgen.subject.preprocessing import Preprocessing
from reportgen.subject.probe import Probe

_SAVED_EVERY = 10.0  # seconds


@dataclass(frozen=True, eq=False, repr=False)
class Survey:
    """What was found; a notebook shows it.

    Attributes:
        grid: the loss of every cell, its standard error, and how it came about.
        loss_name, loss_reason: which loss, and why that one.
        loss, error: at the model, with its standard error.
        cosine: between the directions; NaN of a line.
    """

    grid: Grid
    loss_name: str
    loss_reason: str
    loss: float
    error: float
    cosine: float

    def __repr__(self) -> str:
        grid, lowest = self.grid, self.grid.lowest
        least = "no cell was measured"
        if lowest is not None:
            row, column = lowest
            least = f"lowest {grid.loss[lowest]:.3g} at ({grid.x[column]:.3g}, {grid.y[row]:.3g})"
        return (
            f"Survey({len(grid.y)} x {len(grid.x)}, {self.loss_name} {self.loss:.3g} "
            f"± {self.error:.1g} at the model, {least}, {grid.count(grids.MISSING)} cells missing)"
        )

    def plot(self, axes: Any = None) -> Any:
        """Contours of the loss, or a curve along a line; returns the Matplotlib figure.

        Args:
            axes: of Matplotlib, to draw into; None: a figure of its own.
        """
        return self.grid.plot(axes, title=self._title)

    def _repr_png_(self) -> bytes:
        return as_png(self.grid.picture(self._title))

    @property
    def _title(self) -> str:
        return f"{self.loss_name.replace('_', ' ')}: {self.loss:.3g} at the model"


def survey(
    model: keras.Model,
    x: Any,
    y: Any,
    *,
    preprocessing: str | Preprocessing | None = None,
    loss: str | None = None,
    through: Sequence[Sequence[NDArray[Any]]] = (),
    layers: Sequence[str] = (),
    reach: float = 1.0,
    points: int = 31,
    spacing: Spacing = "even",
    normalisation: Normalisation = "filter",
    vectors: Vectors = "ignore",
    seed: int = 0,
    refine: bool = True,
    seconds: float | None = None,
    compiled: bool | None = None,
    part: tuple[int, int] | None = None,
    resume: str | Path | None = None,
) -> Survey:
    """The loss in a plane through the weights of ``model``, which are not changed.

    Samples and ``preprocessing`` are those of `reportgen.audit`: samples as you have them, and
    what makes of them what the model takes. Without it ``x`` is taken as the model takes it.

    Args:
        x, y: samples ``(n, ...)`` before scaling, and labels: class positions, rows of 0 and 1,
            or numbers. All of them are used in every cell.
        preprocessing: ``"unit"`` (x / 255) or another name of `reportgen.audit`,
            ``module:function``, or a function from an array to one of the same shape, such as
            ``keras.applications.vgg16.preprocess_input``; it works on a copy. None, as ``"none"``:
            ``x`` is scaled already, or the model scales it itself. Nothing is assumed.
        loss: of Keras; None: the one the model was compiled with, else the one that fits.
        through: weights of the same network, as ``model.get_weights()`` gives them: with one of
            them the line, with two the plane through them and the model, which is (0, 0); the
            first is (1, 0) and the second (0, 1). Moving statistics of normalisations stay the
            model's everywhere. Without: two random directions.
        layers: addresses of the layers that move, ``*`` for any letters; none: all trainable ones.
        reach, points, spacing: of each axis; ``cubic`` is dense in the middle.
        normalisation, vectors: of random directions, see `directions.normalise`.
        refine: measure as many cells as it takes to know the others; False: all of them.
        seconds: then it ends with what there is; missing cells are marked.
        compiled: by XLA; it pays for small dense networks. None: where it measures faster.
        part: (2, 8) measures the third of eight parts, every cell; `join` puts them together.
        resume: a file where what is known is kept; the same call goes on there.

    Raises:
        UsageError, ConfigurationError, InputError: with the next step in the message.
    """
    if is_dataset(x):
        raise UsageError(
            "survey: x is a dataset. Every cell uses all samples, so give arrays x and y of some "
            "hundred; reportgen.audit draws them from a dataset by itself."
        )
    x = take_inputs(model, x, preprocessing)
    _check_call(model, x, np.asarray(y), part, resume)
    model = with_inputs(model, x)
    deadline = time.monotonic() + seconds if seconds is not None else np.inf
    probe = Probe(model, x.shape[1:])
    few = min(len(x), LOOKED_AT)
    reading = read_output(
        list_outputs(probe),
        np.asarray(y),
        None,
        lambda: probe.predict(lambda rows: x[rows], few),
    )
    values = resolve_labels(np.asarray(y), (), reading, None).values
    if values is None or len(values) != len(x):
        raise UsageError(f"survey: {len(x)} samples need as many labels; check y.")
    chosen = choose_loss(reading, getattr(model, "loss", None), loss)
    parameters = find_parameters(model, probe.calls, layers)
    network = Model(model, parameters, chosen, reading.output.index)
    largest = max(int(np.prod([s or 1 for s in c.output_shape[1:]])) for c in probe.calls)
    chunk = choose_chunk(largest, probe.static_batch, len(x))
    samples = Samples(
        lambda rows: x[rows], chosen.encode(values), chunk, probe.static_batch is not None
    )
    reuse = plan_reuse(network, probe.calls, len(x))
    evaluator = Evaluator(network, samples, compiled=compiled, reuse=reuse, answers=True)
    rng = np.random.default_rng(seed)
    point = parameters.read()
    directions = _directions(parameters, point, through, rng, normalisation, vectors)
    centre = np.asarray(evaluator.at(point, timed=seconds is not None).losses[0])
    bootstrap = PairedBootstrap(centre, rng)
    drawn = (seed, normalisation, vectors, tuple(layers))
    print_of = _fingerprint(model, x, values, chosen, through, drawn)
    effort = Effort(3 if refine else 1, deadline=deadline)
    blank = _axes(reach, points, spacing, print_of, line=len(through) == 1)
    with _keeping(resume, print_of) as (known, keep):
        grid = grids.join([known, blank]) if known is not None else blank
        surveyor = Surveyor(evaluator, point, directions, bootstrap, effort, keep)
        if part is not None:
            # Parts are of the whole plane, whatever of it is known already.
            grid = surveyor.measure(grid, grids.split(blank, part[1])[part[0]])
        else:
            grid = surveyor.survey(grid.x, grid.y, grid)
        keep(grid)
    return Survey(
        grid,
        chosen.name,
        chosen.reason,
        float(centre.mean()),
        bootstrap.own_error(),
        cosine(*directions) if len(through) != 1 else float("nan"),
    )


def _directions(
    parameters: Parameters,
    point: Point,
    through: Sequence[Sequence[NDArray[Any]]],
    rng: np.random.Generator,
    normalisation: Normalisation,
    vectors: Vectors,
) -> tuple[Point, Point]:
    if not through:
        return draw_plane(parameters, point, rng, normalisation=normalisation, vectors=vectors)
    if len(through) > 2:
        raise UsageError(f"through: {len(through)} weights span no plane. Give one or two.")
    ways = []
    for weights in through:
        taken = parameters.take(weights) if len(weights) > max(parameters.positions) else ()
        if [w.shape for w in taken] != [w.shape for w in point]:
            raise UsageError("through: weights of another network. Give model.get_weights().")
        ways.append(difference(taken, point))
    return ways[0], ways[-1]


def _check_call(
    model: Any,
    x: NDArray[Any],
    y: NDArray[Any],
    part: tuple[int, int] | None,
    resume: str | Path | None,
) -> None:
    if y.dtype.kind not in "biuf":
        raise UsageError("survey: y has no numbers. Give class positions or numbers.")
    if part is not None and not 0 <= part[0] < part[1]:
        raise UsageError(f"part: {part} is no part. (0, 8) is the first of eight, (7, 8) the last.")
    if resume is not None and not Path(resume).absolute().parent.is_dir():
        raise UsageError(f"resume: there is no folder for {resume}. Make it first.")
    inputs = getattr(model, "inputs", None)
    if inputs and len(inputs) > 1:
        raise UsageError(f"survey: the model takes {len(inputs)} inputs; one is supported.")
    wanted = tuple(inputs[0].shape[1:]) if inputs else ()
    fits = len(wanted) == x.ndim - 1 and all(
        side in (None, have) for side, have in zip(wanted, x.shape[1:], strict=True)
    )
    if inputs and not fits:
        raise UsageError(f"survey: x has samples of shape {x.shape[1:]}; the model takes {wanted}.")


def _axes(reach: float, points: int, spacing: Spacing, plane: str, *, line: bool) -> Grid:
    side = grids.axis(reach, points, spacing)
    return grids.empty(side, np.zeros(1) if line else side, plane)


@contextmanager
def _keeping(
    resume: str | Path | None, fingerprint: str
) -> Iterator[tuple[Grid | None, Callable[[Grid], None]]]:
    """What the file knows, and what to call with news: saved now and then, and at the end, also
    after an interrupt."""
    if resume is None:
        yield None, lambda grid: None
        return
    known = grids.load(resume, fingerprint) if Path(resume).exists() else None
    last, newest = time.monotonic(), known

    def keep(grid: Grid) -> None:
        nonlocal last, newest
        newest = grid
        if time.monotonic() - last > _SAVED_EVERY:
            grids.save(grid, resume, fingerprint)
            last = time.monotonic()

    try:
        yield known, keep
    finally:
        if newest is not None:
            grids.save(newest, resume, fingerprint)


def _fingerprint(
    model: keras.Model,
    x: NDArray[Any],
    y: NDArray[Any],
    loss: Loss,
    through: Sequence[Sequence[NDArray[Any]]],
    drawn: tuple[Any, ...],
) -> str:
    """Of what the numbers depend on. Directions by how they are drawn: the last digits of those are
    each machine's own."""
    arrays = [[np.asarray(w.numpy()) for w in model.weights], [x, y]]
    arrays += [[np.asarray(w) for w in weights] for weights in through]
    settings: dict[str, Any] = getattr(loss.plain, "get_config", dict)()
    words = [loss.name, repr(sorted(settings.items())), repr(drawn), *map(hash_arrays, arrays)]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
