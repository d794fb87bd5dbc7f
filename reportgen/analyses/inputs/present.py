"""How the samples reach the model, as blocks."""

from __future__ import annotations

import json
from typing import Any

from numpy.typing import NDArray

from reportgen.analyses.inputs.batchnorm import FAR, StoredStatistics
from reportgen.analyses.inputs.class_order import ClassOrder
from reportgen.analyses.inputs.compute import InputsResult
from reportgen.analyses.inputs.copy_blocks import list_blanks, show_copies
from reportgen.analyses.inputs.findings import judge
from reportgen.analyses.inputs.paired import IMPROBABLE, least_gain
from reportgen.analyses.inputs.resizing import Resizings
from reportgen.analyses.inputs.scaling import Scalings
from reportgen.analyses.inputs.stability_blocks import show_stability
from reportgen.analyses.inputs.suspect_blocks import show_suspects
from reportgen.analyses.inputs.wording import ORDER_FILE
from reportgen.report.blocks import (
    Attachment,
    Block,
    Cell,
    Lines,
    Series,
    Table,
    Text,
    as_finite,
)
from reportgen.report.sections import SectionBody


def present(result: InputsResult) -> SectionBody:
    """The tables of what was tried, and the files that mend what was found."""
    blocks: list[Block] = []
    if result.scalings.tried:
        blocks.append(_table_scalings(result.scalings))
    if result.scalings.fits:
        blocks.append(_table_fits(result.scalings))
    if result.order.names:
        blocks.append(_show_order(result))
    if result.order.moved:
        blocks.append(_attach_order(result.order))
    if result.resizings.tried:
        blocks.append(_table_resizings(result.resizings))
    if result.statistics.layers:
        blocks.append(_draw_statistics(result.statistics))
    arrays: dict[str, NDArray[Any]] = {}
    if result.labels.samples:
        blocks += show_suspects(result.labels, arrays)
    if result.stability.curves:
        blocks += show_stability(result.stability, arrays)
    blocks += show_copies(result.copies, arrays)
    if result.blanks.asked:
        blocks.append(list_blanks(result.blanks))
    return SectionBody(judge(result), tuple(blocks), _describe_method(result), arrays)


def _table_scalings(found: Scalings) -> Table:
    tried = len(found.tried)
    samples = found.tried[0].paired.samples
    declared: tuple[Cell, ...] = (
        f"{found.declared}, as declared",
        found.tried[0].paired.say(found.tried[0].paired.before),
        None,
        None,
        None,
    )
    rows = [
        (
            f"{one.name} ({one.words})",
            one.paired.say(one.paired.after),
            one.paired.gained,
            one.paired.lost,
            _say_p(one.paired.p * tried),
        )
        for one in sorted(found.tried, key=lambda one: -one.paired.after)
    ]
    same = [name for name in found.same if not found.declared.startswith(f"{name} ")]
    alike = (
        f" {', '.join(same)} {'gives' if len(same) == 1 else 'give'} the same numbers as declared."
        if same
        else ""
    )
    return Table(
        id="inputs-scaling",
        title="The same samples by other scalings",
        caption=(
            f"{samples:,} samples, each asked in every way. Right: with its 95 % interval. Only "
            "this way, only declared: samples that one of the two answers rightly and the other "
            "does not. By chance: how probable such a gain is if both ways are equally good, for "
            f"{tried} that are tried (exact McNemar test, Bonferroni); the check warns below "
            f"{IMPROBABLE}, so not of gains below {least_gain(tried)} samples.{alike}"
        ),
        header=("Scaling", "Right", "Only this way", "Only declared", "By chance"),
        rows=(declared, *rows),
    )


def _table_fits(found: Scalings) -> Table:
    return Table(
        id="inputs-scaling",
        title="Scalings beside what BatchNorm has stored",
        caption=(
            "There are no labels. Distance: the median over the BatchNormalizations of how far "
            "what the samples make is from what is stored, in stored deviations. The training had "
            "the scaling with the smallest one, up to the order of the colours, in all 28 networks "
            "that this was measured on."
        ),
        header=("Scaling", "Distance"),
        rows=(
            (f"{found.declared}, as declared", found.own),
            *((f"{fit.name} ({fit.words})", fit.distance) for fit in found.fits),
        ),
    )


def _say_p(p: float) -> str:
    if p >= 0.995:
        return "1"
    return f"{p:.2g}" if p >= 1e-6 else "below 1e−6"


