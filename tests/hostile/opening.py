"""Opens many honest files in one process and compares what they answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

# Building from the configuration may order sums in another way than the model that was saved.
TOLERANCE = 1e-5


def compare(path: Path) -> str:
    """Open the file as the audit does; "" or what is wrong."""
    from reportgen.errors import ReportgenError
    from reportgen.subject.model_file import identify, open_model

    try:
        model = open_model(identify(path))
    except ReportgenError as error:
        return f"{type(error).__name__}: {error}"
    with np.load(path.with_name("expected.npz")) as kept:
        inputs = [kept[name] for name in kept.files if name.startswith("x")]
        expected = [kept[name] for name in kept.files if name.startswith("y")]
    answers: Any = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    if not isinstance(answers, list):
        answers = [answers]
    if len(answers) != len(expected):
        return f"{len(answers)} outputs, expected {len(expected)}"
    for answer, wanted in zip(answers, expected, strict=True):
        if answer.shape != wanted.shape:
            return f"answers of shape {answer.shape}, expected {wanted.shape}"
        if not np.allclose(answer, wanted, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            return f"answers differ by {np.nanmax(np.abs(answer - wanted)):.2g}"
    return ""


def main() -> None:
    """Read names and paths from the first file, write what is wrong into the second."""
    found = {}
    for name, path in json.loads(Path(sys.argv[1]).read_text()).items():
        try:
            found[name] = compare(Path(path))
        except Exception as error:  # one file must not hide the others
            found[name] = f"{type(error).__name__}: {str(error)[:500]}"
    Path(sys.argv[2]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
