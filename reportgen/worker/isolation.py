"""What the worker gives up before it opens a file that nobody vouches for.

No network, a limit on memory, no secrets in the environment. All of it is asked of the system
before anything heavy is imported, while the process has one thread. Where the system does not
allow a measure, a short sentence says so; the report repeats it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import re
import resource
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

# An allow-list, since a list of the secrets in the world would never be complete: what finds
# programs and libraries, sets the language and the clock, and what numeric libraries read.
_ALLOWED = re.compile(
    r"(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|TZ|TMPDIR|TEMP|TMP|VIRTUAL_ENV|CONDA_PREFIX|"
    r"LD_LIBRARY_PATH|VECLIB_MAXIMUM_THREADS|SOURCE_DATE_EPOCH|MPLCONFIGDIR|XDG_CACHE_HOME|"
    r"XDG_CONFIG_HOME)$|LC_|DYLD_|REPORTGEN_|TF_|XLA_|KERAS_|OMP_|MKL_|OPENBLAS_|KMP_|"
    r"MALLOC_|CUDA_|NVIDIA_|HIP_|ROCM_|ROCR_"
)
# A prefix lets strangers in: TF_TOKEN_app_terraform_io is a login of Terraform and not of
# TensorFlow, TF_VAR_db_pass is whatever somebody handed to Terraform, and our own prefix is open
# to anyone. KEY only ends a word (APIKEY), since it also begins KEYWORDS.
_SECRET_NAME = re.compile(
    r"^TF_VAR_|^TF_CLI_|TOKEN|SECRET|PASS(?!ES)|PWD|_PW(?![A-Z])|CRED|AUTH|KEYS?(?![A-Z])"
)
_SECRET_VALUE = re.compile(r"://[^/\s]*@")  # an address with a login in it

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # audit name, socket(2)
_IO_URING_SETUP = 425  # on both; it also opens sockets
_ROOT_KEEPS = 0b1111  # CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER: everybody's files


@dataclass(frozen=True)
class Isolation:
    """What holds in this process. An empty sentence means that the measure is in force.

    Args:
        network: why there is still a network.
        memory: why memory is not limited.
        memory_limit_bytes: the limit in force; 0 without one.
    """

    network: str
    memory: str
    memory_limit_bytes: int


_current: Isolation | None = None


def isolate(memory_bytes: int) -> Isolation:
    """Give everything up, once and for good. The process must have one thread."""
    global _current
    # In this order: a namespace takes rights that are dropped next, and a fork takes memory.
    network = cut_network()
    _drop_privileges()
    refusal = _refuse_sockets()
    memory = limit_memory(memory_bytes)
    # Either is enough: without sockets there is nothing to reach a network with.
    network = network and refusal and f"{network} {refusal}"
    limit = 0 if memory else resource.getrlimit(resource.RLIMIT_DATA)[0]
    _current = Isolation(network, memory, limit)
    return _current


def current() -> Isolation | None:
    """What holds in this process; None in a process that is not a worker."""
    return _current


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that the worker needs, without anything that looks like a secret."""
    return {
        name: value
        for name, value in environ.items()
        if _ALLOWED.match(name)
        and not _SECRET_NAME.search(name.upper())
        and not _SECRET_VALUE.search(value)
    }


def cut_network() -> str:
    """Move this process into a network namespace of its own; "" or why that cannot be.

    It has no interface that is up, not even loopback, and abstract Unix sockets stay outside.
    Root just leaves. Others also need a user namespace, whose map keeps their user and group;
    root is spared that, since a map of one user would hide the files of all others from it.
    """
    if sys.platform != "linux":
        return "Network namespaces are not available on this system: only Linux has them."
    with contextlib.suppress(OSError):
        if len(os.listdir("/proc/self/task")) != 1:
            return "The network cannot be cut: the process already has several threads."
    failure = _call("unshare", _CLONE_NEWNET)
    if failure and os.geteuid() != 0:
        # Rehearsed in a child, since a user namespace without a map cannot be left again:
        # Ubuntu 24.04 lets any process make one and then denies it every right.
        failure = _await(_in_child(_leave_as_user)) or _leave_as_user()
    code = errno.errorcode.get(failure, failure)
    return f"The system does not allow network namespaces ({code})." if failure else ""


