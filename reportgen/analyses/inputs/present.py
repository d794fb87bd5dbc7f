"""How the samples reach the model, as blocks."""

from __future__ import annotations

from reportgen.analyses.inputs.class_order import ClassOrder
from reportgen.analyses.inputs.compute import InputsResult
from reportgen.analyses.inputs.findings import ORDER_FILE, judge
from reportgen.analyses.inputs.paired import IMPROBABLE, least_gain
from reportgen.analyses.inputs.scaling import Scalings
from reportgen.report.blocks import Attachment, Block, Cell, Table
from reportgen.report.sections import SectionBody


def present(result: InputsResult) -> SectionBody:
    """The tables of what was tried, and the files that mend what was found."""
    blocks: list[Block] = []
    if result.scalings.tried:
        blocks.append(_table_scalings(result.scalings))
    if result.order.names:
        blocks.append(_table_order(result))
    if result.order.moved:
        blocks.append(_attach_order(result.order))
    return SectionBody(judge(result), tuple(blocks), _describe_method(result))


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


def _say_p(p: float) -> str:
    if p >= 0.995:
        return "1"
    return f"{p:.2g}" if p >= 1e-6 else "below 1e−6"


def _table_order(result: InputsResult) -> Table:
    found = result.order
    paired = found.paired
    assert paired is not None
    rows = [
        (
            output,
            result.classes[output],
            found.names[output],
            recall,
        )
        for one in found.moved
        for output, recall in zip(one.outputs, one.recall, strict=True)
    ]
    doubt = (
        f" {found.doubtful} other group{'s' if found.doubtful > 1 else ''} of outputs would fit "
        "better moved, but not on the half that the order was not fitted on, or without making "
        "every class of it right every second time: chance, or a weak model."
        if found.doubtful
        else ""
    )
    right = (
        f" {paired.say(paired.after)} of {paired.samples:,} samples are right with these names, "
        f"{paired.say(paired.before)} with the declared ones."
        if rows
        else ""
    )
    return Table(
        id="inputs-order",
        title="Names that fit the outputs better",
        caption=(
            (
                "No output fits another name better."
                if not rows
                else "Outputs, counted from 0, that answer for another class than their name says."
            )
            + f"{right} Recall: how many samples of that class are then right.{doubt}"
        ),
        header=("Output", "Named", "Is", "Recall"),
        rows=tuple(rows),
    )


def _attach_order(found: ClassOrder) -> Attachment:
    return Attachment(
        id="inputs-classes",
        title="The class names in the order of the outputs",
        caption="One name a line, for --classes.",
        name=ORDER_FILE,
        text="".join(f"{name}\n" for name in found.names),
    )


def _describe_method(result: InputsResult) -> tuple[str, ...]:
    if not result.samples:
        return ("Nothing was asked.",)
    drawn = "" if result.samples == result.of else f", drawn from {result.of:,} with the seed"
    return (
        f"{result.samples:,} samples{drawn}; every way is asked with the same ones, in inference "
        "mode. A way counts as better where the exact McNemar test, one-sided, gives less than "
        f"{IMPROBABLE} for all ways of its kind together (Bonferroni).",
        "The order of the classes is the assignment of outputs to labels with most right answers "
        "(scipy's linear_sum_assignment), where an output keeps its name unless samples speak "
        "against it. It is fitted on each half of the samples, by class, and held against the "
        "names on the other.",
    )
