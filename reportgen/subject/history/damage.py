"""What can be wrong with a file of a history, and how it is said."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from reportgen.errors import UnsafeInputError


def one_line(error: Exception) -> str:
    """The cause in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg']}"
    return " ".join(str(error).split()) or type(error).__name__


def refuse_link(path: Path) -> None:
    """Make sure that ``path`` leads nowhere else.

    Raises:
        UnsafeInputError: it is a symbolic link.
    """
    if path.is_symlink():
        raise UnsafeInputError(
            f"history {path}: is a symbolic link; put the file itself into the folder"
        )
