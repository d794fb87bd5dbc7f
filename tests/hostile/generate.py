"""Writes the collection: hostile model files, and honest ones beside them.

``python -m hostile.generate FOLDER [PART ...]``, in the folder of the tests. The parts may be
written at the same time. Nothing is run by writing: payloads sleep until a file is opened without
care, and then they make one empty file.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from . import (
    archive_cases,
    code_cases,
    hdf5_cases,
    legacy,
    reference_cases,
    saved_models,
    size_cases,
    text_cases,
    twins,
)
from .case import Case
from .networks import write_templates

PARTS: dict[str, tuple[ModuleType, ...]] = {
    "hostile": (
        code_cases,
        reference_cases,
        hdf5_cases,
        size_cases,
        archive_cases,
        text_cases,
    ),
    "twins": (twins,),
    "legacy": (saved_models, legacy),
}


def collect(part: str | None = None) -> Iterator[Case]:
    """The cases, without writing them."""
    for name, modules in PARTS.items():
        for module in modules if part in {None, name} else ():
            yield from module.cases()


def write(root: Path, part: str) -> None:
    """Write the files of one part."""
    if part == "hostile":
        write_templates(root / "templates")
    for case in collect(part):
        place, began = case.place(root), time.perf_counter()
        place.path.parent.mkdir(parents=True)
        case.write(place)
        if place.canary.exists():
            raise RuntimeError(f"{case.name}: its payload ran while it was written")
        if "-v" in sys.argv:
            print(f"{time.perf_counter() - began:7.3f} s  {case.name}")


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    chosen = [argument for argument in sys.argv[2:] if argument in PARTS]
    for each in chosen or PARTS:
        write(Path(sys.argv[1]).resolve(), each)
