"""What a newcomer sees of the package: names, help, types; and that importing it costs nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import reportgen
from reportgen import landscape, optvis, version

HEAVY = ("tensorflow", "keras", "numpy", "pydantic", "matplotlib", "click")


@pytest.mark.parametrize("module", [reportgen, landscape, optvis])
def test_dir_shows_what_there_is_and_nothing_else(module):
    assert dir(module) == sorted(module.__all__)


def test_every_name_has_its_line_in_the_help():
    words = {word.strip(",`:") for word in reportgen.__doc__.split()}
    assert set(reportgen.__all__) - words == {"__version__"}


def test_the_version_is_said_once():
    import tomllib

    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    assert reportgen.__version__ == version.__version__
    assert tomllib.loads(project.read_text())["project"]["version"] == version.__version__


def test_types_are_promised_to_those_who_import_it():
    assert (Path(reportgen.__file__).parent / "py.typed").is_file()


def test_importing_it_loads_nothing_heavy():
    code = f"import sys, reportgen; dir(reportgen); print({{*{HEAVY!r}}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
