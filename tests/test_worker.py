"""The worker process: results, errors, deaths, silence; without TensorFlow."""

from __future__ import annotations

import ast
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from reportgen import errors
from reportgen.errors import InputError, ReportgenError, WorkerDiedError, WorkerError
from reportgen.progress import tell, track
from reportgen.worker import isolation
from reportgen.worker.process import InlineExecutor, LocalWorker

HERE = (str(Path(__file__).parent),)  # the functions below are called in the worker
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these measures")


def echo(data: bytes) -> bytes:
    return data


def find_pid() -> bytes:
    return str(os.getpid()).encode()


def refuse() -> bytes:
    raise InputError("no such sample")


def raise_ours(name: str) -> bytes:
    raise getattr(errors, name)(f"a {name}")


def raise_a_relative() -> bytes:
    class PlugInError(InputError):
        """Of somebody else's module: its name means nothing to the parent."""

    raise PlugInError("of a plug-in")


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


def read_environment() -> bytes:
    return json.dumps(dict(os.environ)).encode()


def read_isolation() -> bytes:
    found = isolation.current()
    assert found is not None
    return json.dumps([found.network, found.memory, found.memory_limit_bytes]).encode()


def connect(port: int) -> bytes:
    socket.create_connection(("127.0.0.1", port), 5).close()
    return b"connected"


def look_up() -> bytes:
    socket.getaddrinfo("example.org", 80)
    return b"found"


def allocate(size: int) -> bytes:
    return str(len(bytearray(size))).encode()


def exhaust_tensorflow() -> bytes:
    class ResourceExhaustedError(Exception):
        pass

    raise ResourceExhaustedError("OOM when allocating tensor on CPU:0 by allocator mklcpu")


def exhaust_gpu() -> bytes:
    class ResourceExhaustedError(Exception):
        pass

    raise ResourceExhaustedError("OOM when allocating tensor on GPU:0 by allocator GPU_0_bfc")


def send_signal(number: int) -> bytes:
    os.kill(os.getpid(), number)
    return b""


def predict_with_tensorflow() -> bytes:
    import keras
    import numpy as np

    layers = [keras.layers.Input((32, 32, 3)), keras.layers.Conv2D(8, 3), keras.layers.Flatten()]
    return str(keras.Sequential(layers).predict(np.zeros((4, 32, 32, 3)), verbose=0).shape).encode()


@pytest.fixture(scope="module")
def worker():
    with LocalWorker(folders=HERE) as worker:
        yield worker


def test_bytes_come_back_from_another_process(worker):
    big = bytes(range(256)) * 40_000
    assert worker.submit(echo, big).result() == big
    assert int(worker.submit(find_pid).result()) not in (0, os.getpid())


def test_our_errors_keep_their_kind(worker):
    with pytest.raises(InputError, match="no such sample"):
        worker.submit(refuse).result()


def every_kind(base: type[ReportgenError] = ReportgenError) -> list[type[ReportgenError]]:
    ours = [kind for kind in base.__subclasses__() if kind.__module__ == errors.__name__]
    return [base, *(deeper for kind in ours for deeper in every_kind(kind))]


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.__name__)
def test_each_of_our_errors_comes_back_as_itself(worker, kind):
    with pytest.raises(ReportgenError, match=f"a {kind.__name__}") as caught:
        worker.submit(raise_ours, kind.__name__).result()
    assert type(caught.value) is kind
    assert caught.value.exit_code == kind.exit_code


def test_all_our_errors_stand_in_one_module_and_in_its_drawing():
    ours = {kind.__name__ for kind in every_kind()}
    strangers = [
        f"{path.name}: {node.name}"
        for path in Path(errors.__file__).parent.rglob("*.py")
        if path != Path(errors.__file__)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        and ours & {getattr(base, "attr", getattr(base, "id", "")) for base in node.bases}
    ]
    assert strangers == []
    for kind in every_kind():
        line = next(x for x in errors.__doc__.splitlines() if f" {kind.__name__} " in f" {x} ")
        assert f" {int(kind.exit_code)} " in line


