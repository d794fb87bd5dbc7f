"""What can be wrong with a file of a history, and how it is said."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path

from pydantic import ValidationError

from reportgen.errors import UnsafeInputError

# What zipfile and NumPy raise on bytes that are not what they claim to be.
_DECODING = (zipfile.BadZipFile, zlib.error, lzma.LZMAError)
DAMAGE = (OSError, EOFError, ValueError, KeyError, RuntimeError, MemoryError, *_DECODING)


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
