"""A synthetic report with every kind of block and every level of finding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reportgen.report.blocks import (
    Bars,
    Block,
    ColourScale,
    Graph,
    GraphNode,
    HeatMap,
    ImageGrid,
    KeyValues,
    Lines,
    Panel,
    Series,
    Share,
    Spark,
    Table,
    Text,
    TileLabel,
    as_finite,
)
from reportgen.report.cards import Environment, Skipped, SubjectCard
from reportgen.report.findings import Finding, Verdict
from reportgen.report.report import Report
from reportgen.report.sections import Section

from .landscape import landscape_arrays, landscape_section

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
Array = NDArray[Any]


def smooth(values: Array, times: int = 3) -> Array:
    """Blur the last two axes, so that noise looks like a map."""
    for _ in range(times):
        for axis in (-1, -2):
            values = (np.roll(values, 1, axis) + 2 * values + np.roll(values, -1, axis)) / 4
    return values


def make_arrays() -> dict[str, Array]:
    """The arrays of the synthetic report, by ``section/key``."""
    rng = np.random.default_rng(7)
    rgb = smooth(rng.normal(size=(24, 3, 32, 32)), 6)
    rgb = (rgb - rgb.min()) / (rgb.max() - rgb.min())
    samples = (rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
    yy, xx = np.mgrid[-1:1:32j, -1:1:32j]
    for index, sample in enumerate(samples):
        x, y = rng.uniform(-0.3, 0.3, 2)
        inside = (xx - x) ** 2 + (yy - y) ** 2 < rng.uniform(0.15, 0.4)
        sample[inside] = (np.array([230, 180, 60]) * (0.5 + index / 48)).astype(np.uint8)
    confusion = rng.poisson(1.2, (10, 10)).astype(float)
    confusion[np.arange(10), np.arange(10)] = rng.integers(70, 98, 10)
    arrays: dict[str, Array] = {
        "predictions/samples": samples,
        "predictions/confusion": confusion,
        "weights/conv1": rng.normal(scale=0.3, size=(8, 3, 3)),
        "weights/big": smooth(rng.normal(size=(32, 7, 7)), 1),
        "feature_maps/input": samples[:1],
        "optvis/units": np.repeat(np.repeat(samples[:8], 4, 1), 4, 2),
        "attributions/maps": smooth(rng.normal(size=(12, 32, 32)), 4),
        **landscape_arrays(),
    }
    arrays["feature_maps/dead"] = np.maximum(smooth(rng.normal(size=(64, 16, 16))), 0)
    arrays["feature_maps/dead"][10:14] = 0
    arrays["feature_maps/dead"][20, :4] = np.nan
    side = 30
    for name in ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2"):
        side = side // 2 if name.startswith("pool") else side
        maps = smooth(rng.normal(size=(8, side, side)))
        arrays[f"feature_maps/{name}"] = np.maximum(maps, 0) if name != "conv1" else maps
    return arrays


def make_graph(blocks: int = 6) -> Graph:
    """A small residual network."""
    nodes = [GraphNode(id="in", title="input", detail="32 x 32 x 3", group="input")]
    edges: list[tuple[int, int]] = []

    def add(title: str, detail: str, group: Any, *sources: int) -> int:
        nodes.append(GraphNode(id=f"n{len(nodes)}", title=title, detail=detail, group=group))
        edges.extend((source, len(nodes) - 1) for source in sources)
        return len(nodes) - 1

    last = add("conv_stem", "Conv2D 3x3, 16", "conv", 0)
    for index in range(blocks):
        first = add(f"block{index}_conv1", "Conv2D 3x3, 32", "conv", last)
        norm = add(f"block{index}_bn", "BatchNormalization", "norm", first)
        relu = add(f"block{index}_relu", "ReLU", "activation", norm)
        second = add(f"block{index}_conv2", "Conv2D 3x3, 32", "conv", relu)
        last = add(f"block{index}_add", "Add", "merge", second, last)
    pool = add("global_average_pooling2d", "to 64 numbers", "pool", last)
    add("predictions", "Dense 10, softmax", "dense", pool)
    return Graph(
        id="overview-graph",
        title="Architecture",
        nodes=tuple(nodes),
        edges=tuple(edges),
        alt="The layers of the model from input to output.",
        caption="Data flows down each column and on at the head of the next. "
        "Blue curves are skip connections.",
    )


def _overview() -> Section:
    spark = Spark(
        values=tuple(float(v) for v in np.exp(-(np.linspace(-2, 2, 24) ** 2))),
        alt="weights spread like a bell",
    )
    rows = tuple(
        (f"block{i}_conv1", "Conv2D", "32 x 32 x 32", 9_248 * (i + 1), 0.0123 * (i + 1), spark)
        for i in range(14)
    )
    blocks: tuple[Block, ...] = (
        make_graph(),
        Table(
            id="overview-layers",
            title="Layers",
            rows=rows,
            header=("Layer", "Type", "Output", "Parameters", "Spread", "Weights"),
            caption="Every layer with parameters. Look for a spread far from its neighbours'.",
        ),
        KeyValues(
            id="overview-training",
            title="Training",
            caption="As the file tells it.",
            rows=(
                ("Optimiser", "Adam, learning rate 0.001"),
                ("Loss", "categorical cross-entropy"),
            ),
        ),
    )
    findings = (
        Finding(
            id="model.repaired",
            level="note",
            title="The file needed a repair",
            message="The configuration of 2 layers used a name that Keras 3 dropped; "
            "it was read as its successor. Save the model again to make this permanent.",
            value=2,
            unit="layers",
            evidence="overview-layers",
        ),
        Finding(
            id="model.unsafe_content",
            level="pass",
            title="The file holds no code",
            message="No Lambda layer and no custom object.",
        ),
        Finding(
            id="inputs.skipped",
            level="pass",
            title="All samples could be read",
            message="None was left out.",
            value=0,
            unit="%",
            threshold=5,
        ),
    )
    return Section(
        id="overview",
        title="The model",
        status="done",
        findings=findings,
        why="What the file holds: its layers, its size and how it is wired.",
        blocks=blocks,
        method=("Layers are counted as Keras lists them.",),
        seconds=0.42,
        peak_memory_bytes=51_000_000,
    )


def _predictions() -> Section:
    rng = np.random.default_rng(3)
    labels = tuple(
        TileLabel(
            text=CLASSES[i % 10],
            detail=f"predicted {CLASSES[(i * 3) % 10]}",
            tone="good" if (i * 3) % 10 == i % 10 else "bad",
            shares=tuple(
                Share(
                    name=CLASSES[(i * 3 + k) % 10],
                    value=v,
                    tone="good" if (i * 3 + k) % 10 == i % 10 else "plain",
                )
                for k, v in enumerate((0.71, 0.18, 0.06))
            ),
        )
        for i in range(10)
    )
    x = np.linspace(0.05, 0.95, 10)
    y = x**1.4
    blocks: tuple[Block, ...] = (
        ImageGrid(
            id="predictions-suspects",
            title="Labels that the model contradicts",
            caption="The ten samples where the model is surest that the label is wrong. "
            "Look first at whether the label or the model is right.",
            alt="Ten samples with their three most likely classes.",
            panels=(Panel(tiles="predictions/samples", columns=5, labels=labels),),
        ),
        HeatMap(
            id="predictions-confusion",
            title="Confusion matrix",
            values="predictions/confusion",
            scale=ColourScale(low=0, high=98, map="viridis", unit="samples"),
            row_title="Label",
            column_title="Predicted",
            row_labels=CLASSES,
            column_labels=CLASSES,
            alt="Confusion matrix of ten classes.",
            caption="Rows are labels, columns predictions. Off the diagonal are mistakes.",
        ),
        Lines(
            id="predictions-calibration",
            title="Calibration",
            square=True,
            x_label="Confidence",
            y_label="Accuracy",
            x_range=(0, 1),
            y_range=(0, 1),
            series=(
                Series(name="perfect", x=(0, 1), y=(0, 1), style="reference"),
                Series(
                    name="model",
                    x=as_finite(x),
                    y=as_finite(y),  # type: ignore[arg-type]
                    low=as_finite(y - 0.05),
                    high=as_finite(y + 0.05),
                ),
                Series(
                    name="after temperature 1.6",
                    style="points",
                    x=as_finite(x),
                    y=as_finite(x + rng.normal(0, 0.02, 10)),
                ),  # type: ignore[arg-type]
            ),
            alt="Accuracy against confidence; the model is below the diagonal.",
            caption="Below the diagonal the model is surer than it is right.",
        ),
        Bars(
            id="predictions-recall",
            title="Recall by class",
            names=CLASSES,
            series=("clean", "with noise"),
            value_label="Recall",
            values=(tuple(rng.uniform(0.7, 0.99, 10)), tuple(rng.uniform(0.4, 0.9, 10))),
            alt="Recall of ten classes, clean and with noise.",
            caption="Noise of standard deviation 0.05 costs the animals most.",
        ),
    )
    findings = (
        Finding(
            id="predictions.accuracy",
            level="pass",
            title="Better than the majority class",
            message="Accuracy is 0.87 against 0.10 for always answering the same class.",
            value=0.87,
            threshold=0.1,
        ),
        Finding(
            id="predictions.calibration",
            level="warn",
            title="Too sure of itself",
            message="Where the model says 90 %, it is right in 81 %. Fit a temperature on "
            "held-out samples before its probabilities are shown to people.",
            value=0.124,
            threshold=0.10,
            evidence="predictions-calibration",
        ),
        Finding(
            id="predictions.suspect_labels",
            level="note",
            title="Ten labels look wrong",
            message="The model contradicts these labels with a probability above 0.7. "
            "Look at them and correct those that are wrong.",
            value=10,
            unit="samples",
            evidence="predictions-suspects",
        ),
        Finding(
            id="predictions.unstable",
            level="error",
            title="Stability could not be measured",
            message="ValueError: the JPEG encoder refused images with 5 channels.",
        ),
    )
    return Section(
        id="predictions",
        title="Predictions",
        status="done",
        findings=findings,
        why="How often the model is right, how sure it is, and where it errs.",
        blocks=blocks,
        seconds=12.3,
        method=(
            "Calibration error: 15 bins of equal mass, debiased (Kumar et al. 2019).",
            "Intervals are 95 % bootstrap intervals.",
        ),
    )


def _feature_maps() -> Section:
    journey = tuple(
        [Panel(title="input", note="32 x 32", tiles="feature_maps/input", columns=1)]
        + [
            Panel(
                title=name,
                note="8 of 32 channels",
                columns=4,
                tiles=f"feature_maps/{name}",
                scale=ColourScale(
                    low=-0.6 if name == "conv1" else 0,
                    high=0.6,
                    map="signed" if name == "conv1" else "magma",
                ),
            )
            for name in ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2")
        ]
        + [
            Panel(
                title="output",
                note="the three largest",
                shares=(
                    Share(name="cat", value=0.71, tone="good"),
                    Share(name="dog", value=0.2),
                    Share(name="frog", value=0.0004),
                ),
            )
        ]
    )
    signed = ColourScale(low=-0.6, high=0.6, map="signed", unit="weight")
    blocks: tuple[Block, ...] = (
        ImageGrid(
            id="feature_maps-journey",
            title="One sample on its way through",
            caption="Each panel shows the same eight channels in order. Structure should "
            "grow coarser and more selective from left to right.",
            alt="Feature maps of one sample, layer by layer.",
            panels=journey,
        ),
        ImageGrid(
            id="feature_maps-dead",
            title="Channels of conv2",
            alt="64 channels of conv2.",
            caption="All channels for the same sample, on one scale. The even ones are dead.",
            panels=(
                Panel(
                    title="conv2",
                    note="64 channels",
                    tiles="feature_maps/dead",
                    columns=16,
                    scale=ColourScale(low=0, high=0.6, map="viridis", unit="activation"),
                ),
            ),
        ),
        ImageGrid(
            id="weights-kernels",
            title="Kernels of conv1",
            alt="Eight kernels, 3 x 3.",
            caption="Weights to the red channel. Red is positive, blue negative.",
            panels=(
                Panel(title="conv1", tiles="weights/conv1", columns=8, numbers=True, scale=signed),
            ),
        ),
        ImageGrid(
            id="attributions-maps",
            title="What the prediction rests on",
            alt="Samples and attribution maps.",
            caption="Red speaks for the class, blue against it.",
            panels=(
                Panel(
                    title="Integrated gradients",
                    tiles="attributions/maps",
                    columns=6,
                    labels=tuple(TileLabel(text=CLASSES[i % 10]) for i in range(12)),
                    scale=signed,
                ),
            ),
        ),
        ImageGrid(
            id="optvis-units",
            title="What excites the units",
            alt="Optimised images.",
            caption="Images found by gradient ascent.",
            panels=(
                Panel(
                    title="conv5",
                    tiles="optvis/units",
                    columns=4,
                    labels=tuple(TileLabel(text=f"unit {i}") for i in range(8)),
                ),
            ),
        ),
        Text(
            id="feature_maps-reading",
            title="How to read this",
            caption="A dead channel is even.",
            paragraphs=(
                "It costs time and memory and says nothing. Prune it, or train with a "
                "smaller learning rate.",
            ),
        ),
        Lines(
            id="feature_maps-loss",
            title="Loss while training",
            x_label="Step",
            y_label="Loss",
            y_log=True,
            alt="Loss falls from 2.3 to 0.3.",
            caption="Training and held-out loss.",
            series=(
                Series(
                    name="training",
                    x=tuple(range(1, 60)),
                    y=as_finite(2.3 * np.exp(-np.arange(1, 60) / 18) + 0.2),
                ),
                Series(
                    name="held out",
                    x=tuple(range(1, 60)),
                    y=as_finite(2.3 * np.exp(-np.arange(1, 60) / 20) + 0.35),
                ),
            ),
        ),
    )
    findings = (
        Finding(
            id="features.dead_channels",
            level="fail",
            title="Four channels of conv2 are dead",
            message="Channels 10 to 13 are zero for every sample and position. Remove them, "
            "or train again with a smaller learning rate.",
            value=4,
            unit="channels",
            threshold=0,
            evidence="feature_maps-dead",
        ),
        Finding(
            id="features.saturated",
            level="not_applicable",
            title="Saturation",
            message="The model has no bounded activation (sigmoid, tanh).",
        ),
        Finding(
            id="features.non_finite",
            level="pass",
            title="All activations are finite",
            message="No NaN and no infinity in 24 samples.",
        ),
    )
    return Section(
        id="feature_maps",
        title="Feature maps",
        status="done",
        findings=findings,
        why="What each layer passes on, and which channels carry nothing.",
        blocks=blocks,
        method=("24 samples, drawn with seed 0.",),
        seconds=3.1,
    )


def make_report() -> Report:
    """The synthetic report with its arrays."""
    landscape = Section(
        id="loss_landscape",
        title="Loss landscape",
        status="not_applicable",
        why="Whether training ended in a minimum, and how sharp it is.",
        findings=(
            Finding(
                id="landscape.not_a_minimum",
                level="not_applicable",
                title="The end of training",
                message="The samples have no labels. Give them with --labels.",
            ),
        ),
    )
    subject = SubjectCard(
        name="cifar_resnet_v2.keras",
        file_format="Keras v3",
        sha256="9f2c" * 16,
        size_bytes=4_213_004,
        keras_version="3.15.1",
        task="softmax",
        task_reason="the last layer is a softmax over 10 units",
        input_shape=(None, 32, 32, 3),
        input_kind="image",
        outputs=("predictions",),
        parameters=1_234_567,
        layers=38,
        conv_layers=13,
        classes=CLASSES,
        class_order="from the folder names",
        samples=500,
        samples_found=512,
        labelled=True,
        split="test",
        preprocessing="unit (x / 255)",
        resize="none",
        skipped=(Skipped(cause="not an image", count=12, examples=("notes.txt", "Thumbs.db")),),
        history_steps=59,
        samples_sha256="77aa" * 16,
    )
    environment = Environment(
        created="2026-03-01T12:00:00+00:00",
        reportgen="0.1.0",
        versions={"python": "3.11.9", "tensorflow": "2.21.0", "keras": "3.15.1"},
        device="CPU",
        host="2 cores",
        seed=0,
        preset="standard",
        options={
            "predictions": {"bins": 15, "noise": [0.01, 0.05]},
            "feature_maps": {"samples": 24},
        },
        command=("reportgen", "audit", "cifar_resnet_v2.keras"),
    )
    verdict = Verdict(
        level="fail",
        counts={"fail": 1, "error": 1, "warn": 1, "note": 2, "pass": 4},
        sentence="One check failed and one warned: conv2 has dead channels, "
        "and the model is too sure of itself.",
    )
    report = Report(
        verdict=verdict,
        subject=subject,
        environment=environment,
        sections=(_overview(), _predictions(), _feature_maps(), landscape_section(), landscape),
    )
    return report.with_arrays(make_arrays())


@pytest.fixture(scope="session")
def report() -> Report:
    """The synthetic report."""
    return make_report()


def make_front(report: Report, count: int) -> Report:
    """``report`` with ``count`` sections of one picture each, all of them on the front page."""
    blocks = {block.id: block for section in report.sections for block in section.blocks}
    chosen = (
        "overview-graph",
        "predictions-suspects",
        "predictions-calibration",
        "feature_maps-dead",
        "weights-kernels",
        "attributions-maps",
        "curvature-plane",
        "optvis-units",
    )
    title = "What the model makes of each class, from the first to the last"
    sections = tuple(
        Section(
            id=block.split("-")[0] + f"_{index}",
            title="Optimised images",
            why="To be seen.",
            status="done",
            findings=(),
            blocks=(blocks[block].model_copy(update={"title": title}),),
        )
        for index, block in enumerate(chosen[:count])
    )
    return report.model_copy(update={"sections": sections}).with_arrays(report.arrays)
