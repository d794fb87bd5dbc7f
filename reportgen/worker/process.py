"""The worker process: TensorFlow lives there, so that the report survives whatever happens.

`LocalWorker` is a `concurrent.futures.Executor` of one process. It is started as a plain
subprocess and not through multiprocessing, because that would import the user's main script
again. Calls go in as pickles (they come from us); what comes back is
bytes and JSON, which the parent does not execute. The process opens files that nobody vouches
for, so it finds modules in the installation only (`reportgen.worker.start`), and first gives up
its network, most memory and the secrets (`reportgen.worker.isolation`).
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import IO, Any

from reportgen.errors import ReportgenError, WorkerDiedError, WorkerError, find_error
from reportgen.memory import default_memory_limit
from reportgen.progress import Listener, within
from reportgen.worker import isolation
from reportgen.worker.search_path import PACKAGE, installation_folders

_HEADER = struct.Struct("<cQ")
_PROGRESS, _RESULT, _ERROR = b"P", b"R", b"E"
_LOG_TAIL_BYTES = 2000
_LARGEST_MESSAGE = 8 * 2**30
# What libraries do when an allocation fails: abort, or use the pointer that is none.
_DEATHS_OF_HUNGER = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)


class LocalWorker(Executor):
    """One worker process, one call at a time.

    A call that raises gives the same exception if it is one of ours, else a `WorkerError`
    with its cause. A process that dies or is killed gives a `WorkerDiedError`; the next call
    starts a fresh one.

    Args:
        device: "cpu" hides the GPUs from the process.
        listener: is told how far a call is.
        memory_limit: bytes; default: 80 % of what the machine or its control group has.
        folders: where the functions to be called stand, if not in the installation.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        listener: Listener | None = None,
        memory_limit: int | None = None,
        folders: Sequence[str] = (),
    ) -> None:
        self._device = device
        self._listener = listener
        self._memory_limit = memory_limit or default_memory_limit()
        self._folders = tuple(folders)
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn`` (importable by name, returning bytes) in the worker."""
        future: Future[Any] = Future()
        call = pickle.dumps((fn, args, kwargs))
        threading.Thread(target=self._serve, args=(call, future), daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the process at once; there is nothing in it worth waiting for."""
        self.kill()
        with self._lock:  # the call that was served has its answer by now
            self._drop_process()
            if self._log:
                self._log.close()
                self._log = None

    def kill(self) -> None:
        """End the process and everything it started, whatever it is doing."""
        process = self._process
        if process and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        process = self._process
        return process.pid if process else None

    def _serve(self, call: bytes, future: Future[Any]) -> None:
        with self._lock:
            try:
                process = self._ensure_process()
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(_HEADER.pack(_RESULT, len(call)) + call)
                process.stdin.flush()
                future.set_result(self._await_result(process.stdout))
            except ReportgenError as error:
                future.set_exception(error)
            except (OSError, EOFError):
                death = self._explain_death()
                self._drop_process()
                future.set_exception(death)
            except Exception as error:  # code that the user let run may have sent anything
                self.kill()
                self._drop_process()
                said = (
                    f"The worker process sent what is no answer, and was ended ({describe(error)})."
                )
                future.set_exception(WorkerDiedError(said))

    def _await_result(self, stream: IO[bytes]) -> bytes:
        while True:
            kind, payload = _receive(stream)
            if kind == _RESULT:
                return payload
            message = json.loads(payload)
            if kind == _ERROR:
                raise _rebuild(message)
            if self._listener:
                self._listener(int(message[0]), int(message[1]), str(message[2]))

    def _ensure_process(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._drop_process()
            self._log = self._log or tempfile.TemporaryFile()  # noqa: SIM115  closed in shutdown
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(PACKAGE / "worker/start.py"), self._settings()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=self._environment(),
                # Its own group: Ctrl-C reaches the parent, which then ends the worker.
                start_new_session=True,
            )
        return self._process

    def _settings(self) -> str:
        """What `reportgen.worker.start` is told."""
        return json.dumps(
            {
                "package": str(PACKAGE),
                "memory_limit": self._memory_limit,
                "installation": [*self._folders, *installation_folders()],
                # Only for code that the user named (`user_code`): found as it would be here.
                "search": [
                    os.path.abspath(entry)
                    for entry in sys.path
                    if os.path.isabs(entry) or _has_folder()
                ],
            }
        )

    def _environment(self) -> dict[str, str]:
        environment = isolation.clean_environment(os.environ)
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        # Off by default without AVX-512, where models whose channels come first then cannot run.
        environment.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        if self._device == "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = "-1"
        return environment

    def _drop_process(self) -> None:
        """Close the pipes of a process that has ended."""
        if self._process is None:
            return
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._process = None

    def _explain_death(self) -> WorkerDiedError:
        code = self._process.wait() if self._process else None
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = _explain_signal(-code, self._memory_limit)
            return WorkerDiedError(f"The worker process was ended by {name}.{hint}")
        said = f"The worker process ended with code {code}. {self._log_tail()}"
        return WorkerDiedError(said.strip())

    def _log_tail(self) -> str:
        if not self._log:
            return ""
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, end - _LOG_TAIL_BYTES))
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return f"Its last words: {lines[-1][:300]}" if lines else ""


