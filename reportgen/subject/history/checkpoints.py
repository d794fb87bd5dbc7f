"""A folder of ordinary checkpoints as a history. Needs Keras.

The files are untrusted: they are surveyed first, without following anything in them, and Keras
never gets them, only a clean copy of their arrays. What network they describe does not matter;
their arrays go into a copy of the audited one, which puts them into its order.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras

from reportgen.errors import InputError, OutputError, UnsafeInputError
from reportgen.files import leads_out
from reportgen.subject.history.checkpoint_names import list_checkpoints, sort_names
from reportgen.subject.history.damage import one_line
from reportgen.subject.history.history import History, Weights
from reportgen.subject.history.index import HistoryStep
from reportgen.subject.history.live import LiveWeights
from reportgen.subject.history.record import widen
from reportgen.subject.history.shelf import Shelf, Shelved
from reportgen.subject.model_file.building.operations import OBJECTS
from reportgen.subject.model_file.content import Content
from reportgen.subject.model_file.identification import Stamp, read_file
from reportgen.subject.model_file.opening import load_content

_WAY_OUT = "Take it out of the folder, or leave the history out."


@dataclass(frozen=True)
class _Surveyed:
    """A checkpoint that was looked over and not loaded yet."""

    path: Path
    content: Content
    stamp: Stamp


@dataclass(frozen=True, kw_only=True)
class Checkpoints(History):
    """Checkpoints as a history.

    Each is loaded once, when it is first asked for; its weights are laid into a temporary file,
    from which they are read one at a time. That takes the size of the weights on the disk
    (``TMPDIR``) until this object or the process is gone. ``notes`` name what was left out.

    numbered: whether the epochs stand in the names.
    """

    loader: _Loader = field(compare=False, repr=False)
    numbered: bool

    @property
    def from_start(self) -> bool:
        """Whether the first is of the weights before the training: only if its name says 0."""
        return self.numbered and self.steps[0].epoch == 0

    @contextmanager
    def _open(self, index: int) -> Iterator[Weights]:
        yield self.loader.unpack(range(len(self.steps))[index])


def read_checkpoints(
    folder: Path, model: keras.Model, custom: Mapping[str, Any] | None = None
) -> Checkpoints:
    """Survey every checkpoint in ``folder``, in the order of training. Loads no weights yet.

    Args:
        model: the network that they are checkpoints of; a copy of it takes their weights.
        custom: classes and functions by name that the copy needs.

    Raises:
        InputError: there is none; one is broken or of another network; the model cannot be
            copied.
        UnsafeInputError: one is a link or a bomb, or leads elsewhere.
    """
    listed = list_checkpoints(folder)
    names = tuple(name for name in listed if not leads_out(folder / name, folder))
    if not names:
        outside = f" ({len(listed)} are links out of it)" if listed else ""
        raise InputError(f"history {folder}: there is no checkpoint (.keras, .h5) in it{outside}")
    order = sort_names(names)
    wanted = Counter(LiveWeights(model).shapes)
    files = tuple(_survey(folder / name, wanted) for name in order.names)
    return Checkpoints(
        folder,
        tuple(
            HistoryStep(epoch, name, {})
            for epoch, name in zip(order.epochs, order.names, strict=True)
        ),
        tuple(
            f"Of the checkpoints, {name} was left out: it is not named like the others, so its "
            "place among them is not known."
            for name in order.left_out
        )
        + tuple(
            f"Of the checkpoints, {name} was left out: it is a link out of the folder."
            for name in sorted(set(listed) - set(names))
        ),
        # Keras leaves the outer names away in the paths of a copy.
        loader=_Loader(files, _copy(model, custom or {}), tuple(LiveWeights(model))),
        numbered=order.numbered,
    )


def _survey(path: Path, wanted: Counter[tuple[int, ...]]) -> _Surveyed:
    """Read what the file holds, and refuse what must not or cannot be loaded."""
    try:
        content, _, _, stamp = read_file(path)
    except InputError as error:
        raise InputError(f"history {error} {_WAY_OUT}") from None
    if content.hazards:
        raise UnsafeInputError(
            f"history {path}: was not loaded. It is not safe: {content.hazards[0]}. {_WAY_OUT}"
        )
    missing = wanted - Counter(array.shape for array in content.arrays)
    if missing:
        shape = next(iter(missing))
        raise InputError(
            f"history {path}: holds the weights of another network: the audited one has "
            f"{wanted[shape]} of the shape {shape}, this file {wanted[shape] - missing[shape]}. "
            f"{_WAY_OUT}"
        )
    # Its configuration is not needed, and a hundred of them would be held.
    return _Surveyed(path, replace(content, config=None, training=None, rest=()), stamp)


def _copy(model: keras.Model, custom: Mapping[str, Any]) -> keras.Model:
    """The same network with weights of its own. Runs no code that the model does not bring."""
    own = {type(layer).__name__: type(layer) for layer in model._flatten_layers()}
    try:
        config = keras.saving.serialize_keras_object(model)
        config.pop("compile_config", None)
        network = keras.saving.deserialize_keras_object(
            config, custom_objects={**OBJECTS, **own, **custom}, safe_mode=True
        )
    except Exception as error:  # a class of the user's own may raise anything
        raise InputError(
            f"history: checkpoints are loaded into a copy of the network, and Keras cannot copy "
            f"this one ({one_line(error)[:200]}). Give its classes a get_config, or record the "
            "training with reportgen.WeightRecorder."
        ) from None
    if LiveWeights(network).shapes != LiveWeights(model).shapes:
        raise InputError(
            "history: checkpoints are loaded into a copy of the network, and the copy of this "
            "one has other weights. Record the training with reportgen.WeightRecorder."
        )
    return network


class _Loader:
    """Brings checkpoints into the order of the network's weights, one in memory at a time."""

    def __init__(
        self, files: tuple[_Surveyed, ...], network: keras.Model, names: tuple[str, ...]
    ) -> None:
        self._files, self._network, self._names = files, network, names
        self._shelf = Shelf()
        self._loaded: dict[int, Shelved] = {}

    def unpack(self, index: int) -> Shelved:
        """The weights of the checkpoint, laid out."""
        if index not in self._loaded:
            self._load(self._files[index])
            weights = LiveWeights(self._network).values()
            try:
                self._loaded[index] = self._shelf.lay(self._names, map(widen, weights))
            except OSError as error:
                raise OutputError(
                    f"history {self._files[index].path}: its weights cannot be laid out in "
                    f"{tempfile.gettempdir()}: {error}; free the disk, or set TMPDIR to another"
                ) from error
        return self._loaded[index]

    def _load(self, file: _Surveyed) -> None:
        try:
            load_content(file.path, file.content, file.stamp, self._network)
        except OSError as error:
            said = f"cannot be read: {error.strerror}."
            raise InputError(f"history {file.path}: {said} {_WAY_OUT}") from None
        except (InputError, UnsafeInputError) as error:
            raise type(error)(f"history {file.path}: {error} {_WAY_OUT}") from None
