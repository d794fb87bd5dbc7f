"""The model of an audit with its samples: where everything that is measured starts from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from reportgen.config import AuditConfig
from reportgen.report.cards import OtherWay
from reportgen.subject.flops import count_flops
from reportgen.subject.history import History
from reportgen.subject.inputs import InputSpec
from reportgen.subject.labels import Labels
from reportgen.subject.model_file import ModelFile
from reportgen.subject.outputs import Reading, probabilities
from reportgen.subject.preprocessing import Preprocessing
from reportgen.subject.probe import Probe
from reportgen.subject.receptive_field import ReceptiveField, read_spatial_axes, receptive_fields
from reportgen.subject.samples import SampleSet
from reportgen.subject.scaling import Scaling
from reportgen.subject.zero_filters import ZeroFilters, find_zero_filters

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class TrainingSamples:
    """Samples that the model was trained on, beside those that are audited."""

    samples: SampleSet
    labels: Labels


@dataclass(frozen=True)
class AuditedModel:
    """A model, its samples and labels as they were opened, and what it answers to them."""

    config: AuditConfig
    file: ModelFile | None
    model: keras.Model
    probe: Probe
    input: InputSpec
    reading: Reading
    samples: SampleSet
    labels: Labels
    history: History | None
    scaling: Scaling
    notes: tuple[str, ...]
    train: TrainingSamples | None = None
    other_ways: tuple[OtherWay, ...] = ()

    @property
    def preprocess(self) -> Preprocessing:
        """Samples as they are -> scaled ones."""
        return self.scaling.function

    @property
    def training(self) -> dict[str, str]:
        """What the file says of the training: optimizer, loss, metrics."""
        return self.file.training if self.file else {}

    def inputs(self, rows: NDArray[np.int64] | slice = slice(None)) -> FloatArray:
        """Scaled samples as the model takes them, ``(n, *input.shape)`` float32."""
        return self.scale(self.samples.pixels[rows])

    def scale(self, pixels: NDArray[Any]) -> FloatArray:
        """Samples ``(n, *input.pixels)`` as the model takes them."""
        scaled = self.preprocess(np.asarray(pixels, dtype=np.float32))
        return self.input.arrange(scaled).astype(np.float32, copy=False)

    def pictures(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Samples as people see them, ``(n, h, w, 3)`` uint8, before scaling."""
        return self.draw(self.samples.pixels[rows])

    def draw(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """Pixels of samples ``(n, *input.pixels)`` as people see them, ``(n, h, w, 3)``."""
        pixels = np.asarray(pixels)
        if pixels.dtype != np.uint8:
            low, high = self.display_range
            pixels = np.clip((pixels - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
        pixels = pixels.reshape(len(pixels), *self.input.pixels)
        if pixels.shape[-1] not in (3, 4):
            return np.repeat(pixels[..., :1], 3, axis=-1)
        return pixels[..., :3]

    @cached_property
    def display_range(self) -> tuple[float, float]:
        """Black and white of float samples: the usual ranges if they fit, else the data's."""
        low, high = float(self.samples.pixels.min()), float(self.samples.pixels.max())
        for start, end in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
            if start <= low and high <= end:
                return start, end
        return low, max(high, low + 1e-6)

    @cached_property
    def raw_outputs(self) -> FloatArray:
        """The audited output for every sample, as the model gives it: ``(n, units)``."""
        outputs = self.probe.predict(self.inputs, len(self.samples))
        return outputs[self.reading.output.index]

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Class probabilities for every sample, ``(n, classes)``; classification only."""
        return probabilities(self.reading.task, self.raw_outputs)

    @cached_property
    def receptive_fields(self) -> tuple[ReceptiveField, ...]:
        """What each call of `Probe.calls` sees of a sample, in their order."""
        spatial = read_spatial_axes(self.input)
        return tuple(receptive_fields(self.probe.calls, self.input.shape, spatial))

    @cached_property
    def flops(self) -> tuple[int | None, ...]:
        """Operations for one sample of each call of `Probe.calls`; None where it is not known."""
        return tuple(map(count_flops, self.probe.calls))

    @cached_property
    def zero_filters(self) -> tuple[ZeroFilters, ...]:
        """Of every kernel that has some, the filters that are zero; for all analyses."""
        return find_zero_filters(self.probe.calls)

    def weights_hash(self) -> str:
        """SHA-256 over all weights, to prove that an analysis left them alone."""
        digest = hashlib.sha256()
        for weight in self.model.weights:
            digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
        return digest.hexdigest()
