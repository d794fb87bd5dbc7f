"""Maps of chosen samples, and what proves or refutes the methods that made them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.attributions.choice import Chosen, choose
from reportgen.analyses.attributions.mistakes import Mistake, compare_mistakes
from reportgen.analyses.attributions.options import Options
from reportgen.analyses.attributions.transplant import Shortcuts, find_shortcuts

if TYPE_CHECKING:
    from reportgen.attributions.case import Case
    from reportgen.attributions.gate.faithfulness import Faithfulness
    from reportgen.attributions.gate.randomising import Sanity
    from reportgen.attributions.maps import Maps
    from reportgen.attributions.methods.table import Method
    from reportgen.attributions.network import Network
    from reportgen.subject.subject import Subject

Pictures = NDArray[np.uint8]
FEWEST = 8  # samples; of fewer methods are not held against anything
_REFERENCE = 256  # samples that the mean colour is of
_EACH = 250  # passes of the model that a sample costs with each method, its proof included
_TINY = 1e-9


@dataclass(frozen=True)
class Shown:
    """One sample that is drawn. reason: why it was taken. share: probability of what is explained,
    None of a number; value: the number."""

    name: str
    reason: str
    explained: str
    actual: str
    right: bool | None
    share: float | None
    value: float


@dataclass(frozen=True)
class MethodMaps:
    """Maps of one method. overlays: of the shown samples, ``(shown, H, W, 3)``. checks: by name,
    of all samples, ``(n,)``. empty: samples whose map has nothing that speaks for the answer.
    missing: why there are none."""

    name: str
    title: str
    overlays: Pictures | None = None
    checks: dict[str, NDArray[np.float32]] | None = None
    empty: int = 0
    missing: str = ""


@dataclass(frozen=True)
class AttributionsResult:
    """pictures: of the shown samples, as large as the overlays. layer: what class activation maps
    are read from, and why. faithfulness, sanity: None where there was no time, or too few samples.
    left_out: parts that no time was left for."""

    chosen: Chosen
    samples: int
    shown: tuple[Shown, ...]
    pictures: Pictures | None
    methods: tuple[MethodMaps, ...]
    layer: str
    faithfulness: Faithfulness | None
    sanity: tuple[Sanity, ...]
    mistakes: tuple[Mistake, ...]
    mistake_pictures: Pictures | None
    shortcuts: Shortcuts
    missing: str
    left_out: tuple[str, ...]
    options: Options


def compute(subject: Subject, options: Options, rng: np.random.Generator) -> AttributionsResult:
    """Explain the answer to each chosen sample by every method; then hold the methods to it."""
    from reportgen.attributions.cells import make_grid
    from reportgen.attributions.gate.curves import COARSE, SHARES
    from reportgen.attributions.gate.faithfulness import examine
    from reportgen.attributions.gate.randomising import check_randomised
    from reportgen.attributions.methods.table import find_method
    from reportgen.attributions.network import Network
    from reportgen.attributions.overlay import enlarge_pictures

    deadline = time.monotonic() + options.seconds
    if subject.reading.task == "other":
        return _nothing(options, "The model answers with maps, not with one answer a sample.")
    a_pass = max(sum(flops or 0 for flops in subject.flops) / 2e9, _TINY)
    passes = options.work / a_pass
    network = Network(subject.model, subject.input, subject.reading, subject.probe.calls)
    until = time.monotonic() + options.seconds / 3
    shortcuts = find_shortcuts(subject, network, options.converted, passes, until, rng)
    affordable = int(passes / (_EACH * len(options.methods)))
    chosen = choose(subject, max(FEWEST, min(options.samples, affordable)))
    if not len(chosen.rows):
        return _nothing(options, "No answer is a number.")
    case, layer = _open(subject, network, chosen.rows, int(rng.integers(2**31)))
    grid = make_grid(case.pictures.shape[1], case.pictures.shape[2])
    drawn = _spread(chosen, options.shown)
    pictures = subject.pictures(chosen.rows)
    left_out: list[str] = []

    def in_time(what: str) -> bool:
        if time.monotonic() > deadline:
            left_out.append(what)
            return False
        return True

    asked = [(m, _try(m, case)) for m in map(find_method, options.methods) if in_time(m.title)]
    made = {method: maps for method, maps in asked if not isinstance(maps, str)}
    methods = list(made)
    faithful: Faithfulness | None = None
    sane: tuple[Sanity, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    mistake_pictures = None
    if methods and len(case) >= FEWEST and in_time("faithfulness"):
        shares = SHARES if affordable >= FEWEST else COARSE
        faithful = examine(case, methods, list(made.values()), grid, shares)
    few = np.unique(np.linspace(0, len(case) - 1, options.randomised).astype(np.int64))
    if methods and len(few) > 1 and in_time("random weights"):
        sane = check_randomised(case.take(few), methods, grid)
    if in_time("mistakes"):
        mistakes, mistake_pictures = compare_mistakes(
            subject, case, chosen, grid, pictures, options.mistakes
        )
    return AttributionsResult(
        chosen,
        len(subject.samples),
        tuple(_say(subject, case, chosen, place) for place in drawn.tolist()),
        enlarge_pictures(pictures[drawn]) if len(drawn) else None,
        tuple(_tell(method, maps, drawn, pictures) for method, maps in asked),
        layer,
        faithful,
        sane,
        mistakes,
        mistake_pictures,
        shortcuts,
        "",
        tuple(left_out),
        options,
    )


def _tell(
    method: Method, maps: Maps | str, drawn: NDArray[np.int64], pictures: Pictures
) -> MethodMaps:
    """What the report keeps of a method's maps."""
    from reportgen.attributions.overlay import lay_over

    if isinstance(maps, str):
        return MethodMaps(method.name, method.title, missing=maps)
    return MethodMaps(
        method.name,
        method.title,
        lay_over(maps.values[drawn], pictures[drawn]) if len(drawn) else None,
        dict(maps.checks),
        int(maps.without_evidence.sum()) if maps.signed else 0,
    )


