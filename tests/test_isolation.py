"""What the worker gives up. What cannot be undone is done in fresh processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reportgen.memory import default_memory_limit
from reportgen.worker import isolation
from reportgen.worker.isolation import clean_environment

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these measures")
MIB = 2**20
OTHER_USER = 12345
START = """
import ctypes, encodings.idna, json, os, resource, socket, sys, threading
sys.path[:] = json.loads(sys.argv[1])
from reportgen.worker import isolation


def attempt(step):
    try:
        step()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"

"""
# Not before the start: another user may not be able to read this Python. Who changes its user
# is no longer open to its own user (dumpable, 4), which a program that just started is.
BECOME = """
os.setgroups([]), os.setgid({user}), os.setuid({user})
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
"""


def run_fresh(code: str, user: int | None = None, **environment: str):
    """The JSON that a new process prints, run as another user if asked."""
    become = "" if user is None else BECOME.format(user=user)
    done = subprocess.run(
        [sys.executable, "-c", START + become + code, json.dumps(sys.path)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def choose_user(as_root: bool) -> int | None:
    """Another user than root, or None: whoever runs the tests."""
    if as_root == (os.geteuid() == 0):
        return None
    return pytest.skip("only root can be both") if as_root else OTHER_USER


NEEDED = (
    "PATH HOME LC_ALL TF_ENABLE_ONEDNN_OPTS CUDA_VISIBLE_DEVICES TF_KEYWORDS "
    "SOURCE_DATE_EPOCH REPORTGEN_REAL MPLCONFIGDIR LD_LIBRARY_PATH"
)
UNWANTED = (
    "AWS_SECRET_ACCESS_KEY GITHUB_TOKEN HF_TOKEN SSH_AUTH_SOCK HTTPS_PROXY ANYTHING PATHS "
    "TF_TOKEN_app_terraform_io TF_VAR_db tf_var_x KERAS_API_KEY REPORTGEN_APIKEY LD_PRELOAD "
    "REPORTGEN_PASSWORD PYTHON_CREDENTIALS PYTHONPATH PYTHONHASHSEED PYTHONSTARTUP REPORTGEN_KEY_2"
)


@pytest.mark.parametrize("name", NEEDED.split())
def test_what_the_worker_needs_stays(name):
    assert clean_environment({name: "1"}) == {name: "1"}


@pytest.mark.parametrize("name", UNWANTED.split())
def test_secrets_and_strangers_go(name):
    assert clean_environment({name: "hush", "HOME": "/"}) == {"HOME": "/"}


def test_an_address_with_a_login_goes():
    environ = {"REPORTGEN_INDEX": "https://me:hush@example.org/", "TF_A": "http://example.org/@x"}
    assert clean_environment(environ) == {"TF_A": "http://example.org/@x"}


def test_this_process_is_not_isolated():
    assert isolation.current() is None


NETWORK = """
port = int(os.environ["PORT"])
before = attempt(lambda: socket.create_connection(("127.0.0.1", port), 5).close())
said = {measure}
inside = attempt(lambda: socket.create_connection(("127.0.0.1", port), 5).close())
outside = attempt(lambda: socket.create_connection(("192.0.2.1", 9), 5))
name = attempt(lambda: socket.getaddrinfo("example.org", 80))
abstract = attempt(lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + os.environ["NAME"]))
pair = attempt(socket.socketpair)
ids = [os.getuid(), os.getgid()]
print(json.dumps([said, before, inside, outside, name, abstract, pair, ids]))
"""


@pytest.fixture
def listening_here():
    """A TCP port and an abstract Unix socket of this process, as environment variables."""
    import socket

    name = f"reportgen-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as unix:
        unix.bind("\0" + name)
        unix.listen()
        yield {"PORT": str(server.getsockname()[1]), "NAME": name}


def check_network(measure: str, listening: dict[str, str], user: int | None = None) -> list[str]:
    said, before, *rest, pair, ids = run_fresh(
        NETWORK.format(measure=measure), user=user, **listening
    )
    if said:
        pytest.skip(said)
    assert before == "done", "outside, the same connection works"
    assert pair == "done", "pairs of sockets stay: they lead nowhere"
    assert ids == ([os.getuid(), os.getgid()] if user is None else [user, user])
    return rest


@linux
@pytest.mark.parametrize("as_root", [True, False])
def test_a_namespace_cuts_the_network(listening_here, as_root):
    user = choose_user(as_root)
    assert "done" not in check_network("isolation.cut_network()", listening_here, user)


@linux
def test_sockets_are_refused_where_there_is_no_namespace(listening_here):
    measure = "[isolation._drop_privileges(), isolation._refuse_sockets()][1]"
    inside, outside, name, abstract = check_network(measure, listening_here)
    assert (inside, outside, name) == ("PermissionError", "PermissionError", "gaierror")
    assert abstract == ("OSError" if Path("/dev/nvidiactl").exists() else "PermissionError")


@linux
@pytest.mark.parametrize("as_root", [True, False])
def test_the_secrets_of_the_parent_are_out_of_reach(as_root):
    user = choose_user(as_root)
    code = """
child = os.fork()
if child == 0:
    said = isolation.isolate(2**30)
    open_it = lambda: open(f"/proc/{os.getppid()}/environ").read()
    same = os.stat("/proc/self/ns/user").st_ino == int(os.environ["NAMESPACE"])
    print(json.dumps([attempt(open_it), same]))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
