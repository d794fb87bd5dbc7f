"""One record: the weights of one moment in an .npz, read one array at a time."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import InputError, UnsafeInputError, UsageError
from reportgen.files import open_regular
from reportgen.npz import DAMAGE, read_header
from reportgen.subject.history.damage import one_line

FloatArray = NDArray[np.floating[Any]]
Precision = Literal["full", "float16", "differences"]
# Far above any model that fits a report; below what a small zip can unpack into.
_MAX_BYTES = 8 * 2**30
# The last member of a record of differences: by which powers of two they were divided.
_EXPONENTS = "exponents of the differences"
# Scaled differences stay below this; float16 ends at 65504.
_TOP = 15


def weight_names(paths: Iterable[str]) -> tuple[str, ...]:
    """Make the paths of a model's weights unique, in order.

    Two nested models built by the same function give two weights one path, and a dictionary
    would keep only the last: the second ``conv/kernel`` becomes ``conv/kernel#2``.
    """
    seen: dict[str, int] = {}
    names = []
    for path in paths:
        seen[path] = seen.get(path, 0) + 1
        names.append(path if seen[path] == 1 else f"{path}#{seen[path]}")
    return tuple(names)


class Record:
    """An open record. Nothing of an array is read before it is asked for.

    Args:
        base: the record that this one's arrays are differences to.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, base: Record | None = None) -> None:
        self._path, self._archive, self._base = path, archive, base
        self._members = archive.infolist()
        if any(not member.filename.endswith(".npy") for member in self._members):
            raise ValueError("it holds something else than arrays")
        if base is not None:
            if len(self) != len(base) + 1:
                raise ValueError("it holds other arrays than the record it differs from")
            self._exponents = self._array(self._members.pop())
            if self._exponents.shape != (len(base),) or self._exponents.dtype.kind != "i":
                raise ValueError("it does not say how its differences were scaled")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the weights, in the model's order."""
        return tuple(member.filename.removesuffix(".npy") for member in self._members)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the weights, from the headers alone."""
        with _naming(self._path):
            return tuple(self._header(member)[0] for member in self._members)

    def __len__(self) -> int:
        return len(self._members)

    def read(self, position: int) -> FloatArray:
        """One weight: float32 or float64.

        Raises:
            InputError: it is damaged, or there are not so many.
        """
        with _naming(self._path):
            if not 0 <= position < len(self):
                raise ValueError(f"it holds {len(self)} arrays, none at position {position}")
            stored = self._array(self._members[position])
            if self._base is None or stored.dtype != np.float16:
                return widen(stored)
            start = self._base.read(position)
            if start.shape != stored.shape:
                raise ValueError(f"{self.names[position]} has not the shape of the first record")
            with np.errstate(over="ignore", invalid="ignore"):
                moved: FloatArray = np.ldexp(stored.astype(start.dtype), self._exponents[position])
                return start + moved

    def _header(self, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any]]:
        with self._archive.open(member) as stream:
            shape, dtype = read_header(stream)
        if dtype.kind not in "fiub":
            raise ValueError(f"{member.filename}: not an array of numbers")
        # Before NumPy makes room for what the header claims.
        if math.prod(shape) * dtype.itemsize > member.file_size:
            raise ValueError(f"{member.filename}: claims more numbers than it has")
        return shape, dtype

    def _array(self, member: zipfile.ZipInfo) -> NDArray[Any]:
        self._header(member)
        with self._archive.open(member) as stream:
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            if stream.read(1):  # also makes zipfile compare the checksum
                raise ValueError(f"{member.filename}: goes on behind its array")
        return array


@contextmanager
def open_record(path: Path, base: Path | None = None) -> Iterator[Record]:
    """Open the record at ``path``, and the one it differs from.

    Raises:
        InputError: it is missing, truncated or holds something else.
        UnsafeInputError: it would unpack into too much memory.
    """
    with ExitStack() as stack:
        start = stack.enter_context(open_record(base)) if base else None
        with _naming(path):
            opened = stack.enter_context(open_regular(path))
            archive = stack.enter_context(zipfile.ZipFile(opened))
            _check_size(path, archive)
            record = Record(path, archive, start)
        yield record


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say of which file it is that something is wrong with it."""
    try:
        yield
    except DAMAGE as error:
        raise InputError(
            f"history {path}: truncated or damaged ({one_line(error)}); copy it or record again"
        ) from error


def write_record(
    stream: IO[bytes],
    weights: Mapping[str, NDArray[Any]],
    precision: Precision = "full",
    base: Record | None = None,
) -> None:
    """Write ``weights`` one by one, as differences if there is a ``base``.

    Differences are divided by a power of two for each array, so that float16 holds them with
    eleven significant bits whatever their size: ``|error| <= 2**-11 |w - w0|``, and at most
    ``2**-39 max|w - w0|`` where that is more.

    Raises:
        UsageError: the arrays are not as many, or not of the shapes, that ``base`` has.
    """
    if base is not None and len(weights) != len(base):
        raise UsageError(
            f"The network has {len(weights)} weights, the first record {len(base)}; "
            "record another network into another folder."
        )
    exponents = []
    # np.savez takes the names as keywords, so a weight called "file" would collide there.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for position, (name, array) in enumerate(weights.items()):
            plain, exponent = _plain(array), 0
            if base is not None:
                plain, exponent = _differ(name, plain, base.read(position))
            elif precision == "float16":
                plain = _halve(plain)
            exponents.append(exponent)
            _write_array(archive, name, plain)
        if base is not None:
            _write_array(archive, _EXPONENTS, np.array(exponents, np.int16))


def _write_array(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)


def _check_size(path: Path, archive: zipfile.ZipFile) -> None:
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > _MAX_BYTES:
        raise UnsafeInputError(
            f"history {path}: would unpack into {unpacked} bytes; do not trust this history"
        )


def widen(array: NDArray[Any]) -> FloatArray:
    """Numbers as they are read back: float32 stays, float16 becomes it, integers float64."""
    plain = _plain(array)
    if plain.dtype == np.float16:
        return plain.astype(np.float32)
    return plain if plain.dtype.kind == "f" else plain.astype(np.float64)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    # bfloat16 and float8 are NumPy extension types (kind V), which .npy cannot name.
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _halve(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    # A variance above 65504 would turn into infinity: that one array stays as it is.
    return array if np.isinf(half).any() else half


def _differ(name: str, array: NDArray[Any], start: FloatArray) -> tuple[NDArray[Any], int]:
    """The scaled difference and its exponent; the array itself where there is no difference."""
    if array.shape != start.shape:
        raise UsageError(
            f"{name} has the shape {array.shape}, in the first record {start.shape}; "
            "record another network into another folder."
        )
    if array.dtype.kind != "f" or not np.isfinite(start).all() or not np.isfinite(array).all():
        return (_own(array), 0)
    with np.errstate(over="ignore"):
        difference = array.astype(start.dtype, copy=False) - start
    if not np.isfinite(difference).all():
        return (_own(array), 0)
    largest = float(np.abs(difference).max(initial=0))
    exponent = math.frexp(largest)[1] - _TOP if largest else 0
    return np.ldexp(difference, -exponent).astype(np.float16), exponent


def _own(array: NDArray[Any]) -> NDArray[Any]:
    """Stored as it is: float16 would be read as a difference."""
    return array.astype(np.float32) if array.dtype == np.float16 else array