class InlineExecutor(Executor):
    """Runs calls in this process: for a live model, which cannot travel.

    Args:
        time_limit: seconds for each call, which is stopped where it next tells of its progress
            (`progress.within`); None: no limit. Memory and devices are the caller's own.
    """

    def __init__(self, time_limit: float | None = None) -> None:
        self._time_limit = time_limit

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn`` now."""
        future: Future[Any] = Future()
        try:
            with within(self._time_limit):
                result = fn(*args, **kwargs)
            future.set_result(result)
        except ReportgenError as error:
            future.set_exception(error)
        except Exception as error:
            future.set_exception(WorkerError(describe(error)))
        return future


def _has_folder() -> bool:
    """Whether the working directory is still there."""
    try:
        return bool(os.getcwd())
    except OSError:
        return False


def describe(error: BaseException) -> str:
    """What was raised and where, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "reportgen" in frame.filename] or frames
    where = f" ({Path(ours[-1].filename).name}, line {ours[-1].lineno})" if ours else ""
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first[:300]}{where}"


def _explain_signal(number: int, limit_bytes: int) -> str:
    """What may have happened and the next step. No limit of ours sends SIGKILL."""
    limit = _say_size(limit_bytes)
    if number == signal.SIGKILL:
        return (
            f" The system may have run out of memory (the limit for the worker was {limit}). "
            "Free some memory, or lower --max-samples."
        )
    if number in _DEATHS_OF_HUNGER and sys.platform == "linux":
        return (
            f" It may have needed more memory than its limit of {limit}. "
            "Raise --memory-limit, or lower --max-samples."
        )
    return ""


def _explain_hunger(error: BaseException) -> str:
    limits = isolation.current()
    if limits is None or not limits.memory_limit_bytes:
        return describe(error)
    return (
        f"It needed more memory than the limit of {_say_size(limits.memory_limit_bytes)}. "
        f"Raise --memory-limit, or lower --max-samples. ({describe(error)})"
    )


def _is_hunger(error: BaseException) -> bool:
    """Whether the process lacked memory. A GPU's memory is not ours to limit."""
    if isinstance(error, MemoryError):
        return True
    # TensorFlow's error, by name: it must not be imported for this.
    return type(error).__name__ == "ResourceExhaustedError" and "GPU" not in str(error)


def _say_size(size_bytes: int) -> str:
    """A limit as a person reads it: ``4.0 GiB``."""
    return f"{size_bytes / 2**30:.1f} GiB"


def _rebuild(message: dict[str, Any]) -> ReportgenError:
    """The exception that the worker raised; of a class that is not ours, its nearest base."""
    kind = find_error(map(str, message["kinds"]))
    return (kind or WorkerError)(str(message["text"]))


def _kinds(error: BaseException) -> list[str]:
    """Names of the error's class and of its bases, nearest first."""
    return [kind.__name__ for kind in type(error).__mro__]


def _receive(stream: IO[bytes]) -> tuple[bytes, bytes]:
    kind, size = _HEADER.unpack(_read_exactly(stream, _HEADER.size))
    if size > _LARGEST_MESSAGE:
        raise ValueError(f"a message of {size} bytes")
    return kind, _read_exactly(stream, size)


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _send(stream: IO[bytes], kind: bytes, payload: bytes) -> None:
    stream.write(_HEADER.pack(kind, len(payload)) + payload)
    stream.flush()


def serve(search: Sequence[str]) -> None:
    """Answer calls from standard input until it closes. This process is shut in already.

    Args:
        search: folders where the parent would look for code that the user names.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    calls = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints goes to the log, never between our messages
    threading.Thread(target=_end_with_parent, args=(replies.fileno(),), daemon=True).start()
    from reportgen.progress import listening
    from reportgen.subject import user_code

    user_code.search_in(search)

    def report(done: int, total: int, label: str) -> None:
        _send(replies, _PROGRESS, json.dumps([done, total, label]).encode())

    while True:
        try:
            _, payload = _receive(calls)
        except EOFError:
            return
        _answer(payload, replies, lambda: listening(report))


def _end_with_parent(replies: int) -> None:
    """A parent that was killed reads no more: then nothing here is worth its memory."""
    watch = select.poll()
    watch.register(replies, 0)  # an error, which is always told: the other end is closed
    watch.poll()
    os.killpg(0, signal.SIGKILL)


def _answer(payload: bytes, replies: IO[bytes], watch: Callable[[], Any]) -> None:
    try:
        fn, args, kwargs = pickle.loads(payload)
        with watch():
            result = fn(*args, **kwargs)
    except ReportgenError as error:
        message = {"kinds": _kinds(error), "text": str(error)}
    except BaseException as error:  # SystemExit from inside a model must not end us either
        text = _explain_hunger(error) if _is_hunger(error) else describe(error)
        message = {"kinds": ["WorkerError"], "text": text}
    else:
        return _send(replies, _RESULT, result)
    return _send(replies, _ERROR, json.dumps(message).encode())