"""
    namespace = str(os.stat("/proc/self/ns/user").st_ino)
    found, same = run_fresh(code, user=user, NAMESPACE=namespace)
    if not as_root and same:
        pytest.skip("the system does not allow user namespaces")
    assert found == "PermissionError"


@linux
def test_a_process_with_threads_says_why_it_keeps_its_network():
    code = """
wait = threading.Event()
threading.Thread(target=wait.wait).start()
print(json.dumps(isolation.cut_network()))
wait.set()
"""
    assert "several threads" in run_fresh(code)


@pytest.mark.skipif(sys.platform == "linux", reason="for systems that have no such measures")
def test_other_systems_say_what_they_lack():
    found = isolation.isolate(2**30)
    assert "not available" in found.network
    assert "cannot be limited" in found.memory
    assert found.memory_limit_bytes == 0


@linux
def test_the_memory_limit_holds_for_good():
    code = """
said = isolation.limit_memory(2**30)
above = attempt(lambda: bytearray(2**30))
below = attempt(lambda: bytearray(2**28))
limits = resource.getrlimit(resource.RLIMIT_DATA), resource.getrlimit(resource.RLIMIT_CORE)
print(json.dumps([said, above, below, limits]))
"""
    said, above, below, limits = run_fresh(code)
    assert (said, above, below) == ("", "MemoryError", "done")
    assert limits == [[2**30, 2**30], [0, 0]]


@linux
def test_a_lower_limit_of_the_caller_stays():
    code = """
resource.setrlimit(resource.RLIMIT_DATA, (2**29, 2**29))
print(json.dumps(isolation.isolate(2**30).memory_limit_bytes))
"""
    assert run_fresh(code) == 2**29


# In processes of their own: a limit on memory is the whole process', and one that holds
# TensorFlow and the threads of pytest-xdist may be past it already.


@linux
def test_reading_within_a_limit_stops_numpy_and_restores_the_limit():
    code = """
import numpy as np
from reportgen.memory import memory_within
MIB, limit = 2**20, lambda: resource.getrlimit(resource.RLIMIT_DATA)
before = limit()
with memory_within(64 * MIB):
    outer = limit()[0]
    with memory_within(1024 * MIB):  # only ever tighter
        inner = limit()[0]


def within():
    with memory_within(64 * MIB):
        np.ones(256 * MIB, np.uint8)


refused, restored = attempt(within), limit() == before
with memory_within(64 * MIB):
    small = bool(np.ones(16 * MIB, np.uint8).all())
print(json.dumps([inner == outer < 2**40, refused, restored, small, len(np.ones(256 * MIB, "u1"))]))
"""
    assert run_fresh(code) == [True, "MemoryError", True, True, 256 * MIB]


@linux
def test_reading_within_a_limit_stops_a_zip_bomb_and_an_hdf5_bomb(tmp_path):
    code = """
import h5py, zlib
from reportgen.memory import memory_within
MIB, path = 2**20, os.environ["BOMB"]
bomb = zlib.compress(bytes(256 * MIB), 1)


def unpack():
    with memory_within(64 * MIB):
        zlib.decompress(bomb)


def read():
    with h5py.File(path) as file, memory_within(64 * MIB):
        file["a"][0]


with h5py.File(path, "w") as file:
    # One chunk of 256 MiB in a file of 0.3 MB: HDF5 itself unpacks it, even for one number.
    file.create_dataset("a", (256 * MIB,), "u1", chunks=(256 * MIB,), compression="gzip")[0] = 1
refused = attempt(unpack), attempt(read)
with h5py.File(path) as file:
    print(json.dumps([*refused, os.path.getsize(path) < MIB, int(file["a"][0])]))
"""
    unpacked, read, small, first = run_fresh(code, BOMB=str(tmp_path / "bomb.h5"))
    assert unpacked == "MemoryError"
    assert read in ("MemoryError", "OSError")
    assert (small, first) == (True, 1)


def build_groups(root: Path, membership: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": membership, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        (
            "0::/a/b\n",
            {"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "500"},
        ),
        ("0::/\n", {"sys/fs/cgroup/memory.max": "500\n"}),
        ("4:cpu,memory:/gone\n", {"sys/fs/cgroup/memory/memory.limit_in_bytes": "500\n"}),
        (
            "4:memory:/x\n0::/\n",
            {
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "500",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            },
        ),
    ],
)
def test_the_default_is_80_percent_of_the_smallest_group(tmp_path, membership, files):
    assert default_memory_limit(build_groups(tmp_path, membership, files)) == 400


def test_the_default_without_groups_is_80_percent_of_the_machine(tmp_path):
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert default_memory_limit(tmp_path) == int(machine * 0.8)
    assert 0 < default_memory_limit() <= int(machine * 0.8)


@linux
def test_all_measures_are_taken_together(tmp_path):
    theirs = tmp_path / "model.keras"
    theirs.write_bytes(b"model")
    theirs.chmod(0o600)
    os.chown(theirs, *([OTHER_USER] * 2 if os.geteuid() == 0 else [-1, -1]))
    code = """
said = isolation.isolate(2**30)
words = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines())
read = attempt(lambda: open(os.environ["THEIRS"]).read())
made = attempt(lambda: socket.socket(socket.AF_INET))
print(json.dumps([said == isolation.current(), read, made, words["NoNewPrivs"], words["CapEff"]]))
"""
    same, read, made, no_new, rights = run_fresh(code, THEIRS=str(theirs))
    assert (same, no_new, read) == (True, "1", "done"), "root still reads the files of others"
    assert int(rights, 16) in (0, 0b1111)
    if run_fresh("print(json.dumps(isolation._refuse_sockets()))") == "":
        assert made == "PermissionError"
