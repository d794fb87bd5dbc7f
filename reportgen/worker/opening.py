"""The first steps in the worker: is the file safe, does it load, what are the samples."""

from __future__ import annotations

import json
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from reportgen.config import AuditConfig
from reportgen.errors import (
    InputError,
    LimitError,
    ReportgenError,
    TimeLimitError,
    WorkerDiedError,
    WorkerError,
)
from reportgen.worker.jobs import Opened, inspect_job, load_job, open_job, read_card, screen_job
from reportgen.worker.process import LocalWorker

# Reading what a file is takes fractions of a second; only a damaged one takes longer.
_SCREENING_SECONDS = 60.0
_LOADING_SECONDS, _LOADING_BYTES_A_SECOND = 120.0, 2e6
_DAMAGED = "{} is damaged: reading its structure did not end. Copy it again."
_SLOW = "Raise --time-limit, or lower --max-samples."
_SLOW_MODEL = "The file may be damaged. Copy it again."


def open_subject(workers: Executor, config: AuditConfig, live: Any) -> Opened:
    """Screen the file, load the model, open the samples: each step has a limit of its own.

    Raises:
        ReportgenError: there is nothing to report on; says why.
    """
    try:
        if live is None:
            screened = _screen(workers, config)
            size = int(json.loads(screened)["size_bytes"])
            usual = _LOADING_SECONDS + size / _LOADING_BYTES_A_SECOND
            limit, advice = min((config.time_limit, _SLOW), (usual, _SLOW_MODEL))
            wait(workers, limit, workers.submit(load_job, config), advice)
        future = workers.submit(open_job, config, live)
        packed = wait(workers, config.time_limit, future)
    except (WorkerDiedError, TimeLimitError) as error:
        raise LimitError(f"The model or the samples could not be opened. {error}") from None
    except WorkerError as error:
        raise ReportgenError(f"The model or the samples could not be opened. {error}") from None
    return read_card(packed)


def _screen(workers: Executor, config: AuditConfig) -> bytes:
    """The HDF5 library can hang or crash on damaged files; that says what the file is."""
    try:
        return wait(workers, _SCREENING_SECONDS, workers.submit(screen_job, config))
    except WorkerDiedError:
        raise InputError(_DAMAGED.format(config.model)) from None


def inspect_file(path: Path, custom_objects: tuple[str, ...]) -> dict[str, Any]:
    """Facts about a model file, read in a worker; see `inspection.inspect`.

    Raises:
        ReportgenError: it is no model file, or cannot be read.
    """
    with LocalWorker(device="cpu") as worker:
        future = worker.submit(inspect_job, path, custom_objects)
        try:
            return dict(json.loads(wait(worker, _SCREENING_SECONDS, future)))
        except WorkerDiedError:
            raise InputError(_DAMAGED.format(path)) from None
        except WorkerError as error:
            raise ReportgenError(f"{path} could not be read. {error}") from None


def wait(workers: Executor, seconds: float, future: Any, advice: str = _SLOW) -> bytes:
    """What the worker answers.

    Raises:
        WorkerDiedError: it did not answer in time, and was ended; or it died.
        ReportgenError: what it raised.
    """
    try:
        return bytes(future.result(timeout=seconds))
    except TimeoutError:
        if isinstance(workers, LocalWorker):
            workers.kill()
        raise WorkerDiedError(
            f"It did not finish within {seconds:g} seconds and was ended. {advice}"
        ) from None
