"""The overview as blocks."""

from __future__ import annotations

from reportgen.analyses.overview.architecture import draw_architecture
from reportgen.analyses.overview.compute import LayerRow, OverviewResult
from reportgen.analyses.overview.findings import judge
from reportgen.report.blocks import Bars, Block, Cell, KeyValues, Table
from reportgen.report.cards import SubjectCard
from reportgen.report.sections import SectionBody

_SHOWN_GROUPS = 20


def present(result: OverviewResult) -> SectionBody:
    """Identity, layers, graph, training, samples, ledger."""
    blocks: list[Block] = [_identity(result), _layer_table(result)]
    blocks.append(draw_architecture(result.layers, result.card.input_shape))
    if result.training:
        blocks.append(
            KeyValues(
                id="overview-training",
                title="Training configuration",
                caption="As the model file records it.",
                rows=tuple(result.training.items()),
            )
        )
    blocks += _samples(result)
    return SectionBody(
        findings=judge(result),
        blocks=tuple(blocks),
        method=(*_METHOD, *_say_ways(result.card)),
    )


_METHOD = (
    "The model is called once on an abstract batch while every layer notes its calls; the table "
    "and the graph are what was seen, not what a configuration says. The address of a layer is "
    "the names on the way to it; #2 marks a second call of shared weights.",
    "FLOPs are floating-point operations for one sample; a multiplication and an addition count "
    "as two. The receptive field is the window of the input that one output position can see "
    "(Araujo et al. 2019, eq. 1-2); where it is as large as the input, a position in the middle "
    "sees all of it. Activation memory is the layer's output in float32, for one sample.",
    "Before anything was built, the file was read without following links in it, and every class "
    "and function that it names was held against the list of what Keras offers for networks; sizes "
    "that it declares, against what it stores.",
    "Two samples are identical if all their pixels agree at the model's input size.",
)


def _say_ways(card: SubjectCard) -> tuple[str, ...]:
    """How far the answers by other ways are from the audit's own."""
    if not card.other_ways:
        return ()
    said = [
        f"{way.name}: {way.why.rstrip('.')}"
        if way.apart is None
        else f"{way.name}: within {way.apart:.1g} ({way.samples})"
        for way in card.other_ways
    ]
    return (
        "Answers by other ways, the largest difference as a part of the largest answer or of 1, "
        f"and in brackets how many samples. {'; '.join(said)}.",
    )


def _identity(result: OverviewResult) -> KeyValues:
    card = result.card
    size = f"{card.size_bytes:,} bytes" if card.size_bytes is not None else ""
    rows = [
        ("Model", card.name),
        ("File", card.file_name),
        ("SHA-256", card.sha256 or ""),
        ("Size", size),
        ("Format", card.file_format),
        ("Written by", f"Keras {card.keras_version}" if card.keras_version else "not recorded"),
        ("Input", " × ".join("?" if s is None else str(s) for s in card.input_shape)),
        ("Output", "; ".join(card.outputs)),
        ("Read as", card.task_reason),
        ("Parameters", f"{card.parameters:,}, of them {result.trainable_parameters:,} trainable"),
        ("Input scaling", card.preprocessing),
        ("Resizing", card.resizing),
    ]
    if card.classes:
        rows.append(("Class order", f"{card.class_order}: {_some(card.classes)}"))
    rows += [("Not safe", reason) for reason in card.unsafe]
    rows += [("Repaired", repair) for repair in card.repairs]
    rows += [("Note", note) for note in card.notes]
    return KeyValues(
        id="overview-identity",
        title="Identity",
        caption="What was audited. The hash names the file beyond doubt.",
        rows=tuple(row for row in rows if row[1]),
    )


def _some(names: tuple[str, ...], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f", … ({len(names)})" if len(names) > most else "")


def _layer_table(result: OverviewResult) -> Table:
    layers = result.layers
    flops = sum(row.flops or 0 for row in layers)
    unknown = sum(row.flops is None for row in layers)
    gap = f" {unknown} layers of other kinds are not in the sum." if unknown else ""
    memory = sum(row.activation_bytes for row in layers) / 2**20
    return Table(
        id="overview-layers",
        title="Layers",
        caption=(
            f"{len(layers)} layer calls; {flops / 1e6:,.2f} million operations and "
            f"{memory:,.2f} MiB of activations a sample.{gap} Look at where the parameters and "
            "the operations concentrate, and whether the last receptive field covers the object."
        ),
        header=(
            "Address",
            "Class",
            "Output",
            "Parameters",
            "FLOPs",
            "Receptive field",
            "Activation KiB",
        ),
        rows=tuple(_row(row) for row in layers),
    )


def _row(row: LayerRow) -> tuple[Cell, ...]:
    shape = " × ".join("?" if side is None else str(side) for side in row.output_shape[1:])
    name = row.class_name + (f" ({row.activation})" if row.activation else "")
    field = _say_field(row)
    parameters: Cell = "shared" if row.parameters is None else row.parameters
    return (row.address, name, shape, parameters, row.flops, field, row.activation_bytes / 1024)


def _say_field(row: LayerRow) -> str:
    """The window that one position sees; nobody sees beyond the input."""
    if row.receptive_field is None:
        return "whole input"
    sides = " × ".join(map(str, row.receptive_field))
    return f"whole input (up to {sides})" if row.sees_all else sides


def _samples(result: OverviewResult) -> list[Block]:
    card = result.card
    if not card.samples_found:
        return []
    rows = [
        ("Audited", f"{card.samples:,} of {card.samples_found:,} found"),
        ("Split", card.split),
        ("Resize", card.resize),
        ("SHA-256", card.samples_sha256),
    ]
    if result.size_counts:
        sizes = [f"{size} ({count:,})" for size, count in result.size_counts[:5]]
        more = len(result.size_counts) - 5
        rows.append(("File sizes", ", ".join(sizes) + (f" and {more} more" if more > 0 else "")))
    if result.target_range:
        rows.append(("Targets", "from {:.4g} to {:.4g}".format(*result.target_range)))
    blocks: list[Block] = [
        KeyValues(
            id="overview-samples",
            title="Samples",
            caption="What the model was shown. The hash covers all pixels in order.",
            rows=tuple(rows),
        )
    ]
    if result.class_counts:
        blocks.append(_class_bars(result))
    if card.skipped:
        blocks.append(_ledger(result))
    return blocks


def _class_bars(result: OverviewResult) -> Bars:
    low, high = min(result.class_counts), max(result.class_counts)
    spread = (
        f"Every class has {low} samples."
        if low == high
        else f"From {low} to {high} samples a class."
    )
    return Bars(
        id="overview-classes",
        title="Samples by class",
        caption=(
            f"{spread} Classes with few samples have wide intervals in every number that follows."
        ),
        alt=f"Bars of the number of samples in {len(result.class_counts)} classes.",
        names=result.card.classes,
        series=("samples",),
        values=(tuple(float(count) for count in result.class_counts),),
        value_label="samples",
    )


def _ledger(result: OverviewResult) -> Table:
    return Table(
        id="overview-ledger",
        title="Samples left out",
        caption="Every sample that was found but not audited, by cause.",
        header=("Cause", "Samples", "For example"),
        rows=tuple(
            (item.cause, item.count, ", ".join(item.examples)) for item in result.card.skipped
        ),
    )
