"""What Keras and TensorFlow say when they refuse, in one line."""

from __future__ import annotations

import re

_BOLD = re.compile(r"\x1b\[\d*m")
_LONGEST = 200


def find_reason(error: Exception) -> str:
    """The line of a message that says what is wrong; Keras puts it below one that does not."""
    lines = [_BOLD.sub("", line).strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith("Exception encountered")]
    return said[0].split("{{")[0][:_LONGEST].rstrip(". '") if said else type(error).__name__