def test_an_error_of_a_strangers_class_comes_back_as_its_nearest_base(worker):
    with pytest.raises(InputError, match="of a plug-in") as caught:
        worker.submit(raise_a_relative).result()
    assert type(caught.value) is InputError


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
    with LocalWorker(folders=HERE, listener=lambda *args: seen.append(args)) as worker:
        assert worker.submit(count).result() == bytes((0, 1, 2))
    assert seen == [(i, 3, "counting") for i in range(4)]


def test_a_hanging_call_can_be_killed():
    asleep = threading.Event()
    with LocalWorker(folders=HERE, listener=lambda *args: asleep.set()) as worker:
        future = worker.submit(sleep)
        assert asleep.wait(120)
        pid = worker.pid
        worker.kill()
        with pytest.raises(WorkerDiedError, match="SIGKILL"):
            future.result(120)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_leaving_the_worker_ends_its_process():
    with LocalWorker(folders=HERE) as worker:
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


def test_secrets_do_not_reach_the_worker(monkeypatch):
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "REPORTGEN_PASSWORD", "TF_VAR_x"):
        monkeypatch.setenv(name, "hush")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    with LocalWorker(folders=HERE, device="cpu") as worker:
        found = json.loads(worker.submit(read_environment).result())
    assert "hush" not in found.values()
    assert found["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert found["PATH"] == os.environ["PATH"]
    assert (found["CUDA_VISIBLE_DEVICES"], found["KERAS_BACKEND"]) == ("-1", "tensorflow")


def test_a_call_can_say_how_it_is_isolated(worker):
    network, memory, limit = json.loads(worker.submit(read_isolation).result())
    assert (limit > 0) == (memory == "")
    assert isinstance(network, str)
    assert isolation.current() is None, "the parent is not"


@linux
def test_the_worker_reaches_no_network(worker):
    network = json.loads(worker.submit(read_isolation).result())[0]
    if network:
        pytest.skip(network)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connect(port) == b"connected"
        with pytest.raises(WorkerError, match=r"PermissionError|OSError|ConnectionRefusedError"):
            worker.submit(connect, port).result()
    with pytest.raises(WorkerError, match="gaierror"):
        worker.submit(look_up).result()


@linux
def test_memory_beyond_the_limit_is_an_error_and_the_process_lives():
    with LocalWorker(folders=HERE, memory_limit=2**30) as worker:
        before = worker.submit(find_pid).result()
        assert json.loads(worker.submit(read_isolation).result())[1:] == ["", 2**30]
        with pytest.raises(
            WorkerError, match=r"limit of 1\.0 GiB\. Raise --memory-limit.*MemoryErr"
        ):
            worker.submit(allocate, 2**31).result(60)  # said at once, not found out by filling up
        assert worker.submit(allocate, 2**20).result() == str(2**20).encode()
        assert worker.submit(find_pid).result() == before


@linux
def test_tensorflow_runs_within_four_gib():
    with LocalWorker(folders=HERE, device="cpu", memory_limit=2**32) as worker:
        assert worker.submit(predict_with_tensorflow).result() == b"(4, 7200)"


@linux
def test_tensorflow_out_of_memory_names_the_limit_unless_it_is_the_gpus(worker):
    with pytest.raises(WorkerError, match=r"GiB\. Raise --memory-limit"):
        worker.submit(exhaust_tensorflow).result()
    with pytest.raises(WorkerError) as caught:
        worker.submit(exhaust_gpu).result()
    assert "--memory-limit" not in str(caught.value)


@linux
@pytest.mark.parametrize("name", ["SIGABRT", "SIGSEGV"])
def test_a_death_that_hunger_may_explain_names_the_limit(name):
    with LocalWorker(folders=HERE, memory_limit=2**31) as worker:
        said = rf"ended by {name}\. .* limit of 2\.0 GiB\. Raise --memory-limit"
        with pytest.raises(WorkerDiedError, match=said):
            worker.submit(send_signal, signal.Signals[name]).result()
        assert worker.submit(echo, b"next").result() == b"next"


def test_a_kill_names_the_limit_and_does_not_ask_to_raise_it():
    with LocalWorker(folders=HERE, memory_limit=2**31) as worker:
        with pytest.raises(WorkerDiedError, match=r"out of memory .*2\.0 GiB") as caught:
            worker.submit(die).result()
        assert "Raise" not in str(caught.value)
