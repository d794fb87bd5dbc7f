"""Options of the command line that are made from the fields of a configuration.

A field that is added to `AuditConfig` is an option of ``reportgen audit`` with no line here: its
name, its type, its choices, its default and its help are the field's.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import click

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Spelling:
    """How a field is typed, where that is not plain from its name and type.

    Attributes:
        flag: the option, if not the field's name with hyphens.
        metavar: what stands for the value in the help.
        repeat: each use adds one value; else several values are typed as one, with commas.
    """

    flag: str = ""
    metavar: str | None = None
    repeat: bool = False


def make_options(
    model: type[BaseModel], hidden: Collection[str], spellings: Mapping[str, Spelling]
) -> list[click.Option]:
    """An option for each field of ``model`` but the hidden ones. None was not typed."""
    return [
        _option(name, info, spellings.get(name, Spelling()))
        for name, info in model.model_fields.items()
        if name not in hidden
    ]


def _option(name: str, info: FieldInfo, spelling: Spelling) -> click.Option:
    kinds = _kinds(info.annotation)
    flag = spelling.flag or f"--{name.replace('_', '-')}"
    if bool in kinds:
        return click.Option([flag, name], is_flag=True, default=None, help=info.description)
    return click.Option(
        [flag, name],
        type=_click_type(kinds),
        multiple=spelling.repeat,
        metavar=spelling.metavar,
        help=_help(info),
    )


def _kinds(annotation: Any) -> list[Any]:
    """The alternatives of a type, without None."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for kind in get_args(annotation) if kind is not type(None)]
    return [annotation]


def _click_type(kinds: list[Any]) -> click.ParamType[Any]:
    if Path in kinds:
        return click.Path(path_type=Path)
    for kind in kinds:
        if get_origin(kind) is Literal:
            return click.Choice([str(choice) for choice in get_args(kind)])
    if float in kinds:
        return click.FLOAT
    return click.INT if int in kinds else click.STRING


def _help(info: FieldInfo) -> str:
    default = info.default
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    elif isinstance(default, float):
        default = f"{default:g}"
    known = f"  [default: {default}]" if default is not None and default != "" else ""
    return f"{info.description or ''}{known}"
