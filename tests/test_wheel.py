"""The installed wheel, outside the checkout: it has its templates and needs no TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reportgen.config import build_config
from reportgen.output import write_report
from reportgen.report.cards import Timing
from reportgen.report.folder import find_differences
from reportgen.report.report import Report

pytest.importorskip("hatchling", reason="the wheel is built with hatchling")

# Stands in for a machine without these packages: importing them fails as if they were absent.
_ABSENT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"tensorflow", "keras", "sklearn", "scipy", "h5py"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that holds the package as the wheel installs it."""
    folder = tmp_path_factory.mktemp("wheel")
    root = Path(__file__).resolve().parent.parent
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, root],
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    (site / "sitecustomize.py").write_text(_ABSENT)
    return site


@pytest.fixture(scope="module")
def report(digits) -> Report:
    return Report.load(digits)


def run(installed: Path, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    code = "import reportgen.cli as c; print(c.__file__); c.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_rendering_from_the_wheel_without_tensorflow_gives_the_same_page(
    installed, report, tmp_path
):
    out = tmp_path / "report"
    config = build_config({"out": out, "formats": ("html", "json")})
    write_report(report, config, Timing())
    before = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    done = run(installed, tmp_path, "render", "report", "--format", "html")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(installed))
    assert (out / "report.html").read_bytes() == before
    assert find_differences(out) == []


def test_the_wheel_promises_types(installed):
    assert (installed / "reportgen" / "py.typed").is_file()


def test_the_absence_is_real(installed, tmp_path):
    done = run(installed, tmp_path, "audit", "nothing.keras")
    assert done.returncode == 4
    code = "import tensorflow"
    missing = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert "No module named 'tensorflow'" in missing.stderr
