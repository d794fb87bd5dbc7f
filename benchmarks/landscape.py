"""Planes of the loss against setting the weights and calling the model, once a cell.

- dense: every cell, warm and first call; the plain way five times, in turns.
- CIFAR: the article's network, where the collection of real models is here (``REPORTGEN_REAL``);
  the whole plain grid against `landscape.survey` with its defaults, tracing included, the median
  of one before and two after it; "off" is the relative difference of the loss to the plain grid.
- MobileNet: only the head moves; `landscape.survey` with every cell measured, all included.
- memory: medians of three processes.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# As the worker of an audit has it, for both sides alike.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from benchmarks.planes import HEADER
from benchmarks.runner import Outcome


def run() -> Outcome:
    from benchmarks.planes import convnet, dense, head, memory

    parts = [part.race() for part in (dense, convnet, head, memory)]
    return Outcome(
        HEADER,
        [row for part in parts for row in part.rows],
        {name: ratio for part in parts for name, ratio in part.ratios.items()},
        {name: goal for part in parts for name, goal in part.goals.items()},
    )
