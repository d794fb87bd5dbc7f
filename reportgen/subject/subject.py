"""The subject of an audit: a model, its samples, and everything known about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from reportgen.config import AuditConfig
from reportgen.errors import ConfigurationError
from reportgen.report.cards import SubjectCard
from reportgen.subject.at_rest import describe_rest
from reportgen.subject.audited_model import AuditedModel, TrainingSamples
from reportgen.subject.card import describe
from reportgen.subject.census import Census, take_census
from reportgen.subject.class_names import read_class_names
from reportgen.subject.history import History, read_history
from reportgen.subject.images import Decoder
from reportgen.subject.inputs import InputSpec, read_input
from reportgen.subject.label_table import list_table
from reportgen.subject.labels import Labels, resolve_labels
from reportgen.subject.listing import list_folder
from reportgen.subject.model_file import ModelFile
from reportgen.subject.network import open_network, screen
from reportgen.subject.outputs import LOOKED_AT, Reading, list_outputs, read_output
from reportgen.subject.preprocessing import Preprocessing
from reportgen.subject.probe import Probe
from reportgen.subject.sample_archive import read_archive
from reportgen.subject.samples import (
    SampleSet,
    no_samples,
    read_images,
    take_arrays,
)
from reportgen.subject.scaling import Scaling, choose_scaling
from reportgen.subject.self_check import check_answers
from reportgen.subject.top_activating import ExcitedLayer, Request, find_top_activating
from reportgen.subject.user_code import load_objects


@dataclass(frozen=True)
class LiveInput:
    """A model and arrays handed over in Python instead of files.

    Attributes:
        x, y: samples ``(n, ...)`` before scaling, and labels.
        train: the same of the training.
        places, found: where the samples stand in the dataset that they were drawn from, ``(n,)``,
            and how many of it were looked at; None if ``x`` is all there is.
        notes: what is to be said of how they were drawn.
        preprocessing: a function that `AuditConfig.preprocessing` can only name.
    """

    model: Any
    x: Any
    y: Any = None
    train: tuple[Any, Any] | None = None
    places: NDArray[np.int64] | None = None
    found: int | None = None
    notes: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None


@dataclass(frozen=True)
class Subject(AuditedModel):
    """What every analysis gets: the model, its samples, and what is measured once for all.

    Nothing in it may be changed.
    """

    @cached_property
    def card(self) -> SubjectCard:
        """What is said of the subject on the front page."""
        return describe(self)

    @cached_property
    def census(self) -> Census:
        """Every channel of every layer over all samples; taken once, for all analyses."""
        return take_census(self)

    def find_top_activating(self, request: Request) -> tuple[ExcitedLayer, ...]:
        """Samples that excite chosen units most and least; computed once for each request.

        The answer follows from the request, the model, the samples and the labels; the last three
        are this subject's for as long as it lives.
        """
        if request not in self._top_activating:
            self._top_activating[request] = find_top_activating(self, self.census, request)
        return self._top_activating[request]

    @cached_property
    def _top_activating(self) -> dict[Request, tuple[ExcitedLayer, ...]]:
        return {}


def open_subject(
    config: AuditConfig,
    live: LiveInput | None = None,
    opened: tuple[ModelFile, keras.Model] | None = None,
) -> Subject:
    """Open model, samples, labels and history, and state how each was understood.

    Args:
        opened: the model file and its network, if they were opened before.

    Raises:
        InputError, UnsafeInputError, ConfigurationError: with the next step in the message.
    """
    file, model = (None, live.model) if live else opened or open_network(config, screen(config))
    spec = read_input(model, config.input_size, from_images=config.images is not None)
    probe = Probe(model, spec.shape)
    names = read_class_names(config.classes) if isinstance(config.classes, Path) else config.classes
    samples = _open_samples(config, live, spec, names)
    asked = (live and live.preprocessing) or config.preprocessing
    scaling = choose_scaling(asked, spec, probe, samples.pixels)
    look = partial(_answer_some, probe, spec, scaling, samples) if len(samples) else None
    reading = read_output(list_outputs(probe), samples.labels, config.output, look)
    labels = resolve_labels(samples.labels, samples.label_names, reading, names, samples.folders)
    history = _open_history(config, model)
    subject = Subject(
        config=config,
        file=file,
        model=model,
        probe=probe,
        input=spec,
        reading=reading,
        samples=samples,
        labels=labels,
        history=history,
        scaling=scaling,
        train=_open_training(config, live, spec, reading, labels),
        notes=(
            *(file.notes if file else ()),
            *describe_rest(model),
            *scaling.notes,
            *samples.notes,
            *labels.notes,
            *(live.notes if live else ()),
            *(history.notes if history else ()),
        ),
    )
    return replace(subject, other_ways=check_answers(subject))


def _answer_some(
    probe: Probe, spec: InputSpec, scaling: Scaling, samples: SampleSet
) -> list[NDArray[np.float32]]:
    """All outputs for a few samples, spread over them."""
    rows = np.unique(np.linspace(0, len(samples) - 1, LOOKED_AT).round().astype(np.int64))
    pixels = np.asarray(samples.pixels[rows], np.float32)
    inputs = spec.arrange(scaling.function(pixels)).astype(np.float32, copy=False)
    return probe.predict(lambda part: inputs[part], len(rows), "looking at the answers")


def _open_history(config: AuditConfig, model: keras.Model) -> History | None:
    if config.history is None:
        return None
    return read_history(config.history, model, custom=load_objects(config.custom_objects))


def _open_training(
    config: AuditConfig, live: LiveInput | None, spec: InputSpec, reading: Reading, main: Labels
) -> TrainingSamples | None:
    limit, seed = config.sample_limit, config.seed
    if live is not None and live.train is not None:
        x, y = live.train
        found = take_arrays(x, y, spec.pixels, limit=limit, seed=seed, origin="train")
    elif config.train is None:
        return None
    elif config.train.is_dir():
        root, classes = config.train, main.classes
        listing = list_folder(root, limit=limit, seed=seed, classes=classes, option="--train")
        found = read_images(listing, make_decoder(config, spec))
    else:
        found = read_archive(config.train, spec.pixels, limit=limit, seed=seed)
    given = main.classes or None
    return TrainingSamples(
        found, resolve_labels(found.labels, found.label_names, reading, given, found.folders)
    )


def make_decoder(config: AuditConfig, spec: InputSpec) -> Decoder:
    """How image files become samples, as the configuration says."""
    background = 255 if config.background == "white" else 0
    height, width, channels = spec.pixels
    return Decoder((height, width), channels, config.resize, background, config.interpolation)


def _open_samples(
    config: AuditConfig,
    live: LiveInput | None,
    spec: InputSpec,
    classes: tuple[str, ...] | None,
) -> SampleSet:
    limit, seed = config.sample_limit, config.seed
    if live is not None:
        return take_arrays(
            live.x,
            live.y,
            spec.pixels,
            limit=limit,
            seed=seed,
            origin="arrays",
            places=live.places,
            found=live.found,
        )
    if config.data:
        return read_archive(config.data, spec.pixels, limit=limit, seed=seed)
    if not config.images and not config.labels:
        return no_samples(spec.pixels)
    if spec.kind != "image" or spec.channels not in (1, 3, 4):
        raise ConfigurationError(
            f"images: the model takes samples of shape {spec.shape}, which image files do not "
            "have. Give --data FILE.npz with an array x."
        )
    if config.labels:
        root = config.images or config.labels.parent
        listing = list_table(
            config.labels,
            root,
            limit=limit,
            seed=seed,
            label_columns=config.label_column,
            classes=classes,
        )
    else:
        root = Path(config.images or ".")
        listing = list_folder(root, limit=limit, seed=seed, classes=classes)
    return read_images(listing, make_decoder(config, spec))
