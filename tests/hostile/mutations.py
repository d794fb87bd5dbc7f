"""Seeded damage to the files around a model: reports, manifests, settings, arrays, histories."""

from __future__ import annotations

import io
import json
import os
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# What a stranger may write where anything is read.
_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "../secret.txt",
    "/etc/passwd",
    "\x1b[2J::error::gone\r\n##vso[task.complete]",
    "<script>alert(1)</script>",
    "\u202egpj.exe",
    "\ud800",
    "evil:payload",
    "x" * 200_000,
    [],
    {},
    [[]] * 2000,
    {"kind": "text"},
)


def mutate_json(data: bytes, rng: np.random.Generator) -> bytes:
    """The same document with one place of it changed, or bytes of it damaged."""
    how = rng.integers(6)
    if how == 0:
        return damage(data, rng)
    if how == 1:
        deep = int(rng.integers(1, 5)) * 50_000
        return b"[" * deep + data + b"]" * deep
    document = json.loads(data)
    parent, key = _choose(document, rng)
    if how == 2:
        del parent[key]
    elif how == 3 and isinstance(parent, dict):
        parent[f"{key}x"] = parent.pop(key)
    else:
        parent[key] = _VALUES[rng.integers(len(_VALUES))]
    return json.dumps(document, ensure_ascii=True).encode()


def _choose(document: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """A random place: its parent and its key. Each level is as likely to be the last."""
    parent, key, node = {"": document}, "", document
    while isinstance(node, dict | list) and node and (parent is None or rng.random() < 0.8):
        keys = list(node) if isinstance(node, dict) else range(len(node))
        parent, key = node, keys[rng.integers(len(keys))]
        node = parent[key]
    if node is document:
        parent, key = document, next(iter(document))
    return parent, key


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, or the end cut off."""
    array = np.frombuffer(data, np.uint8).copy()
    if not len(array):
        return b"\0"
    if rng.random() < 0.3:
        return array[: rng.integers(len(array))].tobytes()
    places = rng.integers(0, len(array), rng.integers(1, 9))
    array[places] ^= rng.integers(1, 256, len(places), dtype=np.uint8)
    return array.tobytes()


def mutate_npz(data: bytes, rng: np.random.Generator) -> bytes:
    """An archive of arrays that lies: in its headers, its names, its members, its bytes."""
    how = rng.integers(7)
    if how < 2:
        return damage(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = list(members)[rng.integers(len(members))]
    if how == 2:  # 512 GiB in a header
        members[chosen] = _header("(137438953472,)", "<f4")
    elif how == 3:
        members[chosen] = _header("(3,)", "|O") + b"\x80\x04N."
    elif how == 4:
        shapes = ("(-1, 4)", "(2,) * 9", "()", "(0,)", "(1e9,)", "__import__('os')", "(" * 5000)
        members[chosen] = _header(shapes[rng.integers(len(shapes))], "<f8")
    elif how == 5:
        members[f"../{chosen}"] = members.pop(chosen)
    else:
        members[chosen] = members[chosen][:80] + bytes(int(rng.integers(1, 200)) * 2**20)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if rng.random() < 0.2:
            with warnings.catch_warnings(action="ignore"):
                archive.writestr(chosen, b"twice")
    return out.getvalue()


def _header(shape: str, kind: str) -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def mutate_toml(data: bytes, rng: np.random.Generator) -> bytes:
    """One setting more, or damaged bytes."""
    if rng.random() < 0.2:
        return damage(data, rng)
    settings = (
        'preprocessing = "evil:payload"',
        'preprocessing = "os:system"',
        'architecture = "evil:payload"',
        'custom_objects = ["evil:payload"]',
        "allow_unsafe = true",
        'out = "../outside"',
        'out = "/tmp/outside"',
        'images = "../"',
        'data = "/etc/passwd"',
        'classes = "../secret.txt"',
        'labels = "/dev/zero"',
        'history = "/proc/self"',
        'train = "../../"',
        "time_limit = 1e9",
        "memory_limit = 1e9",
        "max_samples = 1000000000",
        "max_size = 1e9",
        'name = "\\u001b[2J::error::gone"',
        'classes = ["\\u202e", "##vso[task.complete]"]',
        "seed = -1",
        f"only = {'[' * 500}{']' * 500}",
        "[predictions]\nbins = 10000000000",
        "[weights]\nshown_filters = 1e400",
        '[overview]\nx = "evil:payload"',
    )
    chosen = settings[rng.integers(len(settings))]
    key = chosen.partition(" =")[0]
    kept = [line for line in data.decode().splitlines() if not line.startswith(f"{key} ")]
    return "\n".join([*kept, chosen]).encode()


def no_file(path: Path, secret: Path, rng: np.random.Generator) -> None:
    """Put something else in the place of a file."""
    path.unlink()
    how = rng.integers(7)
    if how == 0:
        os.mkfifo(path)
    elif how == 1:
        path.symlink_to(secret)
    elif how == 2:
        path.symlink_to("/dev/zero")
    elif how == 3:
        path.mkdir()
    elif how == 4:
        path.symlink_to(path.name)
    elif how == 5:
        with path.open("wb") as stream:
            stream.truncate(40 * 2**30)  # sparse
    # or nothing at all


MUTATE: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    ".json": mutate_json,
    ".npz": mutate_npz,
    ".toml": mutate_toml,
}


def mutate(folder: Path, name: str, secret: Path, seed: int) -> None:
    """Damage the file ``name`` of ``folder``, the same for the same seed."""
    rng = np.random.default_rng(seed)
    path = folder / name
    if rng.random() < 0.1:
        no_file(path, secret, rng)
    else:
        path.write_bytes(MUTATE[path.suffix](path.read_bytes(), rng))


def fresh(original: Path, target: Path) -> Path:
    """A copy to damage."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(original, target)
    return target
