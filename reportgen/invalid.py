"""What is wrong with a setting, in words of the setting: ``seed: a whole number is needed``.

The library that checks values has words of its own ("Input should be a valid integer, unable to
parse string as an integer"). Users never see them; this table stands in between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reportgen.suggest import nearest

_LONGEST = 60  # of a value that is repeated
# By the library's kind of error: what is needed instead.
_NEEDED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a table",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "frozen_set_type": "a list",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "list_type": "a list",
    "path_type": "a path",
    "set_type": "a list",
    "string_sub_type": "text",
    "string_type": "text",
    "string_unicode": "text",
    "tuple_type": "a list",
}
# With the number that the library gives beside it.
_BOUNDS = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "too_long": "must have at most {max_length} values",
    "too_short": "must have at least {min_length} values",
}
_PATTERNS = {r"^[0-9a-fA-F]{64}$": "64 hexadecimal digits are needed"}


def describe_setting(errors: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with one setting, and what it got: ``a whole number is needed, got 'x'.``

    Args:
        errors: all that the library has to say of this setting, one for each type that it could
            have been; at least one.
    """
    # What is wrong with a part of the value tells more than that the whole is no path.
    depth = max(len(error["loc"]) for error in errors)
    errors = [error for error in errors if len(error["loc"]) == depth]
    first = errors[0]
    kinds = [_NEEDED[error["type"]] for error in errors if error["type"] in _NEEDED]
    if kinds and len(kinds) == len(errors):
        said = f"{' or '.join(dict.fromkeys(kinds))} is needed"
    else:
        said = _describe(first)
    guess = nearest(first["input"], _choices(first)) if isinstance(first["input"], str) else ""
    return f"{said}, got {_shorten(first['input'])}.{' ' + guess if guess else ''}"


def describe_unknown(name: str, known: Sequence[str]) -> str:
    """``unknown key presett. Did you mean 'preset'? Known: ...``."""
    guess = nearest(name.rpartition(".")[2], known)
    return f"unknown key {name}. {guess + ' ' if guess else ''}Known: {', '.join(known)}."


def _describe(error: Mapping[str, Any]) -> str:
    kind, context = str(error["type"]), dict(error.get("ctx") or {})
    if kind in _NEEDED:
        return f"{_NEEDED[kind]} is needed"
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**{name: _spell(bound) for name, bound in context.items()})
    if kind == "literal_error":
        choices = _choices(error)
        one = "one of " if len(choices) > 1 else ""
        return f"{one}{', '.join(choices) or context.get('expected')} is needed"
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        return _PATTERNS.get(pattern, f"text of the form {pattern} is needed")
    if kind == "missing":
        return "a value is missing"
    if kind in ("value_error", "assertion_error"):  # words of our own
        return str(error["msg"]).partition(", ")[2] or str(error["msg"])
    return "this is not what is needed"


def _spell(bound: Any) -> Any:
    """A bound as a person writes it: 0 for 0.0."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _choices(error: Mapping[str, Any]) -> list[str]:
    """The words that a setting may be; none where it is no choice of words."""
    if error["type"] != "literal_error":
        return []
    return re.findall(r"'([^']*)'", str((error.get("ctx") or {}).get("expected", "")))


def _shorten(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of 5000 digits, tables in tables in tables
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
