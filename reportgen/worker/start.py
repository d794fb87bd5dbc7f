"""Run by its path in a process of its own: shuts itself in, then serves.

Python is told to isolate itself (``-I``): no variable ``PYTHON*`` counts, and modules come neither
from the working directory, nor from the folder of a script, nor from the user's site directory.
So what the first imports find is the installation, whatever lies where the audit was started.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Take the settings from the command line; see `reportgen.worker.process.LocalWorker`."""
    settings = json.loads(sys.argv[1])
    _import_package(Path(settings["package"]))
    from reportgen.worker import isolation

    isolation.isolate(settings["memory_limit"])  # before anything of the user's is looked at
    sys.path += [folder for folder in settings["installation"] if folder not in sys.path]
    from reportgen.worker.process import serve

    serve(settings["search"])


def _import_package(folder: Path) -> Any:
    """The very package that the parent runs, without its surroundings on the path."""
    spec = importlib.util.spec_from_file_location(
        "reportgen", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["reportgen"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return package


if __name__ == "__main__":
    main()
