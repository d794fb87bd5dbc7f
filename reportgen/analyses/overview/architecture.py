"""The layers as boxes: chains of small layers are folded into the layer that they follow."""

from __future__ import annotations

from typing import Literal

from reportgen.analyses.overview.compute import LayerRow
from reportgen.report.blocks import Graph, GraphNode

Group = Literal["input", "conv", "dense", "norm", "activation", "pool", "merge", "other"]
_FOLLOWERS = frozenset(
    {
        "BatchNormalization",
        "LayerNormalization",
        "Activation",
        "ReLU",
        "LeakyReLU",
        "PReLU",
        "ELU",
        "Softmax",
        "Dropout",
        "SpatialDropout2D",
        "ZeroPadding2D",
        "GaussianNoise",
    }
)
_SHORT = {"BatchNormalization": "BatchNorm", "LayerNormalization": "LayerNorm"}
_MERGES = frozenset({"Add", "Concatenate", "Multiply", "Average", "Maximum", "Subtract", "Dot"})


def draw_architecture(layers: tuple[LayerRow, ...], input_shape: tuple[int | None, ...]) -> Graph:
    """The graph of the model: one box a layer with what follows it alone, one arrow a tensor."""
    box_of, boxes = _fold(layers)
    nodes = [GraphNode(id="input", title="input", detail=_shape(input_shape), group="input")]
    nodes += [_describe(rows) for rows in boxes]
    edges = set()
    for position, row in enumerate(layers):
        for source in row.inputs:
            pair = (0 if source < 0 else box_of[source] + 1, box_of[position] + 1)
            if pair[0] != pair[1]:
                edges.add(pair)
    return Graph(
        id="overview-architecture",
        title="Architecture",
        caption=(
            f"{len(layers)} layer calls in {len(boxes)} boxes: normalisation, activation and "
            "dropout stand in the box of the layer they follow. Look for branches that never "
            "meet again and for sizes that shrink too early."
        ),
        alt=f"Flow chart of the model with {len(boxes)} boxes from input to output.",
        nodes=tuple(nodes),
        edges=tuple(sorted(edges)),
    )


def _fold(layers: tuple[LayerRow, ...]) -> tuple[dict[int, int], list[list[LayerRow]]]:
    uses: dict[int, int] = {}
    for row in layers:
        for source in row.inputs:
            uses[source] = uses.get(source, 0) + 1
    box_of: dict[int, int] = {}
    boxes: list[list[LayerRow]] = []
    for position, row in enumerate(layers):
        source = row.inputs[0] if len(row.inputs) == 1 else -1
        alone = source >= 0 and uses[source] == 1
        if alone and row.class_name in _FOLLOWERS:
            box_of[position] = box_of[source]
            boxes[box_of[source]].append(row)
        else:
            box_of[position] = len(boxes)
            boxes.append([row])
    return box_of, boxes


def _describe(rows: list[LayerRow]) -> GraphNode:
    first = rows[0]
    parts = [_SHORT.get(row.class_name, row.class_name) for row in rows]
    parts = [
        r.activation or p if r.class_name == "Activation" else p
        for r, p in zip(rows, parts, strict=True)
    ]
    if first.activation and first.class_name != "Activation":
        parts.insert(1, first.activation)
    return GraphNode(
        id=first.address,
        title=first.address.split("/")[-1],
        detail=f"{' · '.join(parts)}  {_shape(rows[-1].output_shape[1:])}",
        group=_group(first.class_name),
    )


def _group(class_name: str) -> Group:
    if "Conv" in class_name:
        return "conv"
    if "Dense" in class_name:
        return "dense"
    if "Pooling" in class_name:
        return "pool"
    if class_name in _MERGES:
        return "merge"
    if "Normalization" in class_name:
        return "norm"
    return "activation" if class_name in _FOLLOWERS else "other"


def _shape(shape: tuple[int | None, ...]) -> str:
    return " × ".join("?" if side is None else str(side) for side in shape) or "scalar"
