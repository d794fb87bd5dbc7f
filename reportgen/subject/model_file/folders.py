"""Folders that hold a model: what MLflow logs, an unpacked .keras, or a level too high."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from reportgen.errors import InputError
from reportgen.files import Folder

_SUFFIXES = (".keras", ".h5", ".hdf5")
_GRAPH, _MLFLOW = "saved_model.pb", "MLmodel"
UNPACKED = ("config.json", "metadata.json", "model.weights.h5")
_DEPTH, _SHOWN = 3, 3


def is_unpacked(folder: Path) -> bool:
    """Whether it is what a .keras archive holds, unpacked."""
    return all((folder / name).is_file() for name in (UNPACKED[0], UNPACKED[-1]))


def locate(path: Path) -> tuple[Path, tuple[str, ...]]:
    """The model that ``path`` stands for, and a note where that is not ``path`` itself.

    Raises:
        InputError: a folder that holds no model, or from which none is chosen; names what to give.
    """
    # Not `Path.is_dir`, which raises where a name is longer than a file system allows.
    if not os.path.isdir(path) or (path / _GRAPH).is_file():
        return path, ()
    if is_unpacked(path):
        return path, ("The folder is an unpacked .keras archive.",)
    inside = _list_models(path)
    logged = any((folder / _MLFLOW).is_file() for folder in (path, path.absolute().parent))
    if logged and len(inside) == 1:
        return path / inside[0], (
            f"The model was found in the folder that MLflow logged: {inside[0]}.",
        )
    if not inside:
        raise InputError(
            f"{path} is a folder without an audit.toml, a {_GRAPH} or a model file. Give a model "
            "file."
        )
    shown = ", ".join(str(path / name) for name in inside[:_SHOWN])
    more = f" and {len(inside) - _SHOWN} more" if len(inside) > _SHOWN else ""
    what = "the model in it" if len(inside) == 1 else "one of the models in it"
    raise InputError(f"{path} is a folder. Give {what}: {shown}{more}.")


def _list_models(path: Path) -> list[str]:
    """Model files and folders below ``path``, a few levels deep; no link is followed."""
    try:
        with Folder(path) as folder:
            names = [PurePosixPath(name) for name in folder.names()]
    except OSError as error:
        raise InputError(f"{path} cannot be searched for a model: {error.strerror}.") from None
    near = [name for name in names if len(name.parts) <= _DEPTH]
    files = {n for n in near if n.suffix in _SUFFIXES and not (path / n).is_symlink()}
    graphs = {n.parent for n in near if n.name == _GRAPH}
    unpacked = {n.parent for n in near if n.name == UNPACKED[-1] and is_unpacked(path / n.parent)}
    files = {name for name in files if name.parent not in unpacked}
    return sorted(map(str, files | graphs | unpacked))
