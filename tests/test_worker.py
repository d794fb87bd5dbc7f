"""The worker process: results, errors, deaths, silence; without TensorFlow."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from reportgen.errors import InputError, WorkerDiedError, WorkerError
from reportgen.progress import tell, track
from reportgen.worker import InlineExecutor, LocalWorker


def echo(data: bytes) -> bytes:
    return data


def find_pid() -> bytes:
    return str(os.getpid()).encode()


def refuse() -> bytes:
    raise InputError("no such sample")


def break_down() -> bytes:
    raise ZeroDivisionError("by design")


def leave() -> bytes:
    sys.exit(3)


def die() -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def vanish() -> bytes:
    print("last words", file=sys.stderr, flush=True)
    os._exit(9)


def chatter() -> bytes:
    print("noise on stdout")
    os.write(1, b"more noise")
    return b"clean"


def count() -> bytes:
    return bytes(i for i in track(range(3), "counting"))


def sleep() -> bytes:
    tell(0, 1, "asleep")
    time.sleep(60)
    return b""


@pytest.fixture(scope="module")
def worker():
    with LocalWorker() as worker:
        yield worker


def test_bytes_come_back_from_another_process(worker):
    big = bytes(range(256)) * 40_000
    assert worker.submit(echo, big).result() == big
    assert int(worker.submit(find_pid).result()) not in (0, os.getpid())


def test_our_errors_keep_their_kind(worker):
    with pytest.raises(InputError, match="no such sample"):
        worker.submit(refuse).result()


@pytest.mark.parametrize(
    ("job", "said"), [(break_down, "ZeroDivisionError"), (leave, "SystemExit")]
)
def test_other_errors_are_worker_errors_and_the_process_lives(worker, job, said):
    before = worker.submit(find_pid).result()
    with pytest.raises(WorkerError, match=said):
        worker.submit(job).result()
    assert worker.submit(find_pid).result() == before


def test_printing_does_not_disturb_the_messages(worker):
    assert worker.submit(chatter).result() == b"clean"


@pytest.mark.parametrize(("job", "said"), [(die, "SIGKILL"), (vanish, "last words")])
def test_a_dead_worker_is_replaced(worker, job, said):
    before = worker.submit(find_pid).result()
    with pytest.raises(WorkerDiedError, match=said):
        worker.submit(job).result()
    assert worker.submit(find_pid).result() != before


def test_progress_arrives_in_order():
    seen = []
    with LocalWorker(listener=lambda *args: seen.append(args)) as worker:
        assert worker.submit(count).result() == bytes((0, 1, 2))
    assert seen == [(i, 3, "counting") for i in range(4)]


def test_a_hanging_call_can_be_killed():
    asleep = threading.Event()
    with LocalWorker(listener=lambda *args: asleep.set()) as worker:
        future = worker.submit(sleep)
        assert asleep.wait(30)
        pid = worker.pid
        worker.kill()
        with pytest.raises(WorkerDiedError, match="SIGKILL"):
            future.result(30)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_leaving_the_worker_ends_its_process():
    with LocalWorker() as worker:
        pid = int(worker.submit(find_pid).result())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_inline_runs_here_and_wraps_errors():
    executor = InlineExecutor()
    assert int(executor.submit(find_pid).result()) == os.getpid()
    with pytest.raises(InputError):
        executor.submit(refuse).result()
    with pytest.raises(WorkerError, match="ZeroDivisionError: by design"):
        executor.submit(break_down).result()