def _show_order(result: InputsResult) -> Block:
    found, paired = result.order, result.order.paired
    title = "Names that fit the outputs better"
    groups = f"{found.doubtful} {'other ' if found.moved else ''}group"
    doubt = (
        f" {groups}{'s' if found.doubtful > 1 else ''} of outputs would fit better moved, but not "
        "on the half that the order was not fitted on, or without making every class of it right "
        "every second time: chance, or a weak model."
        if found.doubtful
        else ""
    )
    if not found.moved or paired is None:
        said = f"No output fits another name beyond chance.{doubt}"
        return Text(id="inputs-order", title=title, caption=said)
    return Table(
        id="inputs-order",
        title=title,
        caption=(
            "Outputs, counted from 0, that answer for another class than their name says. "
            f"{paired.say(paired.after)} of {paired.samples:,} samples are right with these names, "
            f"{paired.say(paired.before)} with the declared ones. Recall: how many samples of that "
            f"class are then right.{doubt}"
        ),
        header=("Output", "Named", "Is", "Recall"),
        rows=tuple(
            (output, result.classes[output], found.names[output], f"{recall:.1%}")
            for one in found.moved
            for output, recall in zip(one.outputs, one.recall, strict=True)
        ),
    )


def _table_resizings(found: Resizings) -> Table:
    first = found.tried[0].paired
    rows = [
        (
            one.rule.words,
            one.paired.say(one.paired.after),
            one.paired.gained,
            one.paired.lost,
            _say_p(one.paired.p * len(found.tried)),
        )
        for one in sorted(found.tried, key=lambda one: -one.paired.after)
    ]
    return Table(
        id="inputs-resizing",
        title="The same files by other rules of resizing",
        caption=(
            f"{first.samples:,} files, read again by every rule. The columns are those of the "
            f"scalings, for {len(found.tried)} rules that are tried."
        ),
        header=("Rule", "Right", "Only this way", "Only declared", "By chance"),
        rows=(
            (f"{found.declared.words}, as declared", first.say(first.before), None, None, None),
            *rows,
        ),
    )


def _draw_statistics(found: StoredStatistics) -> Lines:
    places = tuple(float(i + 1) for i in range(len(found.layers)))
    far = found.first
    said = f" {far.address} is the first above {FAR:g}." if far else f" None is above {FAR:g}."
    return Lines(
        id="inputs-batchnorm",
        title="How far the samples are from what BatchNorm has stored",
        caption=(
            "A point a BatchNormalization, in the order of the model: the median over its "
            "channels of how far what the samples make is from what is stored, in stored "
            f"deviations of the mean, or in powers of e of the deviation.{said}"
        ),
        alt=f"Distances of {len(found.layers)} layers, at most "
        f"{max(layer.distance for layer in found.layers):.2g}.",
        series=(
            Series(
                name="median distance",
                x=places,
                y=as_finite([layer.distance for layer in found.layers]),
                style="points",
            ),
            Series(name="far", x=(0.5, len(places) + 0.5), y=(FAR, FAR), style="reference"),
        ),
        x_label="BatchNormalization, in order",
        y_label="deviations",
    )


def _attach_order(found: ClassOrder) -> Attachment:
    return Attachment(
        id="inputs-classes",
        title="The class names in the order of the outputs",
        caption="A list for --classes.",
        name=ORDER_FILE,
        text=json.dumps(found.names, ensure_ascii=False, indent=1) + "\n",
    )


def _describe_method(result: InputsResult) -> tuple[str, ...]:
    if not result.samples:
        return (f"Nothing was asked: {result.unlabelled}",)
    lines = []
    if result.resizings.tried:
        lines.append(
            "Resizing: the same files, opened again; the other ways to fit by the declared "
            "interpolation, and the declared way by the interpolations that trainings use."
        )
    if result.statistics.layers:
        lines.append(
            "Statistics of BatchNorm: samples in batches of at least "
            f"{result.statistics.at_once}, in a drawn order as neighbours are of one class; each "
            "BatchNormalization uses the mean and variance of its batch, everything else is as in "
            "inference mode. Nothing is stored."
        )
    if result.labels.samples:
        lines.append(
            "Labels: confident learning (Northcutt et al. 2021), pruning by noise rate. What is "
            "usual: the 99 % quantile of 200 draws of labels from the model's probabilities, "
            "softened by a temperature that is fitted together with a share of wrong labels, so "
            "that wrong labels are not taken for a model that is too sure."
        )
    if result.stability.curves:
        lines.append(
            f"Changes: {result.stability.samples:,} of the samples. Strengths as of CIFAR-10-C "
            "for pictures of up to 64 pixels, as of ImageNet-C for larger ones (Hendrycks & "
            "Dietterich 2019); shifts in one of eight directions that is drawn for each sample, "
            "borders repeated; JPEG by Pillow; everything rounded to whole grey values."
        )
    drawn = "" if result.samples == result.of else f", drawn from {result.of:,} with the seed"
    return (
        f"{result.samples:,} samples{drawn}; every way is asked with the same ones, in inference "
        "mode. A way counts as better where the exact McNemar test, one-sided, gives less than "
        f"{IMPROBABLE} for all ways of its kind together (Bonferroni).",
        "The order of the classes is the assignment of outputs to labels with most right answers "
        "(scipy's linear_sum_assignment), where an output keeps its name unless samples speak "
        "against it. It is fitted on each half of the samples, by class, and held against the "
        "names on the other.",
        *lines,
    )
