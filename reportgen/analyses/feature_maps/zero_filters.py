"""Channels that cannot change because their filters are zero: the weights section names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.weights.faults import find_dead, following_norms
from reportgen.subject.kernels import list_kernels

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall


def list_zero_filters(calls: tuple[LayerCall, ...]) -> dict[str, NDArray[np.bool_]]:
    """By layer, the channels of its output whose filters are zero, ``(channels,)``.

    By the same rule as `weights.dead_filters`, so that a channel is named in one section only.
    """
    with_weights = [call for call in calls if getattr(call.layer, "weights", None)]
    kernels = {
        call.address: kernel
        for call in with_weights
        for kernel in list_kernels(call)
        if kernel.main
    }
    found = {}
    for flag in find_dead(list(kernels.values()), following_norms(calls)):
        found[flag.address] = np.zeros(len(kernels[flag.address].filters), bool)
        found[flag.address][list(flag.filters)] = True
    return found
