"""A limit on the memory that reading and building a file may take."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def memory_within(extra_bytes: int) -> Iterator[None]:
    """Let this process grow by ``extra_bytes`` at most; what asks for more is a MemoryError.

    For reading the structure of a file: a small file has no business with much memory. Memory
    that was freed earlier and kept by the allocator may be used again on top of that. The
    limit is the process's, so other threads are held to it too. No limit outside Linux.
    """
    used = _data_bytes()
    if used is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = used + extra_bytes
    lowered = wanted if soft == resource.RLIM_INFINITY else min(soft, wanted)
    resource.setrlimit(resource.RLIMIT_DATA, (lowered, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int | None:
    """What RLIMIT_DATA counts at present; None where the kernel does not say."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmData:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
