"""The image files of samples once more, fitted to the model's input by other rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.config import Interpolation, Resize
from reportgen.progress import track
from reportgen.subject.images import SkippedImageError

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject


def read_again(
    subject: Subject, rows: NDArray[np.int64], rules: Sequence[tuple[Resize, Interpolation]]
) -> NDArray[np.uint8]:
    """Pixels by each rule, ``(rules, rows, h, w, c)``.

    A file that has gone since the audit began keeps the pixels that were read then.
    """
    from reportgen.subject.subject import make_decoder

    samples, decoder = subject.samples, make_decoder(subject.config, subject.input)
    decoders = [replace(decoder, policy=way, interpolation=rule) for way, rule in rules]
    made = np.empty((len(rules), len(rows), *subject.input.pixels), np.uint8)
    for place, row in enumerate(track(rows.tolist(), "reading images by other rules")):
        try:
            picture = decoder.open(samples.paths[row])
        except SkippedImageError:
            made[:, place] = samples.pixels[row]
            continue
        for which, one in enumerate(decoders):
            made[which, place] = one.fit(picture)
    return made
