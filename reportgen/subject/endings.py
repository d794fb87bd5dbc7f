"""Which functions an output comes out of, whatever layers or operations stand behind them."""

from __future__ import annotations

from typing import Any

Tensor = Any  # of TensorFlow, which has no types to check

# They make numbers from 0 to 1 (or their logarithms), of which arithmetic may make others.
SQUASHING = frozenset({"Sigmoid", "Softmax", "LogSoftmax"})
# What combines, moves or picks values; nothing that is learnt is among them.
_ARITHMETIC = frozenset(
    """
    Identity StopGradient Cast Reshape Squeeze ExpandDims Transpose StridedSlice Slice GatherV2
    ConcatV2 Concat Pack Unpack Split SplitV Tile BroadcastTo Mean Sum Max Min Prod AddV2 Add AddN
    Sub Mul RealDiv DivNoNan Maximum Minimum ClipByValue SelectV2 Select Greater GreaterEqual Less
    LessEqual Exp Log Neg Square Sqrt Round Pow
    """.split()
)
_CONSTANT = frozenset({"Const", "Fill", "ReadVariableOp"})


def find_endings(output: Tensor) -> frozenset[str]:
    """Types of the operations that ``output`` is made of by arithmetic alone.

    ``{"Sigmoid"}`` of a sigmoid, also behind a cast or the mean of several; ``"other"`` is among
    them where something else is.
    """
    found: set[str] = set()
    stack, seen = [output], set[str]()
    while stack:
        tensor = stack.pop()
        operation = tensor.op
        if tensor.name in seen:
            continue
        seen.add(tensor.name)
        if operation.type in SQUASHING:
            found.add(operation.type)
        elif operation.type in _ARITHMETIC:
            # Whole numbers are shapes, axes and positions.
            stack.extend(t for t in operation.inputs if t.dtype.is_floating or t.dtype.is_bool)
        elif operation.type not in _CONSTANT:
            found.add("other")
    return frozenset(found)
