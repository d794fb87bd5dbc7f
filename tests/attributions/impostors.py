"""Ways to draw maps that look like answers and are none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from reportgen.attributions.gate.controls import sobel
from reportgen.attributions.maps import Maps
from reportgen.attributions.methods.table import METHODS
from reportgen.attributions.network import Network
from reportgen.subject.shadowing import shadowed


@dataclass(frozen=True)
class Impostor:
    name: str
    draw: Callable[[Any], np.ndarray]
    title: str = ""

    @property
    def light(self):
        return self

    def __call__(self, case):
        side = case.pictures.shape[1:3]
        return Maps(self.name, self.draw(case).astype(np.float32), side, signed=False)


@tf.custom_gradient
def _guided_relu(x):
    return tf.nn.relu(x), lambda back: tf.where((back > 0) & (x > 0), back, tf.zeros_like(back))


def guided_backprop(case):
    """Springenberg et al. 2014: only positive gradients pass a ReLU. It ignores what is above."""
    network = case.network
    with ExitStack() as stack:
        for part in network.model._flatten_layers():
            if getattr(part.__dict__.get("activation"), "__name__", "") == "relu":
                stack.enter_context(shadowed(part, "activation", _guided_relu))
            elif type(part).__name__ == "ReLU":
                stack.enter_context(shadowed(part, "call", _guided_relu))
        other = Network(network.model, network.spec, network.reading, network.calls)
        run = other.gradients(
            lambda rows: case.pictures[rows], case.directions, np.arange(len(case)), ""
        )
        return np.abs(np.concatenate([g for _, _, g in run])).max(axis=-1)


def edges(case):
    return sobel(case.pictures)


def centre(case):
    height, width = case.pictures.shape[1:3]
    y, x = np.mgrid[:height, :width]
    away = ((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2
    return np.broadcast_to(np.exp(-8 * away), (len(case), height, width))


def another_picture(case):
    """A true map, of the picture three places further."""
    made = METHODS["occlusion"](case).enlarged
    return np.roll(made, 3, axis=0)


IMPOSTORS = tuple(
    Impostor(draw.__name__, draw) for draw in (guided_backprop, edges, centre, another_picture)
)
