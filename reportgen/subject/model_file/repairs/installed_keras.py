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

_LAYERS, _INITIALIZERS, _OPS = "keras.layers", "keras.initializers", "keras.src.ops"
_MAKER = "__init__"
_MOST_BASES = 32  # of classes in a row; Keras has fewer than ten


def has_layer(class_name: str) -> bool:
    """Whether ``keras.layers`` has the class."""
    return class_name in _imports_of(_LAYERS)


@cache
def public_name(class_name: str) -> str:
    """What ``keras.layers`` calls a class that calls itself otherwise; the name itself, if not."""
    found = _imports_of(_LAYERS)
    if class_name in found:
        return class_name
    return next((name for name, (_, own) in found.items() if own == class_name), class_name)


@cache
def accepts(class_name: str, argument: str) -> bool:
    """Whether the constructor of a layer of ``keras.layers`` names this argument."""
    home = _imports_of(_LAYERS).get(class_name)
    return home is not None and argument in _arguments(*home, left=_MOST_BASES)


@cache
def accepted_arguments(class_name: str) -> frozenset[str]:
    """The names that the constructor of a layer takes, those that it passes on among them.

    Also those that it takes out of its keywords, such as old ones that it warns of.

    Empty where Keras does not have the class, or its source is not there.
    """
    home = _imports_of(_LAYERS).get(class_name)
    return frozenset(_arguments(*home, left=_MOST_BASES, taken_out=True)) if home else frozenset()


@cache
def initializer_arguments(class_name: str) -> frozenset[str] | None:
    """The names that the constructor of an initialiser takes; None where Keras does not have it."""
    home = _imports_of(_INITIALIZERS).get(class_name)
    return frozenset(_arguments(*home, left=_MOST_BASES)) if home else None


def operation_module(class_name: str) -> str | None:
    """The module of ``keras.src.ops`` that defines an operation; None where none does."""
    return _operations().get(class_name)


@cache
def _operations() -> dict[str, str]:
    folder = _folder()
    if folder is None:
        return {}
    modules = [f"{_OPS}.{path.stem}" for path in sorted((folder / "src/ops").glob("*.py"))]
    trees = ((module, _parse(module)) for module in modules)
    return {
        node.name: module
        for module, tree in trees
        for node in (tree.body if tree else ())
        if isinstance(node, ast.ClassDef)
    }


def _arguments(module: str, name: str, left: int, *, taken_out: bool = False) -> Iterator[str]:
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
        if (
            taken_out and name != "Layer"
        ):  # which takes out what Sequential models of users say of their input
            yield from _taken_out(maker, maker.args.kwarg.arg)
    for base in node.bases:
        if isinstance(base, ast.Name):
            yield from _arguments(module, base.id, left - 1, taken_out=taken_out)
        elif isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name):
            # As in ``class GaussianNoise(layers.Layer)``, behind ``from keras.src import layers``.
            package, inside = _imports_of(module).get(base.value.id, ("", ""))
            yield from _arguments(f"{package}.{inside}", base.attr, left - 1, taken_out=taken_out)


def _taken_out(maker: ast.FunctionDef, keywords: str) -> Iterator[str]:
    """Names as in ``kwargs.pop("renorm", False)``."""
    for node in ast.walk(maker):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("pop", "get")
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == keywords
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)


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


def _folder() -> Path | None:
    spec = find_spec("keras")
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) if folders else None


@cache
def _parse(module: str) -> ast.Module | None:
    """The source of a module of Keras; None where there is none to read."""
    folder = _folder()
    package, _, inside = module.partition(".")
    if package != "keras" or folder is None:
        return None
    path = folder.joinpath(*inside.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return ast.parse(file.read_bytes())
    return None
