"""What a model file holds, read without building or executing anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np


class Format(StrEnum):
    """What the bytes are, whatever the name says."""

    KERAS = "keras"  # zip archive of Keras 2.12 and later
    HDF5 = "hdf5"  # whole model: network and weights
    WEIGHTS = "weights"  # HDF5 that holds weights and no network
    SAVED_MODEL = "saved_model"  # folder of Keras 2, with the layers' configuration
    FUNCTION = "function"  # SavedModel folder without layers: a graph to call


@dataclass(frozen=True)
class Array:
    """One stored weight.

    layer: the layer of the outermost model that it belongs to ("" where the file does not say).
    name: as its writer called it, for example ``conv1/kernel:0``.
    key: where it stands in its container. stored_bytes: what it takes there.
    """

    layer: str
    name: str
    key: str
    shape: tuple[int, ...]
    dtype: str
    stored_bytes: int

    @property
    def claimed_bytes(self) -> int:
        """What it takes in memory."""
        return self.elements * (2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize)

    @property
    def elements(self) -> int:
        """How many numbers it has, as a Python integer (no overflow)."""
        count = 1
        for side in self.shape:
            count *= side
        return count


@dataclass(frozen=True)
class Hazard:
    """One reason not to open a file.

    guard: who found it. where: the layer, member or link. what: said to the user, and what
    opening would do.
    """

    guard: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


@dataclass(frozen=True)
class Content:
    """A model file, taken apart.

    writer: the Keras version that wrote it. config: the network as it stands in the file.
    training: the compile configuration. arrays: the stored weights, in their writer's order.
    rest: what else is stored, such as the state of an optimizer; it is never loaded.
    backend: what computed when it was written; Theano stored its kernels turned.
    """

    format: Format
    writer: str | None = None
    config: Any = None
    training: Any = None
    arrays: tuple[Array, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    notes: tuple[str, ...] = ()
    rest: tuple[Array, ...] = ()
    backend: str | None = None
