"""Reading a history, whoever wrote it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reportgen.errors import UsageError
from reportgen.subject.history.checkpoint_names import list_checkpoints
from reportgen.subject.history.history import History
from reportgen.subject.history.index import INDEX_NAME, read_index

if TYPE_CHECKING:
    import keras


def read_history(
    directory: Path | str,
    model: keras.Model | None = None,
    *,
    custom: Mapping[str, Any] | None = None,
) -> History:
    """Open a recorded training, or a folder of checkpoints.

    Args:
        directory: what `WeightRecorder` wrote, or a folder of ``.keras``, ``.weights.h5`` or
            ``.h5`` files as ``keras.callbacks.ModelCheckpoint`` writes them.
        model: the audited network, whose checkpoints they are; it is not changed.
        custom: classes and functions by name that a copy of it needs.

    Raises:
        InputError: there is neither; it is damaged, of another version or of another network.
        UnsafeInputError: something leads outside of the folder, or is a bomb.
        UsageError: they are checkpoints, and there is no ``model``.
    """
    folder = Path(directory)
    if not os.path.lexists(folder / INDEX_NAME) and list_checkpoints(folder):
        if model is None:
            raise UsageError(
                f"history {folder}: holds checkpoints, which are read for a network only; "
                "give read_history the model"
            )
        from reportgen.subject.history.checkpoints import read_checkpoints

        return read_checkpoints(folder, model, custom)
    return History(folder, read_index(folder))