def limit_memory(limit_bytes: int) -> str:
    """Limit the memory of this process for good; "" or why that cannot be.

    RLIMIT_DATA counts private writable memory: the heap, NumPy's and TensorFlow's arrays, the
    stacks of threads. RLIMIT_AS would count address space, of which TensorFlow takes five
    times what it uses (2.7 GB for 0.5 GB after one small prediction) and CUDA hundreds of GB.
    CUDA's reservations are inaccessible and its pinned memory is a shared mapping of the
    device: the kernel counts neither, by its rule; it was not measured on a GPU.

    Past the limit NumPy raises MemoryError, TensorFlow's allocator ResourceExhaustedError
    (after 10 s of trying again), oneDNN's convolutions end in SIGSEGV and a thread that
    cannot start in SIGABRT. Importing TensorFlow takes 0.4 GB; it ends in SIGABRT at 0.5 GiB
    and works at 1 GiB, with 2 cores: each further core costs the stacks of a few threads.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold the samples
    if sys.platform != "linux":
        return "Memory cannot be limited on this system: only Linux counts it."
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    allowed = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    except (OSError, ValueError) as error:
        return f"The system refuses a limit on memory ({error})."
    return ""


def _call(name: str, *arguments: object) -> int:
    """A function of the C library: 0, or the error number."""
    libc = ctypes.CDLL(None, use_errno=True)
    return ctypes.get_errno() if getattr(libc, name)(*arguments) else 0


def _set_process(option: int, *arguments: object) -> int:
    """prctl(2), which wants all its arguments, as long integers or pointers."""
    return _call("prctl", option, *(*arguments, *[ctypes.c_ulong(0)] * 4)[:4])


def _in_child(step: Callable[[], int]) -> int:
    """Fork, and run ``step`` in the child. Returns its process id."""
    if (child := os.fork()) == 0:
        try:
            os._exit(step())
        finally:  # an exception must not give us a second worker
            os._exit(errno.EPERM)
    return child


def _await(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _leave_as_user() -> int:
    """New user and network namespaces with the same user and group; 0 or the error number."""
    waiting, gone = os.pipe()
    home, user, group = Path(f"/proc/{os.getpid()}"), os.getuid(), os.getgid()

    def write_maps() -> int:  # from outside, where rights are what they were
        os.close(gone)
        if os.read(waiting, 1):
            (home / "uid_map").write_text(f"{user} {user} 1")
            (home / "setgroups").write_text("deny")  # or no group may be mapped without rights
            (home / "gid_map").write_text(f"{group} {group} 1")
        return 0

    child = _in_child(write_maps)
    failure = _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET)
    os.write(gone, b"" if failure else b"!")
    os.close(gone)
    os.close(waiting)
    return _await(child) or failure


def _drop_privileges() -> None:
    """Keep nothing that leads back: no right to enter the parent's namespace or its memory.

    The parent's secrets stand in /proc/PARENT/environ. A process of the same user may read it
    unless the parent has more rights (root) or another user namespace (others).
    """
    if sys.platform != "linux":
        return
    # sudo and its like give nothing any more; nor may nvidia-modprobe wake a sleeping driver.
    _set_process(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1))
    header = struct.pack("Ii", 0x20080522, 0)
    held = ctypes.create_string_buffer(24)  # effective, permitted, inheritable; then high words
    if _call("capget", header, held) == 0:
        mask = _ROOT_KEEPS if os.geteuid() == 0 else 0
        kept = [word & mask for word in struct.unpack("6I", held.raw)[:2]]
        _call("capset", header, struct.pack("6I", *kept, 0, 0, 0, 0))


def _refuse_sockets() -> str:
    """Let the kernel refuse every new socket; "" or why it does not. Needs no rights.

    For systems without namespaces (most containers), and for what they let through: sockets in
    the file system, behind which a resolver or a container daemon may listen. A machine with
    an NVIDIA driver keeps Unix sockets: CUDA's multi-process service uses them.
    """
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return "Sockets cannot be refused on this system."
    rules = _socket_rules(platform.machine(), keep_unix=Path("/dev/nvidiactl").exists())
    program = ctypes.create_string_buffer(rules, len(rules))
    pointed = struct.pack("HP", len(rules) // 8, ctypes.addressof(program))  # struct sock_fprog
    failure = _set_process(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), pointed)
    return f"The system does not refuse sockets ({errno.errorcode[failure]})." if failure else ""


def _socket_rules(machine: str, *, keep_unix: bool) -> bytes:
    """A BPF program over ``struct seccomp_data``: number at 0, machine at 4, arguments at 16."""
    audit_name, socket = _MACHINES[machine]
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EACCES
    family = 1 if keep_unix else 0xFFFF  # AF_UNIX, or none that exists
    # fmt: off
    steps = [
        (load, 0, 0, 4), (equal, 0, 7, audit_name),  # else 32-bit calls, say: refused
        (load, 0, 0, 0), (at_least, 5, 0, 0x40000000),  # x32 numbers the same calls otherwise
        (equal, 4, 0, _IO_URING_SETUP), (equal, 0, 2, socket),
        (load, 0, 0, 16), (equal, 0, 1, family),
        (answer, 0, 0, allow), (answer, 0, 0, refuse),
    ]
    # fmt: on
    return b"".join(struct.pack("HBBI", *step) for step in steps)
