"""Numbers that stand in two places of a report agree: text, table, alt text, JSON, figure data.

Ten reports of different kinds. Each check reads one fact in all the places that tell it, and says
how many facts it compared; over all reports each has to find some.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_diabetes, load_digits

import reportgen
from reportgen.battery import BATTERY
from reportgen.landscape.grid import MEASURED
from reportgen.report.report import Report
from reportgen.text import slug

TINY = {analysis.id: dict(analysis.options.tiny) for analysis in BATTERY}
SAMPLES = Path(__file__).parent.parent / "samples"


def digits(first: int = 0, last: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of some classes ``(n, 8, 8, 1)`` from 0 to 1, and which class."""
    found = load_digits()
    kept = (found.target >= first) & (found.target < last)
    return (found.images[kept][..., None] / 16).astype("float32"), found.target[kept] - first


def train(x: Any, y: Any, stack: list[Any], loss: str, epochs: int = 6) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(x.shape[1:]), *stack])
    model.compile("adam", loss)
    model.fit(x, y, epochs=epochs, verbose=0)
    return model


def convnet(outputs: int, activation: str | None = "softmax") -> list[Any]:
    return [
        layers.Conv2D(8, 3, padding="same", name="c1"),
        layers.BatchNormalization(name="n1"),
        layers.ReLU(name="r1"),
        layers.Conv2D(12, 3, activation="relu", name="c2"),
        layers.Flatten(),
        layers.Dense(16, activation="tanh", name="d1"),
        layers.Dense(outputs, activation, name="out"),
    ]


def audit(model: Any, *data: Any, **settings: Any) -> Report:
    options = {id_: {**TINY[id_], **settings.pop(id_, {})} for id_ in TINY}
    return reportgen.audit(model, *data, preset="quick", options=options, **settings)


def with_history() -> Report:
    return audit(SAMPLES / "digits", optvis={"layers": 3})


def of_numbers() -> Report:
    found = load_diabetes()
    x, y = found.data.astype("float32") * 10, found.target.astype("float32") / 100
    stack = [layers.Dense(16, activation="relu"), layers.Dense(1)]
    return audit(train(x[:300], y[:300], stack, "mean_squared_error", 40), x[300:], y[300:])


def of_weak_classes() -> Report:
    """Barely trained: many mistakes, of many kinds, some equally frequent."""
    x, y = digits()
    model = train(x[:500], y[:500], convnet(10), "sparse_categorical_crossentropy", 2)
    shown = {"shown_mistakes": 3, "shown_kinds": 5}
    return audit(model, x[900:1400], y[900:1400], predictions=shown)


def of_two_classes() -> Report:
    x, y = digits(8, 10)
    model = train(x[:200], y[:200], convnet(1, "sigmoid"), "binary_crossentropy")
    return audit(model, x[200:], y[200:])


def of_logits() -> Report:
    x, y = digits(0, 4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return audit(train(x[:300], y[:300], convnet(4, None), loss), x[300:500], y[300:500])


def damaged() -> Report:
    """Dead channels, a dead filter, twins and a class that is never predicted."""
    x, y = digits()
    model = train(x[:900], y[:900], convnet(10), "sparse_categorical_crossentropy")
    kernel, bias = model.get_layer("c2").get_weights()
    kernel[..., 3], bias[3] = 0, 0
    kernel[..., 5], bias[5] = kernel[..., 4], bias[4]
    bias[6:9] = -50
    model.get_layer("c2").set_weights([kernel, bias])
    kernel, bias = model.get_layer("out").get_weights()
    bias[2] = -100
    model.get_layer("out").set_weights([kernel, bias])
    return audit(model, x[900:1300], y[900:1300], optvis={"layers": 3})


def saturated() -> Report:
    x, y = digits(0, 5)
    model = train(x[:400], y[:400], convnet(5), "sparse_categorical_crossentropy")
    kernel, bias = model.get_layer("d1").get_weights()
    model.get_layer("d1").set_weights([kernel * 40, bias])
    return audit(model, x[400:700], y[400:700])


def broken() -> Report:
    x, y = digits(0, 5)
    model = train(x[:400], y[:400], convnet(5), "sparse_categorical_crossentropy")
    kernel, bias = model.get_layer("c2").get_weights()
    kernel[0, 0, 0, 2] = np.nan
    model.get_layer("c2").set_weights([kernel, bias])
    return audit(model, x[400:600], y[400:600])


def unlabelled() -> Report:
    x, y = digits(0, 5)
    return audit(train(x[:400], y[:400], convnet(5), "sparse_categorical_crossentropy"), x[400:500])


def alone() -> Report:
    x, y = digits(0, 5)
    model = train(x[:400], y[:400], convnet(5), "sparse_categorical_crossentropy")
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "alone.keras")
        return audit(Path(folder) / "alone.keras")


