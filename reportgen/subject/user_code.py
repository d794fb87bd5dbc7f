"""Code of the user's own, by ``module:name``. It is imported only because it was asked for."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.machinery
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from reportgen.errors import ConfigurationError, UsageError

# Where to look for it; None: where this process looks for modules, and beside the call.
_search: tuple[str, ...] | None = None


def search_in(folders: Iterable[str]) -> None:
    """Look for the user's code in ``folders`` from now on; nothing else is looked for there."""
    global _search
    _search = tuple(folders)


def names_of(specs: Iterable[str]) -> frozenset[str]:
    """The names that ``[NAME=]module:name`` supplies, without importing anything.

    Raises:
        ConfigurationError: one of them is not spelled like that.
    """
    return frozenset(_split(spec)[0] for spec in specs)


def load_objects(specs: Iterable[str]) -> dict[str, Any]:
    """The classes and functions of ``[NAME=]module:name``, by name.

    Raises:
        ConfigurationError: one cannot be imported.
    """
    return {name: load_named(target, "custom_objects") for name, target in map(_split, specs)}


def name_objects(given: Mapping[str, Any] | Iterable[str] | None) -> tuple[str, ...]:
    """Custom objects as ``NAME=module:name``, so that they can be found in another process.

    Raises:
        UsageError: one is not part of an importable module.
    """
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Mapping):
        return tuple(given or ())
    return tuple(f"{name}={_address(name, found)}" for name, found in given.items())


def _address(name: str, found: Any) -> str:
    module, path = getattr(found, "__module__", ""), getattr(found, "__qualname__", "<>")
    if module in ("", "__main__") or "<" in path:
        raise UsageError(
            f"custom_objects: {name} is defined in a script or in a function, where the process "
            "that opens the model cannot find it. Move it into a module, or open the model here "
            "and call reportgen.audit(model, x, y)."
        )
    return f"{module}:{path}"


def name_of(found: Any) -> str:
    """``module:qualname`` of a function; of an object that is called, that of its class."""
    while isinstance(found, functools.partial):
        found = found.func
    named = found if hasattr(found, "__qualname__") else type(found)
    return f"{getattr(named, '__module__', None) or '__main__'}:{named.__qualname__}"


def find_address(function: Any) -> str:
    """``module:function``, by which another process finds the same function.

    Raises:
        UsageError: it has no such name: a lambda, a function in a function or in a script.
    """
    name = name_of(function)
    module, _, path = name.partition(":")
    found = sys.modules.get(module) if module != "__main__" else None
    for part in path.split("."):
        found = getattr(found, part, None)
    if found is not function:
        raise UsageError(
            f"preprocessing: {name} cannot be found by name in the process that opens the model. "
            "Define it as a function of a module, or open the model here and call "
            "audit(model, x, y, preprocessing=...)."
        )
    return name


def _split(spec: str) -> tuple[str, str]:
    name, equals, target = spec.rpartition("=")
    module, colon, attribute = target.partition(":")
    if not (colon and module and attribute):
        raise ConfigurationError(
            f"custom_objects: {spec!r} is not module:name, for example my_layers:Odd."
        )
    return (name if equals else attribute.rpartition(".")[2]), target


def load_named(target: str, setting: str) -> Any:
    """What ``module:name`` names; modules beside the call are found too.

    Raises:
        ConfigurationError: it cannot be imported; names ``setting`` and the cause.
    """
    module, _, attribute = target.partition(":")
    try:
        found: Any = _import(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # the user's module may raise anything while it is imported
        raise ConfigurationError(
            f"{setting}: {target!r} cannot be imported ({type(error).__name__}: {error})."
        ) from None
    return found


def _import(module: str) -> Any:
    """The module as the user's own process would find it.

    What is installed is imported as it is. For what stands elsewhere, the user's folders are looked
    into while it is imported; afterwards only the one where it was found stays, behind all others.
    """
    wanted = [*(_search if _search is not None else sys.path)]
    with contextlib.suppress(FileNotFoundError):  # a working directory that was removed
        if "" not in wanted and os.getcwd() not in wanted:
            wanted.append(os.getcwd())
    home = _home_of(module, wanted)
    if home is None or home in sys.path:
        return importlib.import_module(module)
    before = sys.path[:]
    sys.path[:] = [*wanted, *(entry for entry in before if entry not in wanted)]
    try:
        return importlib.import_module(module)
    finally:
        # What it needs later may stand in another of them; the working directory only if it does.
        stay = [entry for entry in wanted if entry == home or not _is_here(entry)]
        sys.path[:] = [*before, *(entry for entry in stay if entry not in before)]


def _home_of(module: str, folders: list[str]) -> str | None:
    """The folder among ``folders`` where a module, or the package it is of, is found first."""
    top = module.partition(".")[0]
    for folder in folders:
        spec = importlib.machinery.PathFinder.find_spec(top, [folder])
        if spec is not None and spec.loader is not None:  # a folder without code hides nothing
            return folder
    return None


def _is_here(folder: str) -> bool:
    """Whether a folder is the working directory."""
    try:
        return not folder or os.path.samefile(folder, os.getcwd())
    except OSError:
        return False
