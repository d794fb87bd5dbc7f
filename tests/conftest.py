"""Shared by all tests: quiet TensorFlow, the shipped samples, the collection of real files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the worker has it
os.environ.pop("SOURCE_DATE_EPOCH", None)

import pytest

CLI = (sys.executable, "-c", "from reportgen.cli import main; main()")
ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many damaged and hostile files are tried."""
    parser.addoption("--damages", type=int, default=2000, metavar="N")
    parser.addoption("--all-hostile", action="store_true", help="Try every hostile file.")


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of shipped samples."""
    return ROOT / "samples"


@pytest.fixture(scope="session")
def digits(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a quick audit of the digits, with its page; nobody writes into it."""
    out = tmp_path_factory.mktemp("digits") / "report"
    settings = ["--preset", "quick", "--format", "html,json", "--quiet"]
    command = [*CLI, "audit", str(samples / "digits"), "--out", str(out), *settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real models and images; tests that want it skip where it is absent."""
    folder = Path(os.environ.get("REPORTGEN_REAL", ROOT.parent / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip("the collection of real models and images is not here")
    return folder
