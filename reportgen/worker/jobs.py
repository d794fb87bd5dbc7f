"""What the worker does: open the subject, compute parts, join and present them.

Each job is a function of picklable arguments that returns bytes, so any
`concurrent.futures.Executor` can run it. The bytes of a computed part are opaque to the
parent; only the bytes of a card or a finished section are read there, as JSON and plain
arrays. Nothing that a model file could have influenced is ever unpickled by the parent.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from reportgen.config import AuditConfig
from reportgen.errors import UnsafeInputError, WeightsChangedError
from reportgen.memory import memory_within
from reportgen.report.blocks import Block
from reportgen.report.cards import SubjectCard
from reportgen.report.findings import Finding
from reportgen.report.sections import SectionBody
from reportgen.worker import isolation

if TYPE_CHECKING:
    import keras

    from reportgen.subject.model_file import ModelFile
    from reportgen.subject.subject import LiveInput, Subject

_findings = TypeAdapter(tuple[Finding, ...])
_blocks = TypeAdapter(tuple[Block, ...])
# One subject a process: opening is the slow part, and every analysis looks at the same one.
_open: dict[str, Subject] = {}
_screened: dict[str, ModelFile] = {}
_loaded: dict[str, tuple[ModelFile, keras.Model]] = {}
# Reading the structure of a file needs little; what asks for more is no model.
SCREENING_BYTES = 2**30


def screen_job(config: AuditConfig) -> bytes:
    """Read and judge the model file, with little memory and without TensorFlow; its size."""
    from reportgen.subject.network import screen

    try:
        with memory_within(SCREENING_BYTES):
            file = screen(config)
    except MemoryError:
        raise _bomb(config.model) from None
    _screened.clear()
    _screened[config.model_dump_json()] = file
    return json.dumps({"size_bytes": file.size_bytes}).encode()


def inspect_job(path: Path, custom_objects: tuple[str, ...]) -> bytes:
    """Facts about a model file, as JSON."""
    from reportgen.subject.model_file import examine
    from reportgen.subject.model_file.inspection import inspect
    from reportgen.subject.user_code import names_of

    try:
        with memory_within(SCREENING_BYTES):
            facts = inspect(examine(path, custom=names_of(custom_objects)))
    except MemoryError:
        raise _bomb(path) from None
    return json.dumps(facts).encode()


def _bomb(path: Path | None) -> UnsafeInputError:
    return UnsafeInputError(
        f"{path} was not opened. Reading its structure takes more than "
        f"{SCREENING_BYTES >> 20} MB of memory, which no model needs: it may be a bomb."
    )


def load_job(config: AuditConfig) -> bytes:
    """Build the network and load its weights."""
    _import_keras()
    from reportgen.subject.network import open_network, screen

    key = config.model_dump_json()
    screened = _screened.pop(key) if key in _screened else screen(config)
    _loaded.clear()
    _loaded[key] = open_network(config, screened)
    return b""


def _import_keras() -> None:
    """Import Keras, which imports matplotlib, which reads a file of the working directory.

    That may be a folder of somebody else's, and its ``matplotlibrc`` a pipe that never ends.
    """
    if "keras" not in sys.modules:
        with contextlib.chdir(Path(__file__).parent):
            import keras  # noqa: F401


def open_job(config: AuditConfig, live: LiveInput | None = None) -> bytes:
    """Open the subject; return its card and the versions at work, as JSON."""
    subject = _subject(config, live)
    facts = {
        "card": subject.card.model_dump(mode="json"),
        "versions": _versions(),
        "device": _device(),
        "isolation": _isolation(),
    }
    return json.dumps(facts).encode()


def compute_job(
    config: AuditConfig, live: LiveInput | None, analysis_id: str, options: Any
) -> bytes:
    """Compute one part of an analysis. The weights are hashed before and after."""
    from reportgen.battery import find_analysis

    subject = _subject(config, live)
    before = subject.weights_hash()
    started = time.perf_counter()
    seeds = [config.seed & 0xFFFFFFFF, config.seed >> 32, zlib.crc32(analysis_id.encode())]
    try:
        result = find_analysis(analysis_id).compute(subject, options, np.random.default_rng(seeds))
    finally:
        if subject.weights_hash() != before:
            _open.clear()
            raise WeightsChangedError(f"{analysis_id} changed the model's weights.")
    seconds = time.perf_counter() - started
    return pickle.dumps((result, seconds))


def present_job(analysis_id: str, parts: list[bytes]) -> bytes:
    """Join computed parts and present them: a packed `SectionBody`."""
    from reportgen.battery import find_analysis

    analysis = find_analysis(analysis_id)
    results, seconds = zip(*map(pickle.loads, parts), strict=True)
    result = analysis.join(list(results)) if analysis.join else results[0]
    body = analysis.present(result)
    return pack_body(body, sum(seconds), peak_memory_bytes())


def pack_body(body: SectionBody, seconds: float, memory: int) -> bytes:
    """A section as an uncompressed ``.npz``: its arrays, and its JSON as bytes."""
    head = {
        "findings": _findings.dump_python(body.findings, mode="json"),
        "blocks": _blocks.dump_python(body.blocks, mode="json"),
        "method": body.method,
        "seconds": seconds,
        "memory": memory,
    }
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(head).encode(), np.uint8)
    arrays: dict[str, Any] = {f"a_{key}": value for key, value in body.arrays.items()}
    np.savez(buffer, __json__=text, **arrays)
    return buffer.getvalue()


def unpack_body(packed: bytes) -> tuple[SectionBody, float, int]:
    """The section, its seconds and its peak memory in bytes. Validates everything."""
    arrays: dict[str, NDArray[Any]] = {}
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        head = json.loads(archive["__json__"].tobytes())
        arrays = {key[2:]: archive[key] for key in archive.files if key.startswith("a_")}
    body = SectionBody(
        findings=_findings.validate_python(head["findings"]),
        blocks=_blocks.validate_python(head["blocks"]),
        method=tuple(str(line) for line in head["method"]),
        arrays=arrays,
    )
    return body, float(head["seconds"]), int(head["memory"])


@dataclass(frozen=True)
class Opened:
    """What `open_job` tells: the card, the versions at work, the device, how shut in."""

    card: SubjectCard
    versions: dict[str, str]
    device: str
    isolation: tuple[str, ...]


def read_card(packed: bytes) -> Opened:
    """What `open_job` packed, validated."""
    facts = json.loads(packed)
    return Opened(
        SubjectCard.model_validate(facts["card"]),
        {str(key): str(value) for key, value in facts["versions"].items()},
        str(facts["device"]),
        tuple(map(str, facts["isolation"])),
    )


def _subject(config: AuditConfig, live: LiveInput | None) -> Subject:
    key = config.model_dump_json() + (f"live {id(live)}" if live else "")
    if key not in _open:
        from reportgen.subject.subject import open_subject

        _open.clear()
        _open[key] = open_subject(config, live, _loaded.pop(key, None))
    return _open[key]


def close_subject() -> None:
    """Let go of the subject (a live model must not be kept alive by us)."""
    for cache in (_open, _screened, _loaded):
        cache.clear()


def peak_memory_bytes() -> int:
    """The most memory this process has had resident."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _versions() -> dict[str, str]:
    import keras
    import sklearn
    import tensorflow as tf

    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }


def _isolation() -> tuple[str, ...]:
    """How far the process that opened the model was shut in, in sentences."""
    limits = isolation.current()
    if limits is None:
        return ("The model was opened in the caller's own process, without limits.",)
    gigabytes = limits.memory_limit_bytes / 2**30
    return (
        limits.network or "The process that opened the model had no network.",
        limits.memory or f"Its memory was limited to {gigabytes:.1f} GiB.",
        "Its environment held no secrets: only what libraries need was passed on.",
    )


def _device() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return f"{len(gpus)} GPU" if gpus else "CPU"
