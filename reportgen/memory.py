"""How much memory there is, and how much of it reading a file may take."""

from __future__ import annotations

import contextlib
import os
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHARE = 0.8  # the rest is for the parent, the system and what the limit does not count


def default_memory_limit(root: Path = Path("/")) -> int:
    """80 % of the memory of this machine or of its control group, if that has less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(min([machine, *_group_limits(root)]) * _SHARE)


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


def _group_limits(root: Path) -> Iterator[int]:
    """The limits of this process's control group and of all groups above it."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            homes, name = ["memory"], "memory.limit_in_bytes"
        elif not controllers:  # version 2
            homes, name = ["", "unified"], "memory.max"
        else:
            continue
        # Inside a container the path may be the host's; walking up ends at what is ours.
        inner = Path(path.strip("/"))
        for folder in (Path(home) / step for home in homes for step in (inner, *inner.parents)):
            with contextlib.suppress(OSError, ValueError):  # "max" is no number
                yield int((root / "sys/fs/cgroup" / folder / name).read_text())
