"""Which layer class activation maps are read from."""

from __future__ import annotations

from collections.abc import Sequence

from reportgen.subject.layers import LayerCall

_AT_REST = ("Dropout", "ActivityRegularization", "GaussianNoise", "Identity")


def choose_layer(calls: Sequence[LayerCall], ends: tuple[int, ...]) -> tuple[LayerCall | None, str]:
    """The last layer with positions before the head, and why it is that, or why there is none.

    Args:
        ends: positions in ``calls`` that the output comes from.

    The head is what no longer has positions: pooling, flattening, dense layers. The layer that
    hands its map to the head is taken, whatever its class: behind a block of a residual network
    that is the sum and its activation, not the last convolution.
    """
    best, narrow = -1, None
    for place in _reach(calls, ends):
        call = calls[place]
        if len(call.output_shape) != 4 or not call.per_sample:
            continue
        if min(_positions(call)) < 2:
            narrow = narrow or call
        elif place > best:
            best = place
    if best < 0:
        return None, _say_none(narrow)
    # At rest these hand on what they are given: the layer before has the same values.
    while calls[best].class_name.rstrip("123D").startswith(_AT_REST) and calls[best].inputs[0] >= 0:
        best = calls[best].inputs[0]
    call = calls[best]
    rows, columns = _positions(call)
    channels = call.output_shape[call.channel_axis]
    return call, (
        f"{call.address} ({rows} x {columns} positions, {channels} channels): the last layer with "
        "positions before the head."
    )


def _reach(calls: Sequence[LayerCall], ends: tuple[int, ...]) -> list[int]:
    """Positions of the calls that the output depends on, the last first."""
    found: set[int] = set()
    waiting = [place for place in ends if place >= 0]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += [before for before in calls[place].inputs if before >= 0]
    return sorted(found, reverse=True)


def _positions(call: LayerCall) -> tuple[int, int]:
    sides = [
        side or 2
        for axis, side in enumerate(call.output_shape)
        if axis not in (0, call.channel_axis)
    ]
    return sides[0], sides[1]


def _say_none(narrow: LayerCall | None) -> str:
    if narrow is not None:
        rows, columns = _positions(narrow)
        return (
            f"The last maps of the model ({narrow.address}) have {rows} x {columns} positions: "
            "there is nothing to map. Take a method of pixels or cells, such as occlusion."
        )
    return (
        "The model has no layer with rows and columns before its head. Take a method of pixels or "
        "cells, such as occlusion."
    )