def _nothing(options: Options, missing: str) -> AttributionsResult:
    none = Chosen(np.zeros(0, np.int64), (), 0, 0)
    return AttributionsResult(
        none,
        0,
        (),
        None,
        (),
        "",
        None,
        (),
        (),
        None,
        Shortcuts(missing=missing),
        missing,
        (),
        options,
    )


def _open(
    subject: Subject, network: Network, rows: NDArray[np.int64], seed: int
) -> tuple[Case, str]:
    """Of each sample the answer that the rest of the report gives is explained."""
    from reportgen.attributions.case import Case, make_directions
    from reportgen.attributions.layer_choice import choose_layer

    reading, probe = subject.reading, subject.probe
    some = np.linspace(0, len(subject.samples) - 1, _REFERENCE).round().astype(np.int64)
    layer, why = choose_layer(probe.calls, probe.output_calls[reading.output.index])
    case = Case(
        network,
        subject.input.disarrange(subject.inputs(rows)),
        np.zeros((len(rows), reading.output.units), np.float32),
        subject.input.disarrange(subject.inputs(np.unique(some))),
        layer,
        "" if layer else why,
        seed,
    )
    answers = np.zeros(len(rows), np.int64)
    if reading.classes:
        answers = subject.probabilities[rows].argmax(axis=1)
    return case.of(make_directions(reading.task, reading.output.units, answers)), why


def _try(method: Method, case: Case) -> Maps | str:
    """Its maps, or in words why this model has none."""
    from reportgen.errors import UsageError

    try:
        return method(case)
    except UsageError as error:
        return str(error)


def _spread(chosen: Chosen, most: int) -> NDArray[np.int64]:
    """Places in the draw that are shown: the reasons take turns."""
    waiting = {
        reason: [i for i, said in enumerate(chosen.reasons) if said == reason]
        for reason in dict.fromkeys(chosen.reasons)
    }
    shown: list[int] = []
    while len(shown) < most and any(waiting.values()):
        for places in waiting.values():
            if places and len(shown) < most:
                shown.append(places.pop(0))
    return np.array(sorted(shown), np.int64)


def _say(subject: Subject, case: Case, chosen: Chosen, place: int) -> Shown:
    row = int(chosen.rows[place])
    score, classes = float(case.scores[place]), subject.labels.classes
    name, reason = subject.samples.names[row], chosen.reasons[place]
    if not subject.reading.classes:
        return Shown(name, reason, "the answer", "", None, None, score)
    answer = int(subject.probabilities[row].argmax())
    share = float(subject.probabilities[row, answer])
    values, actual, right = subject.labels.values, "", None
    if values is not None and values.ndim == 1 and not subject.labels.unscored:
        actual, right = classes[int(values[row])], bool(values[row] == answer)
    said = classes[answer] if answer < len(classes) else f"class {answer}"
    return Shown(name, reason, said, actual, right, share, score)
