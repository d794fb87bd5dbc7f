"""What is built once, for both workers and for the next run: kept under a hash of what goes in."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# All that an audit of a sample reads, but for the machine: an audit is kept under their hash.
PRODUCT = (ROOT / "reportgen", ROOT / "templates", ROOT / "samples")
_GENERATIONS, _SECONDS = 2, 24 * 3600  # of each thing; others stay so long after their last use
_NUMERIC = ("TF_", "OMP_", "OPENBLAS_", "MKL_", "KERAS_", "CUDA_", "XLA_", "REPORTGEN_")
# As the run began: TensorFlow adds to it when it is imported, and tests do.
_ENVIRONMENT = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith(_NUMERIC))


def keep(root: Path, name: str, build: Callable[[Path], None], *sources: Path | str) -> Path:
    """The folder that ``build`` filled, now or in an earlier run of the same ``sources``.

    root: of everything kept. sources: files, folders, and words; with them go the installed
    versions and the environment of the numeric libraries. A build that failed is no build.
    """
    shelf = root / name
    shelf.mkdir(parents=True, exist_ok=True)
    done = shelf / f"{_hash(*sources, str(root.resolve()))[:20]}.done"
    with locked(root / f"{name}.lock"):
        if not done.exists():
            # A new folder for each try: what a killed run started may still write into its own.
            folder = Path(tempfile.mkdtemp(dir=shelf))
            build(folder)
            done.write_text(folder.name)
            _forget(shelf)
        done.touch()
        return shelf / done.read_text()


def _forget(shelf: Path) -> None:
    """Only the latest generations stay, those that a run may still use, and no half built ones."""
    latest = sorted(shelf.glob("*.done"), key=lambda path: path.stat().st_mtime)
    for old in latest[:-_GENERATIONS]:
        if old.stat().st_mtime < time.time() - _SECONDS:
            old.unlink()
    kept = {done.read_text() for done in shelf.glob("*.done")}
    for folder in shelf.iterdir():
        if folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of this file; ``shared``: with others who share it."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def _hash(*sources: Path | str) -> str:
    digest = hashlib.sha256()
    for source in (*sources, _surroundings()):
        if isinstance(source, str):
            digest.update(f"\0word {source}".encode())
            continue
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"\0file {file.relative_to(ROOT)}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@cache
def _surroundings() -> str:
    """What else a number can depend on; while coverage is measured, nothing is taken from before.

    Every run with coverage, and none other, has to compute everything in itself.
    """
    versions = sorted(f"{d.name}=={d.version}" for d in importlib.metadata.distributions())
    run = os.environ.get("REPORTGEN_COVERAGE", "") and os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
    return "\n".join([sys.version, platform.platform(), *versions, *_ENVIRONMENT, run])
