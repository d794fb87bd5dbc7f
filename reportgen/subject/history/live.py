"""The weights of a network in memory, as a history wants them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.history.record import weight_names

if TYPE_CHECKING:
    import keras


class LiveWeights(Mapping[str, NDArray[Any]]):
    """The weights of a network by unique name, in its order; fetched one at a time."""

    def __init__(self, model: keras.Model) -> None:
        names = weight_names(weight.path for weight in model.weights)
        self._variables = dict(zip(names, model.weights, strict=True))

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Their shapes; fetches nothing."""
        return tuple(tuple(map(int, weight.shape)) for weight in self._variables.values())

    def __getitem__(self, name: str) -> NDArray[Any]:
        return np.asarray(self._variables[name].numpy())

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)
