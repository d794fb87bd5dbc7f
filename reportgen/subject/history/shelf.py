"""Arrays out of memory, for the time of an audit."""

from __future__ import annotations

import math
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from reportgen.errors import InputError
from reportgen.subject.history.record import FloatArray


@dataclass(frozen=True)
class _Place:
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.floating]


class Shelf:
    """Lists of arrays in one temporary file that has no name.

    So it is gone with the process, however that ends: workers are killed. Without the process'
    end, it goes with this object.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed with the object
        weakref.finalize(self, self._file.close)

    def lay(self, names: tuple[str, ...], arrays: Iterable[FloatArray]) -> Shelved:
        """Write the arrays one by one.

        Raises:
            OSError: the disk refused.
        """
        return Shelved(self, names, tuple(self._append(arrays)))

    def _append(self, arrays: Iterable[FloatArray]) -> Iterator[_Place]:
        for array in arrays:
            offset = self._file.seek(0, 2)
            self._file.write(array.tobytes())
            yield _Place(offset, array.shape, array.dtype)
        self._file.flush()

    def take(self, place: _Place) -> FloatArray:
        """Read one array.

        Raises:
            OSError: the disk refused.
        """
        self._file.seek(place.offset)
        data = self._file.read(math.prod(place.shape) * place.dtype.itemsize)
        return np.frombuffer(data, place.dtype).reshape(place.shape).copy()


@dataclass(frozen=True)
class Shelved:
    """One list of arrays on a shelf, to be read like a `Record`."""

    shelf: Shelf
    names: tuple[str, ...]
    places: tuple[_Place, ...]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the arrays; reads none."""
        return tuple(place.shape for place in self.places)

    def __len__(self) -> int:
        return len(self.places)

    def read(self, position: int) -> FloatArray:
        """One array.

        Raises:
            InputError: there are not so many.
        """
        if not 0 <= position < len(self):
            raise InputError(
                f"history: a checkpoint holds {len(self)} arrays, none at position {position}"
            )
        return self.shelf.take(self.places[position])