REPORTS: dict[str, Callable[[], Report]] = {
    maker.__name__: cache(maker)
    for maker in (
        with_history,
        of_numbers,
        of_weak_classes,
        of_two_classes,
        of_logits,
        damaged,
        saturated,
        broken,
        unlabelled,
        alone,
    )
}


class Read:
    """A report as a reader sees it: blocks and findings by id."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.blocks = {b.id: b for section in report.sections for b in section.blocks}
        self.findings = {f.id: f for f in report.findings}

    def pairs(self, id_: str) -> dict[str, str]:
        """The rows of a block of keys and values; none without it."""
        return dict(self.blocks[id_].rows) if id_ in self.blocks else {}

    def rows(self, id_: str) -> list[dict[str, Any]]:
        """The rows of a table by its header; none without it."""
        block = self.blocks.get(id_)
        header = getattr(block, "header", ())  # some say in words that there is nothing to list
        return [dict(zip(header, row, strict=True)) for row in block.rows] if header else []

    def array(self, section: str, name: str) -> np.ndarray | None:
        return self.report.arrays.get(f"{section}/{name}")

    def done(self, section: str) -> bool:
        return section in self.report and self.report[section].status == "done"


def numbers(text: str) -> list[float]:
    """All numbers in a text; of thousands without their commas."""
    plain = re.sub(r"(?<=\d)[,\u2009](?=\d{3})", "", text).replace("\u2212", "-")
    return [float(n) for n in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", plain)]


def same(said: float, exact: float, digits: int) -> None:
    """A number that was rounded to so many decimals."""
    assert abs(said - exact) <= 0.5000001 * 10.0**-digits, (said, exact)


Check = Callable[[Read], Iterator[None]]
CHECKS: list[Check] = []


def check(function: Check) -> Check:
    CHECKS.append(function)
    return function


@check
def counts_of_findings(read: Read) -> Iterator[None]:
    levels = Counter(f.level for f in read.report.findings)
    assert read.report.verdict.counts == {k: levels[k] for k in read.report.verdict.counts}
    for metric in read.report.metrics:
        assert metric.value == read.findings[metric.name].value
        yield
    named = [f.title for f in read.report.findings if f.level in ("warn", "fail")]
    if named:
        assert named[0] in read.report.verdict.sentence or len(named) > 3
        assert numbers(read.report.verdict.sentence)[0] >= 1
        yield


@check
def accuracy(read: Read) -> Iterator[None]:
    summary, outputs = (
        read.pairs("predictions-summary"),
        read.array("predictions", "record_outputs"),
    )
    if not summary:
        return
    confusion, finding = (
        read.array("predictions", "confusion"),
        read.findings["predictions.accuracy"],
    )
    share = float(np.trace(confusion) / confusion.sum())
    assert finding.value == pytest.approx(share, abs=1e-12)
    assert numbers(finding.message)[:2] == numbers(
        f"{numbers(summary['Accuracy'])[0]}% of {confusion.sum():.0f}"
    )
    same(numbers(summary["Accuracy"])[0], 100 * share, 1)
    assert numbers(summary["Accuracy"])[2:] == numbers(finding.message)[3:5]
    rows = read.rows("predictions-classes")
    right = sum(row["Recall"] * row["Samples"] for row in rows)
    assert right == pytest.approx(np.trace(confusion), abs=1e-6)
    assert sum(row["Samples"] for row in rows) == confusion.sum()
    same(
        numbers(summary["Most frequent class"])[0], 100 * max(confusion.sum(1)) / confusion.sum(), 1
    )
    targets = read.array("predictions", "record_targets")
    finite = np.isfinite(outputs).all(axis=1)
    assert float((outputs.argmax(1) == targets)[finite].mean()) == pytest.approx(share)
    yield


@check
def scores_of_probabilities(read: Read) -> Iterator[None]:
    summary, outputs = (
        read.pairs("predictions-summary"),
        read.array("predictions", "record_outputs"),
    )
    if not summary or read.report.subject.task not in ("softmax", "logits"):
        return
    targets = read.array("predictions", "record_targets")
    kept = np.isfinite(outputs).all(axis=1)
    given = outputs[kept][np.arange(kept.sum()), targets[kept]]
    same(float(summary["Log loss"]), -np.log(np.clip(given, 1e-15, 1)).mean(), 4)
    truth = np.eye(outputs.shape[1])[targets[kept]]
    same(float(summary["Brier score"]), ((outputs[kept] - truth) ** 2).sum(1).mean(), 4)
    yield


@check
def calibration(read: Read) -> Iterator[None]:
    summary, finding = read.pairs("predictions-summary"), read.findings["predictions.calibration"]
    if not summary:
        return
    error, plain = numbers(summary["Calibration error"])
    same(error, finding.value, 3)
    said = numbers(finding.message)
    same(said[0], finding.value, 3)
    low, high = said[1:3]
    assert low <= said[0] <= high
    outputs, targets = (read.array("predictions", f"record_{n}") for n in ("outputs", "targets"))
    kept = np.isfinite(outputs).all(axis=1)
    sure, right = outputs[kept].max(1), outputs[kept].argmax(1) == targets[kept]
    gap = abs(float((sure - right).mean()))
    assert finding.value >= gap - 1e-9  # the mean of sizes is at least the size of the mean
    assert plain >= gap - 5e-4
    (measured,) = [s for s in read.blocks["predictions-reliability"].series if s.name == "measured"]
    assert max(measured.x) <= 1
    yield


@check
def mistakes(read: Read) -> Iterator[None]:
    confusion = read.array("predictions", "confusion")
    if confusion is None:
        return
    off = confusion - np.diag(np.diag(confusion))
    said = read.blocks["predictions-confusion"]
    assert said.caption.endswith(said.alt.split("classes. ")[1])
    if off.max():
        pairs = int((off == off.max()).sum())
        text = said.caption.split("(columns). ")[1]
        assert ("most frequent mistake:" in text) == (pairs == 1)
        assert re.search(rf"\b{off.max():.0f} times?\b", text)
    if block := read.blocks.get("predictions-mistakes"):
        shown, found = numbers(block.caption)[:2]
        assert (shown, found) == (len(block.panels[0].labels), off.sum())
        assert numbers(block.alt)[0] == shown
        yield
    if block := read.blocks.get("predictions-kinds"):
        labels = block.panels[0].labels
        found, above, shown, *left = numbers(block.caption)
        assert found == (off > 0).sum()
        assert shown == len(labels)
        assert found == above + shown + (left[0] if left else 0)
        frequent = [numbers(label.detail)[-1] for label in labels]
        assert frequent == sorted(frequent, reverse=True)
        yield


@check
def classes_never_predicted(read: Read) -> Iterator[None]:
    finding, rows = read.findings["predictions.class_collapse"], read.rows("predictions-classes")
    if not rows:
        return
    rates = {r["Class"]: r["Predicted"] / r["Samples"] for r in rows if r["Samples"]}
    assert finding.value == pytest.approx(min(rates.values()))
    for row in rows:
        if said := re.search(
            rf"{re.escape(row['Class'])} is never predicted \((\d+)", finding.message
        ):
            assert (row["Predicted"], row["Samples"]) == (0, int(said[1]))
            yield


@check
def samples_and_parameters(read: Read) -> Iterator[None]:
    card, identity = read.report.subject, read.pairs("overview-identity")
    assert numbers(identity["Parameters"])[0] == card.parameters
    rows = read.rows("overview-layers")
    counted = sum(r["Parameters"] for r in rows if r["Parameters"] != "shared")
    assert counted == card.parameters
    said = numbers(read.blocks["overview-layers"].caption)
    assert said[0] == len(rows)
    same(said[1], sum(r["FLOPs"] or 0 for r in rows) / 1e6, 2)
    same(said[2], sum(r["Activation KiB"] for r in rows) / 1024, 2)
    if card.samples:
        pairs = read.pairs("overview-samples")
        assert numbers(pairs["Audited"])[:2] == [card.samples, card.samples_found]
    if bars := read.blocks.get("overview-classes"):
        values = bars.values[0]
        assert numbers(bars.caption)[:1] == [min(values)]
        assert sum(values) == card.samples
        assert numbers(bars.alt)[0] == len(values)
    yield


@check
def channels_that_never_change(read: Read) -> Iterator[None]:
    finding = read.findings["features.dead_channels"]
    if not read.done("feature_maps") or finding.level in ("pass", "not_applicable"):
        return
    bars = read.blocks.get("feature_maps-dead")
    flags = [r for r in read.rows("feature_maps-flags") if r["Check"] == "never changes"]
    dead = dict(zip(bars.names, bars.values[1], strict=True)) if bars else {}
    assert dead == {r["Layer"]: r["Channels"] for r in flags}
    if dead:
        of, channels = numbers(finding.message)[:2]
        assert of == sum(dead.values())
        alive = dict(zip(bars.names, bars.values[0], strict=True))
        shares = {name: n / (n + alive[name]) for name, n in dead.items()}
        assert finding.value in (
            pytest.approx(max(shares.values())),
            pytest.approx(sum(dead.values()) / channels),
        )
    units = {r["Layer"]: r for r in read.rows("feature_maps-units")}
    for name, count in dead.items():
        if name in units:  # which also counts channels whose filter is zero
            assert units[name]["Never change"] >= count
    yield


@check
def the_census_and_its_tables(read: Read) -> Iterator[None]:
    if not read.done("feature_maps"):
        return
    tables = {k: v for k, v in read.report.arrays.items() if k.startswith("feature_maps/census_")}
    for row in read.rows("feature_maps-units"):
        (table,) = [v for k, v in tables.items() if k.endswith(slug(0, row["Layer"])[1:])]
        assert row["Units"] == len(table)
        means = (table[:, 0].mean(), table[:, 1].mean(), table[:, 3].max())
        for said, exact in zip((row["Mean"], row["Spread"], row["Highest"]), means, strict=True):
            if np.isfinite(exact):
                assert said == pytest.approx(exact, rel=1e-9)
            else:
                assert said is None
        yield
    for row in read.rows("feature_maps-classes"):
        (table,) = [v for k, v in tables.items() if k.endswith(slug(0, row["Layer"])[1:])]
        assert row["r"] == pytest.approx(np.nanmax(table[:, 8]), rel=1e-9)
        low, high = numbers(row["Interval"])
        assert low <= row["r"] + 0.005
        assert row["r"] <= high + 0.005
        for block in read.blocks.values():  # the same unit beside its samples
            if block.id.startswith("feature_maps-excites") and row["Layer"] in (block.title or ""):
                for panel in block.panels:
                    if panel.title == f"unit {row['Clearest']}" and "r = " in panel.note:
                        same(numbers(panel.note.split("r =")[1])[0], row["r"], 2)
                        yield


@check
def the_curve_through_the_layers(read: Read) -> Iterator[None]:
    rows, lines = read.rows("feature_maps-depth-table"), read.blocks.get("feature_maps-depth")
    if lines is None:
        return
    (curve,) = [s for s in lines.series if s.style == "line"]
    assert len(rows) == len(curve.y) == numbers(lines.alt)[0]
    for row, share in zip(rows, curve.y, strict=True):
        same(numbers(row["Told right"])[0], 100 * share, 1)
        yield
    first, last = numbers(lines.alt)[1:]
    same(first, 100 * curve.y[0], 0)
    same(last, 100 * curve.y[-1], 0)


@check
def the_embedding(read: Read) -> Iterator[None]:
    block = read.blocks.get("feature_maps-embedding")
    if block is None:
        return
    points = sum(len(s.x) for s in block.series if s.style == "points")
    rings = sum(len(s.x) for s in block.series if s.style == "rings")
    assert numbers(block.caption)[0] == numbers(block.alt)[0] == points
    assert ("Mistakes are ringed" in block.caption) == bool(rings)
    if rings:
        assert f"ringed ({rings})" in block.caption
    rows = read.array("feature_maps", "record_embedding_rows")
    assert len(rows) == points
    yield


@check
def weights_and_their_flags(read: Read) -> Iterator[None]:
    tensors, flags = read.rows("weights-tensors"), read.rows("weights-flags")
    assert numbers(read.blocks["weights-tensors"].caption)[0] == len(tensors)
    for id_, title in (
        ("weights.dead_filters", "Dead filters"),
        ("weights.duplicate_filters", "Duplicate filters"),
        ("weights.non_finite", "NaN or infinity in a parameter"),
    ):
        finding = read.findings[id_]
        if finding.level in ("pass", "not_applicable"):
            assert finding.value == 0
            continue
        assert numbers(finding.message)[0] == finding.value
        assert title == finding.title
        yield
    assert flags or all(
        read.findings[id_].level == "pass"
        for id_ in ("weights.dead_filters", "weights.duplicate_filters", "weights.non_finite")
    )
    for index, row in enumerate(read.rows("weights-spectra")):
        values = read.array("weights", f"record_singular_values_{slug(index, row['Kernel'])}")
        norm = numbers(row["Spectral norm (random)"].split("(")[0])[0]
        assert norm == pytest.approx(values[0], rel=6e-3)
        rank = numbers(row["Stable rank (random)"].split("(")[0])[0]
        assert rank == pytest.approx((values**2).sum() / values[0] ** 2, rel=6e-3)
        yield


@check
def optimised_pictures(read: Read) -> Iterator[None]:
    if not read.done("optvis"):
        return
    rows = read.rows("optvis-numbers")
    for layer in read.rows("optvis-layers"):
        name = "class" if layer["Layer"] == "classes" else layer["Layer"]
        assert layer["Units"] == sum(row["Layer"] == name for row in rows)
        yield
    scores = {k: v for k, v in read.report.arrays.items() if k.startswith("optvis/record_scores_")}
    for name, table in scores.items():
        layer = name.removeprefix("optvis/record_scores_")
        units = read.array("optvis", f"record_units_{layer}")
        mine = [r for r in rows if slug(0, r["Layer"])[1:] == layer.lstrip("0123456789")]
        if layer == "classes":
            mine = [r for r in rows if r["Layer"] == "class"]
        for row, best, unit in zip(mine, np.nanmax(table, axis=1), units, strict=True):
            assert row["Picture"] == pytest.approx(float(best), rel=1e-6)
            if np.isfinite(unit[1]) and row.get("Sample") is not None:
                assert row["Sample"] == pytest.approx(unit[1], rel=1e-6)
            yield
    for block in read.blocks.values():
        if block.id.startswith("optvis-units-"):
            assert numbers(block.alt)[0] == len(block.panels)
            for panel in block.panels:
                (row,) = [
                    r
                    for r in rows
                    if re.search(rf"of {re.escape(r['Layer'])}[ .]", block.alt)
                    and f"unit {r['Unit']}" == panel.title
                ]
                if "× the strongest sample" in panel.note:
                    factor = numbers(panel.note)[0]
                    assert factor == pytest.approx(row["Picture"] / row["Sample"], rel=0.06)
                    yield


@check
def units_that_no_picture_excites(read: Read) -> Iterator[None]:
    silent, units = read.rows("optvis-silent"), read.rows("feature_maps-units")
    never = {r["Layer"]: r["Never change"] for r in units}
    for row in silent:
        assert row["Tried"] == row["A picture excites"] + row["None does"] + row["Cannot be told"]
        assert row["Tried"] <= row["Never change"]
        assert never[row["Layer"]] == row["Never change"]
        assert len(numbers(row["Which none excites"])) == row["None does"]
        yield
    finding = read.findings["optvis.unresponsive_units"]
    for row in silent:
        if row["None does"] and finding.level in ("note", "warn"):
            said = re.search(
                rf"{re.escape(row['Layer'])} \((\d+) of (\d+) searched", finding.message
            )
            assert said
            found = (int(said[1]), int(said[2]))
            assert found == (row["None does"], row["A picture excites"] + row["None does"])
            yield


@check
def cells_of_planes(read: Read) -> Iterator[None]:
    ledger = {row["Plane"]: row for row in read.rows("landscape-ledger")}
    ids = {"random plane": "random", "plane of the training path": "path"}
    ids |= {"plane of the outermost curvatures": "hessian", "random plane 2": "random_2"}
    ids |= {"random plane 3": "random_3"}
    for name, row in ledger.items():
        states = read.array("loss_landscape", f"record_{ids[name]}_states")
        losses = read.array("loss_landscape", f"record_{ids[name]}_loss")
        counts = [int((states == state).sum()) for state in range(5)]
        kinds = ("Measured", "Interpolated", "Not finite", "Beyond", "Missing")
        assert counts == [row[kind] for kind in kinds]
        assert row["Cells"] == states.size
        if block := read.blocks.get(f"landscape-{ids[name]}"):
            if said := re.search(r"Only ([\d,]+) of ([\d,]+) cells", block.caption):
                assert numbers(said[0]) == [counts[MEASURED], states.size]
            low, high = numbers(block.alt.split("measured loss")[1])[:2]
            measured = losses[states == MEASURED]
            assert low == pytest.approx(measured.min(), rel=6e-3)
            assert high == pytest.approx(measured.max(), rel=6e-3)
            drawn = read.report.arrays[block.values]
            np.testing.assert_allclose(drawn, losses, rtol=1e-6)
        yield
    if further := read.blocks.get("landscape-further"):
        for label in further.panels[0].labels:
            if "cells measured" in label.detail:
                measured, of = numbers(label.detail.split(";")[1])
                row = ledger[label.text]
                assert (measured, of) == (row["Measured"], row["Cells"])
                yield
    for row in read.rows("landscape-lower"):
        assert row["Of cells"] == ledger[row["Plane"]]["Measured"]
        yield


@check
def the_loss_at_the_model(read: Read) -> Iterator[None]:
    facts, losses = read.pairs("landscape-facts"), read.array("loss_landscape", "record_losses")
    if losses is None:
        return
    assert numbers(facts["At the model"])[0] == pytest.approx(losses.mean(), rel=6e-5)
    used, available = numbers(facts["Samples"])[:2]
    assert used == len(losses) == len(read.array("loss_landscape", "record_samples"))
    assert available == read.report.subject.samples
    if used == available and "Log loss" in read.pairs("predictions-summary"):
        accuracy = numbers(read.pairs("predictions-summary")["Accuracy"])[0]
        assert numbers(facts["Right answers"])[0] == accuracy
        if "crossentropy" in facts["Loss"]:
            log_loss = float(read.pairs("predictions-summary")["Log loss"])
            assert losses.mean() == pytest.approx(log_loss, abs=2e-4 * max(1, log_loss))
    elif "Right answers" in facts:
        assert f"of these {used:,.0f} samples" in facts["Right answers"]
    yield


@check
def curvature(read: Read) -> Iterator[None]:
    rows, kept = (
        read.rows("landscape-eigenvalues"),
        read.array("loss_landscape", "record_eigenvalues"),
    )
    if not rows:
        return
    np.testing.assert_allclose([[r["Eigenvalue"], r["Residual"]] for r in rows], kept)
    smallest = next(r for r in rows if r["End"] == "smallest")
    finding = read.findings["landscape.negative_curvature"]
    assert finding.value == smallest["Eigenvalue"]
    assert numbers(finding.message)[0] == pytest.approx(smallest["Eigenvalue"], rel=6e-3)
    sums, draws = (
        read.pairs("landscape-curvature"),
        read.array("loss_landscape", "record_trace_draws"),
    )
    if draws is not None:
        value, _, low, high, count = numbers(sums["Sum of all eigenvalues, by random signs"])
        assert value == pytest.approx(draws.mean(), rel=6e-3)
        assert count == len(draws)
        assert low <= value <= high
    nodes = read.array("loss_landscape", "record_density_nodes")
    weights = read.array("loss_landscape", "record_density_weights")
    if nodes is not None:
        size = numbers(sums["Weights that move"])[0]
        trace = size * (nodes * weights).sum(1).mean()
        assert numbers(sums["The same from their spread"])[0] == pytest.approx(trace, rel=6e-3)
    yield


@check
def the_path(read: Read) -> Iterator[None]:
    rows, finding = read.rows("landscape-records"), read.findings["landscape.plane_fidelity"]
    if not rows:
        return
    pairs = read.pairs("landscape-fidelity")
    lengths = np.array([row["Distance to the model"] for row in rows])
    outside = np.array([row["To the plane"] for row in rows])
    held = 1 - (outside**2).sum() / (lengths**2).sum()
    assert finding.value == pytest.approx(held, abs=1e-9)
    same(numbers(pairs["Share of the path that the plane holds"])[0], 100 * held, 0)
    same(numbers(finding.message)[0], 100 * held, 0)
    by_direction = numbers(pairs["Share by direction, the plane's two first"])
    same(sum(by_direction[:2]), 100 * held, 0)
    axes = read.blocks["landscape-path"]
    for label, said in zip((axes.x_label, axes.y_label), by_direction, strict=False):
        assert numbers(label)[0] == pytest.approx(said, abs=0.51)
    for row in rows:
        assert row["Difference"] == pytest.approx(row["Loss"] - row["Loss in the plane"], abs=1e-9)
    assert f"of {len(rows)} records" in finding.message
    yield


@check
def what_the_page_prints(read: Read) -> Iterator[None]:
    """The sentences of report.json stand in the page, word for word."""
    from html import unescape

    page = unescape(re.sub(r"<[^>]+>", "", read.report.to_html()))
    plain = re.sub(r"[\s\u00a0\u2060]+", " ", page)
    for finding in read.report.findings:
        if finding.level in ("note", "warn", "fail"):
            assert re.sub(r"\s+", " ", finding.message) in plain, finding.id
            yield


@cache
def compare(name: str) -> Counter[str]:
    """How many facts each check compared in a report."""
    read = Read(REPORTS[name]())
    return Counter({one.__name__: sum(1 for _ in one(read)) for one in CHECKS})


@pytest.mark.parametrize("name", REPORTS)
def test_numbers_in_two_places_agree(name):
    assert sum(compare(name).values()) > 10


def test_each_check_had_something_to_compare():
    compared = sum(map(compare, REPORTS), Counter[str]())
    assert {one.__name__ for one in CHECKS} == {name for name, n in compared.items() if n}
    assert sum(compared.values()) > 300
