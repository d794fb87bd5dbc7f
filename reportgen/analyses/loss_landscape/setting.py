"""The place where everything is measured: model, loss, samples, the point, and its loss."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.loss_landscape.options import Options
from reportgen.landscape.evaluator import Evaluator, Group
from reportgen.landscape.grid import FloatArray
from reportgen.landscape.losses import choose_loss
from reportgen.landscape.model import Model
from reportgen.landscape.parameters import Parameters, Point, find_parameters
from reportgen.landscape.reuse import plan_reuse
from reportgen.landscape.samples import Samples, choose_chunk
from reportgen.landscape.uncertainty import PairedBootstrap

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

_FEWEST = 64
_CELLS = 400  # of a plane with refinement, about
_MOST_CEILING = 50.0  # times the loss of knowing nothing


@dataclass(frozen=True, eq=False)
class Setting:
    """What all parts of the section share.

    rows: positions of the samples. centre: the losses of the samples at ``point``.
    ceiling: top of the colour scales. train: the training samples, if there are any.
    started: of `time.monotonic`.
    """

    subject: Subject
    options: Options
    model: Model
    samples: Samples
    evaluator: Evaluator
    point: Point
    centre: Group
    bootstrap: PairedBootstrap
    ceiling: float
    rows: NDArray[np.int64]
    train: Samples | None
    started: float

    @cached_property
    def train_evaluator(self) -> Evaluator | None:
        """As ``evaluator``, on the training samples; None without any."""
        if self.train is None:
            return None
        return Evaluator(self.model, self.train, reuse=self.evaluator.reuse, answers=True)

    @property
    def parameters(self) -> Parameters:
        """The weights that move."""
        return self.model.parameters

    @property
    def losses(self) -> FloatArray:
        """Of each sample at the model's own weights, ``(n,)``."""
        return np.asarray(self.centre.losses[0])

    @property
    def loss(self) -> float:
        """Their mean."""
        return float(self.losses.mean())

    @property
    def end(self) -> float:
        """When the time is over, of `time.monotonic`."""
        return self.started + self.options.seconds


def settle(subject: Subject, options: Options, rng: np.random.Generator) -> Setting:
    """Choose the loss, the samples and the weights, and measure the model as it is.

    Raises:
        UsageError: no weight can move, or ``layers`` names none.
        ConfigurationError: ``--loss`` is no loss of Keras.
    """
    started = time.monotonic()
    loss = choose_loss(subject.reading, _compiled(subject), subject.config.loss)
    calls = subject.probe.calls
    parameters = find_parameters(subject.model, calls, options.layers)
    model = Model(subject.model, parameters, loss, subject.reading.output.index)
    rows = _draw_rows(subject, options, rng)
    values = subject.labels.values
    assert values is not None  # the analysis needs labels
    chunk = choose_chunk(_largest(subject), subject.probe.static_batch, len(rows))
    fixed = subject.probe.static_batch is not None
    samples = Samples(lambda r: subject.inputs(rows[r]), loss.encode(values[rows]), chunk, fixed)
    reuse = plan_reuse(model, calls, len(rows))
    evaluator = Evaluator(model, samples, reuse=reuse, answers=True)
    point = parameters.read()
    centre = evaluator.at(point, timed=True)
    return Setting(
        subject=subject,
        options=options,
        model=model,
        samples=samples,
        evaluator=evaluator,
        point=point,
        centre=centre,
        bootstrap=PairedBootstrap(np.asarray(centre.losses[0]), rng),
        ceiling=_choose_ceiling(centre, loss.chance),
        rows=rows,
        train=_training(subject, len(rows), rng, loss.encode, chunk, fixed=fixed),
        started=started,
    )


def _compiled(subject: Subject) -> Any:
    """The loss that the file or the live model names."""
    if subject.file is not None:
        training = subject.file.content.training
        return training.get("loss") if isinstance(training, dict) else None
    return getattr(subject.model, "loss", None)


def _largest(subject: Subject) -> int:
    sizes = [int(np.prod([s or 1 for s in c.output_shape[1:]])) for c in subject.probe.calls]
    return max((*sizes, int(np.prod(subject.input.shape))))


def _draw_rows(subject: Subject, options: Options, rng: np.random.Generator) -> NDArray[np.int64]:
    """A seeded draw, balanced by class as the samples are."""
    a_pass = sum(flops or 0 for flops in subject.flops) / 2e9
    affordable = int(options.work / max(_CELLS * a_pass, 1e-9))
    count = len(subject.samples)
    chosen = min(count, options.samples, max(affordable, _FEWEST))
    return np.sort(rng.choice(count, _whole_batches(subject, chosen), replace=False))


def _whole_batches(subject: Subject, count: int) -> int:
    """As many samples as need no filling up where the model insists on their number."""
    batch = subject.probe.static_batch
    return count - count % batch if batch and count > batch else count


def _training(
    subject: Subject,
    most: int,
    rng: np.random.Generator,
    encode: Any,
    chunk: int,
    *,
    fixed: bool,
) -> Samples | None:
    train = subject.train
    if train is None or train.labels.values is None:
        return None
    count = _whole_batches(subject, min(len(train.samples), most))
    rows = np.sort(rng.choice(len(train.samples), count, replace=False))
    return Samples(
        lambda r: subject.scale(train.samples.pixels[rows[r]]),
        encode(train.labels.values[rows]),
        chunk,
        fixed,
    )


def _choose_ceiling(centre: Group, chance: float | None) -> float:
    """Above it nothing is told apart: many times what a model that knows nothing would have."""
    loss = float(centre.losses.mean())
    if not np.isfinite(loss):
        return np.inf
    return max(_MOST_CEILING * chance, 10 * loss) if chance else np.inf
