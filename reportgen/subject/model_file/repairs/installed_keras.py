"""What the layers of the installed Keras take, read from its source: nothing of it is imported.

Files are judged without TensorFlow, and an argument that came and went with the versions of Keras
is only a fault where the Keras at hand does not have it. A list of ours would be right for one
version; the signatures are right for the one that will build the network.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_LAYERS = "keras.layers"
_MAKER = "__init__"
_MOST_BASES = 32  # of classes in a row; Keras has fewer than ten


def has_layer(class_name: str) -> bool:
    """Whether ``keras.layers`` has the class."""
    return class_name in _imports_of(_LAYERS)


def accepts(class_name: str, argument: str) -> bool:
    """Whether a layer of ``keras.layers`` can be made with this argument."""
    return argument in accepted_arguments(class_name)


@cache
def accepted_arguments(class_name: str) -> frozenset[str]:
    """The names that the constructor of a layer takes, those that it passes on among them.

    Empty where Keras does not have the class, or its source is not there.
    """
    home = _imports_of(_LAYERS).get(class_name)
    return frozenset(_arguments(*home, left=_MOST_BASES)) if home else frozenset()


def _arguments(module: str, name: str, left: int) -> Iterator[str]:
    """Of the nearest constructor; of the next one too where it hands its keywords on."""
    found = _find_class(module, name, left)
    if found is None or not left:
        return
    module, node = found
    maker = next(
        (part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == _MAKER),
        None,
    )
    if maker is not None:
        named = [*maker.args.posonlyargs, *maker.args.args, *maker.args.kwonlyargs]
        yield from (argument.arg for argument in named if argument.arg != "self")
        if maker.args.kwarg is None:
            return
    for base in node.bases:
        if isinstance(base, ast.Name):
            yield from _arguments(module, base.id, left - 1)
        elif isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name):
            # As in ``class GaussianNoise(layers.Layer)``, behind ``from keras.src import layers``.
            package, inside = _imports_of(module).get(base.value.id, ("", ""))
            yield from _arguments(f"{package}.{inside}", base.attr, left - 1)


def _find_class(module: str, name: str, left: int) -> tuple[str, ast.ClassDef] | None:
    """The class and the module that defines it, whatever passes it on."""
    tree = _parse(module)
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
    home = _imports_of(module).get(name)
    return _find_class(*home, left - 1) if home and left else None


@cache
def _imports_of(module: str) -> dict[str, tuple[str, str]]:
    """By the name that a module gives it: module and name of what it imports."""
    tree = _parse(module)
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in (ast.walk(tree) if tree else ())
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


@cache
def _parse(module: str) -> ast.Module | None:
    """The source of a module of Keras; None where there is none to read."""
    spec = find_spec("keras")
    folders = spec.submodule_search_locations if spec else None
    package, _, inside = module.partition(".")
    if package != "keras" or not folders:
        return None
    path = Path(folders[0]).joinpath(*inside.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return ast.parse(file.read_bytes())
    return None
