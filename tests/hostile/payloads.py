"""Code that a model file may bring along. All of it makes one empty file, the canary."""

from __future__ import annotations

import base64
import codecs
import marshal
from pathlib import Path
from types import CodeType
from typing import Any

MODULE = "canary_module"


def bytecode(canary: Path) -> CodeType:
    """Code of a function of one argument that makes the canary and returns the argument."""
    text = f"lambda x, *a, **k: (open({str(canary)!r}, 'w').close(), x)[1]"
    return next(
        constant
        for constant in compile(text, "<lambda>", "eval").co_consts
        if isinstance(constant, CodeType)
    )


def lambda_3(canary: Path) -> dict[str, Any]:
    """A function as Keras 3 stores it."""
    code = codecs.encode(marshal.dumps(bytecode(canary)), "base64").decode("ascii")
    return {
        "class_name": "__lambda__",
        "config": {"code": code, "defaults": None, "closure": None},
    }


def lambda_2(canary: Path) -> list[Any]:
    """A function as Keras 2 stores it: marshalled bytecode, defaults, closure."""
    code = codecs.encode(marshal.dumps(bytecode(canary)), "base64").decode("ascii")
    return [code, None, None]


def lambda_1(canary: Path) -> list[Any]:
    """A function as Keras 1 stores it: the marshalled bytes as text."""
    return [marshal.dumps(bytecode(canary)).decode("raw_unicode_escape"), None, None]


def write_module(folder: Path, canary: Path) -> None:
    """A module beside the model that makes the canary when it is imported."""
    text = f"open({str(canary)!r}, 'w').close()\n\n\nclass Layer:\n    pass\n"
    (folder / f"{MODULE}.py").write_text(text)


class Pickled:
    """Makes the canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.canary), "w")


def pickled(canary: Path) -> bytes:
    """A pickle that makes the canary."""
    import pickle

    return pickle.dumps(Pickled(canary))


def pickled_text(canary: Path) -> str:
    """The same as JSON can carry it."""
    return base64.b64encode(pickled(canary)).decode("ascii")
