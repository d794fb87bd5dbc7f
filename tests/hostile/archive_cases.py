"""Zip archives that unpack to more than they are, or to somewhere else."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable, Iterator

from .case import ANY, EITHER_REFUSAL, UNREADABLE, Case, Place
from .networks import node, read_config, replace, write_archive
from .payloads import lambda_3
from .zips import Member, deflated, write_zip, zeros

ROW, BOMB, NAMES = "archives", "ratio", "names"
Members = list[Member]
Edit = Callable[[Members, Place], Members]
METADATA = b'{"keras_version": "3.15.1"}'


def _honest(place: Place) -> Members:
    config = (place.templates / "sequential.json").read_bytes()
    weights = (place.templates / "sequential.weights").read_bytes()
    return [
        deflated("metadata.json", METADATA),
        deflated("config.json", config),
        Member("model.weights.h5", weights),
    ]


def _edited(edit: Edit) -> Callable[[Place], None]:
    return lambda place: write_zip(place.path, edit(_honest(place), place))


def _added(*members: Member) -> Edit:
    return lambda honest, place: [*honest, *members]


def _instead(name: str, make: Callable[[Member], Member]) -> Edit:
    """Another entry of the same name."""
    return lambda honest, place: [make(old) if old.name == name else old for old in honest]


def _bomb(name: str, megabytes: int) -> Member:
    return Member(name, zeros(megabytes), method=8, size=megabytes * 2**20, checksum=0)


def _hostile_config(place: Place) -> bytes:
    config = read_config(place)
    replace(config, node("Lambda", function=lambda_3(place.canary), arguments={}))
    return json.dumps(config).encode()


def _second_config(honest: Members, place: Place) -> Members:
    return [*honest, deflated("config.json", _hostile_config(place))]


def _first_config(honest: Members, place: Place) -> Members:
    return [deflated("config.json", _hostile_config(place)), *honest]


def _overlap(honest: Members, place: Place) -> Members:
    """Many entries, one body: what a reader adds up is not what is on the disk."""
    bomb = _bomb("assets/0", 64)
    again = [
        Member(f"assets/{i}", bomb.data, 8, size=bomb.size, checksum=0, borrow=3)
        for i in range(1, 500)
    ]
    return [*honest, bomb, *again]


def _borrowed_config(honest: Members, place: Place) -> Members:
    """Two names of one local entry."""
    return [
        *honest,
        Member(
            "other.json",
            honest[1].data,
            8,
            size=honest[1].size,
            checksum=honest[1].checksum,
            borrow=1,
        ),
    ]


def _many(honest: Members, place: Place) -> Members:
    return [*honest, *(Member(f"assets/{i}") for i in range(70_000))]


def _link(name: str, target: str) -> Member:
    return Member(name, target.encode(), attributes=(stat.S_IFLNK | 0o777) << 16)


def _fifo() -> Member:
    return Member("assets/pipe", attributes=(stat.S_IFIFO | 0o644) << 16)


EDITS: dict[str, tuple[Edit, str]] = {
    "bomb-weights": (_instead("model.weights.h5", lambda old: _bomb(old.name, 2048)), BOMB),
    "bomb-config": (_instead("config.json", lambda old: _bomb(old.name, 512)), BOMB),
    "bomb-metadata": (_instead("metadata.json", lambda old: _bomb(old.name, 512)), BOMB),
    "bomb-unrelated": (_added(_bomb("assets/notes.txt", 1024)), BOMB),
    "bomb-many": (_added(*(_bomb(f"assets/{i}", 64) for i in range(64))), BOMB),
    "bomb-hidden-size": (
        _instead("config.json", lambda old: Member(old.name, zeros(1024), 8, size=900)),
        BOMB,
    ),
    "overlap": (_overlap, BOMB),
    "second-config": (_second_config, NAMES),
    "first-config": (_first_config, NAMES),
    "parent": (_added(Member("../outside.txt", b"x")), NAMES),
    "deep-parent": (_added(Member("assets/../../outside.txt", b"x")), NAMES),
    "absolute": (_added(Member("/tmp/outside.txt", b"x")), NAMES),
    "drive": (_added(Member("C:\\Windows\\outside.txt", b"x")), NAMES),
    "backslash-parent": (_added(Member("..\\..\\outside.txt", b"x")), NAMES),
    "network-share": (_added(Member("\\\\host\\share\\outside.txt", b"x")), NAMES),
    "link": (_added(_link("assets/words.txt", "/etc/passwd")), NAMES),
    "link-weights": (
        _instead("model.weights.h5", lambda old: _link(old.name, "/etc/passwd")),
        NAMES,
    ),
    "link-config": (_instead("config.json", lambda old: _link(old.name, "/etc/passwd")), NAMES),
    "many-members": (_many, "counts"),
}
TOLD: dict[str, tuple[Edit, tuple[int, ...]]] = {
    "case-config": (_added(Member("CONFIG.JSON", b"{}")), ANY),
    "zero-in-name": (_added(Member("config.json\0.txt", b"{}")), ANY),
    "borrowed-config": (_borrowed_config, ANY),
    "fifo": (_added(_fifo()), ANY),
    "encrypted": (
        _instead("config.json", lambda old: Member(old.name, old.data, 8, 1, old.size)),
        EITHER_REFUSAL,
    ),
    "unknown-method": (
        _instead("config.json", lambda old: Member(old.name, old.data, 99, size=old.size)),
        (UNREADABLE,),
    ),
    "config-folder": (_instead("config.json", lambda old: Member("config.json/")), (UNREADABLE,)),
    "no-config": (lambda honest, place: [honest[0], honest[2]], (UNREADABLE,)),
    "no-weights": (lambda honest, place: honest[:2], (UNREADABLE,)),
    "wrong-checksum": (
        _instead(
            "config.json", lambda old: Member(old.name, old.data, 8, size=old.size, checksum=1)
        ),
        (UNREADABLE,),
    ),
    "larger-claim": (
        _instead("config.json", lambda old: Member(old.name, old.data, 8, size=2**31)),
        EITHER_REFUSAL,
    ),
    "local-size-lies": (
        _instead(
            "config.json",
            lambda old: Member(old.name, old.data, 8, 8, old.size, 7, checksum=old.checksum),
        ),
        ANY,
    ),
    "stored-beyond-end": (
        _instead(
            "model.weights.h5", lambda old: Member(old.name, old.data, stored=2**30, size=2**30)
        ),
        EITHER_REFUSAL,
    ),
}


def cases() -> Iterator[Case]:
    """All of them."""
    for name, (edit, guard) in EDITS.items():
        yield Case(f"zip-{name}.keras", ROW, guard, _edited(edit))
    for name, (edit, codes) in TOLD.items():
        row = "unreadable" if codes == (UNREADABLE,) else ROW
        yield Case(f"zip-{name}.keras", row, "damage", _edited(edit), codes)
    yield Case("zip-lzma-bomb.keras", ROW, BOMB, _write_packed(zipfile.ZIP_LZMA))
    yield Case("zip-bzip2-bomb.keras", ROW, BOMB, _write_packed(zipfile.ZIP_BZIP2))
    yield Case("polyglot-hdf5-first.keras", ROW, "formats", _write_hdf5_first, (0, 3))
    yield Case("polyglot-zip-first.h5", ROW, "formats", _write_zip_first, ANY)


def _write_packed(method: int) -> Callable[[Place], None]:
    """Other compressions pack zeros closer than deflate can."""

    def write(place: Place) -> None:
        write_archive(place, read_config(place))
        with zipfile.ZipFile(place.path, "a", method) as archive:
            archive.writestr("assets/notes.txt", bytes(96 * 2**20))

    return write


def _write_hdf5_first(place: Place) -> None:
    """Bytes of HDF5 with an honest network; a reader that goes by the suffix finds a Lambda."""
    buffer = io.BytesIO((place.templates / "sequential.h5").read_bytes())
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("metadata.json", METADATA)
        archive.writestr("config.json", _hostile_config(place))
        archive.writestr("model.weights.h5", (place.templates / "sequential.weights").read_bytes())
    place.path.write_bytes(buffer.getvalue())


def _write_zip_first(place: Place) -> None:
    """A zip of no model, and at the next place where HDF5 looks, a whole .h5 file."""
    write_zip(place.path, [Member("a.txt", b"x")])
    head = place.path.read_bytes().ljust(512, b"\0")
    place.path.write_bytes(head + (place.templates / "sequential.h5").read_bytes())
