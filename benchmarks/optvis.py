"""Painting units: against tf-keras-vis, against bare convolutions, recipe against recipe.

VGG16 128 x 128. VGG16's topology with seeded random weights, `block4_conv1`, 32 units;
images times steps a second. tf-keras-vis paints one unit at a time, or eight at once; ours runs
its recipe (same pixels, jitter, turn, total variation, norm, RMSprop) in the batches that
`visualize` chooses, with the precision chosen by itself and with float32. A first step, in which
things are traced and built, is not counted; nor are images that only fill up a batch. The bare
convolutions are all those up to the layer, forth and back to their inputs, at the same batch and
precision: what no tool could do without.

MobileNet. MobileNet 0.25 with ImageNet's weights (of the collection of real models, see
``REPORTGEN_REAL``), `conv_pw_6_relu`, 16 units, 128 x 128. One function measures everybody:
`clean_activation`, the mean of the unit over its map on the finished image as it is, in the range
that the model takes. "Blurred" is the same after a Gaussian of one pixel: what a recipe reached by
noise too fine to be seen is gone there.

- The model takes -1 to 1. tf-keras-vis leaves two ways and both are run, with its default 200
  steps: its defaults (0 to 255) with the scaling as the model's first layer; or, as its
  documentation says for such inputs, ``input_range=(-1.0, 1.0)``. The second reaches more,
  because a step of 1 is then half of the whole range: it clips only what it returns, and
  nearly all values of its images are black or white.
- One at a time: two of the units are timed with all steps, and multiplied.
- Ours "to that activation": the default recipe with the fewest steps, on the whole canvas, that
  reach what tf-keras-vis reached; and "default" runs to its own end. Every call opens the model
  anew (not counted) and cuts and traces it (counted); TensorFlow itself is warm. Medians of
  three, with runs of tf-keras-vis in between.

CIFAR. All 64 channels of the second convolution of `feature_maps`' convnet, default recipe.

Recipes. Four units of the same layer of MobileNet, each recipe once, tracing included. `maco`
measures tiles of scikit-learn's two photographs.

"Images x steps / s" of whole calls includes the tracing.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.painting import HEADER, Part, cifar, mobilenet, row, throughput
from benchmarks.runner import Outcome


def run() -> Outcome:
    parts = [throughput.race(), cifar.race(), *_run_mobilenet()]
    rows = [line for part in parts for line in part.rows]
    ratios = {name: ratio for part in parts for name, ratio in part.ratios.items()}
    goals = {name: goal for part in parts for name, goal in part.goals.items()}
    return Outcome(HEADER, rows, ratios, goals)


def _run_mobilenet() -> list[Part]:
    file = mobilenet.find_file()
    if file is None:
        return [Part([row("MobileNet", "left out: set REPORTGEN_REAL")])]
    return [mobilenet.race(file), mobilenet.compare_recipes(file)]
