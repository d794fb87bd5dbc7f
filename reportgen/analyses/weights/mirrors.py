"""Where a filter and its negative say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reportgen.subject.census.plan import plan_readings

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall

_ODD = frozenset({None, "linear", "tanh", "hard_tanh", "softsign"})  # f(-x) = -f(x)
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def list_mirrored(
    calls: Sequence[LayerCall], output_calls: Sequence[Sequence[int]]
) -> frozenset[str]:
    """Layers of which the next kernel reads -x as easily as x.

    Behind a ReLU a filter and its negative are two detectors (Shang et al. 2016, "CReLU"), and
    merging them would lose one. Only where nothing but odd functions stand between a layer and
    the next kernels is the second one superfluous.
    """
    functions: dict[str, set[str | None]] = {}
    ends: dict[str, LayerCall] = {}
    for reading in plan_readings(calls, output_calls):
        functions.setdefault(reading.head, set()).add(reading.call.activation)
        if reading.kind == "unit":
            ends[reading.head] = reading.call
    return frozenset(
        head for head, end in ends.items() if functions[head] <= _ODD and _feeds_kernels(end, calls)
    )


def _feeds_kernels(call: LayerCall, calls: Sequence[LayerCall]) -> bool:
    position = list(calls).index(call)
    users = [user for user in calls if position in user.inputs]
    return bool(users) and all(
        any(hasattr(user.layer, name) for name in _KERNELS) for user in users
    )
