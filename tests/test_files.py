"""What is no regular file is refused at once, whoever reads it; nothing leads out of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reportgen.errors import InputError, ReportgenError
from reportgen.files import Folder, leads_out, open_regular, read_regular
from reportgen.subject.class_names import read_class_names
from reportgen.subject.history import read_history
from reportgen.subject.images import Decoder, SkippedImageError
from reportgen.subject.label_table import list_table
from reportgen.subject.model_file.identification import examine, read_file
from reportgen.subject.sample_archive import read_archive


def history_of(path: Path) -> Any:
    (path.parent / "history").mkdir(exist_ok=True)
    path.rename(path.parent / "history/history.json")
    return read_history(path.parent / "history")


# Whoever reads a file of somebody else's, by what it is read for.
READERS: dict[str, Callable[[Path], Any]] = {
    "model": read_file,
    "architecture": lambda path: examine(weights_of(path), architecture=path),
    "samples": lambda path: read_archive(path, (2,), limit=9, seed=0),
    "image": lambda path: Decoder((2, 2), 3).read(path),
    "labels": lambda path: list_table(path, path.parent, limit=9, seed=0),
    "classes": read_class_names,
    "history": history_of,
    "report": lambda path: reportgen_load(path),
}


def weights_of(path: Path) -> Path:
    import h5py

    weights = path.parent / "w.weights.h5"
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((2, 2), np.float32)
    return weights


def reportgen_load(path: Path) -> Any:
    from reportgen.report.report import Report

    (path.parent / "report").mkdir(exist_ok=True)
    path.rename(path.parent / "report/report.json")
    return Report.load(path.parent / "report")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(2**42)  # four terabytes of nothing


KINDS = (pipe, endless, folder, loop)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, reader: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "given")
    with pytest.raises((ReportgenError, SkippedImageError)):
        READERS[reader](tmp_path / "given")


@pytest.mark.parametrize("reader", READERS)
def test_a_file_of_terabytes_is_refused_at_once(tmp_path: Path, reader: str) -> None:
    sparse(tmp_path / "given")
    with pytest.raises((ReportgenError, SkippedImageError)):
        READERS[reader](tmp_path / "given")


@pytest.mark.parametrize("make", KINDS)
def test_the_kind_is_said(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "given")
    with pytest.raises(OSError, match=r"pipe|device|folder|symbolic links") as refused:
        open_regular(tmp_path / "given")
    assert refused.value.strerror


def test_a_size_is_a_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1234")
    assert read_regular(tmp_path / "a", 4) == b"1234"
    with pytest.raises(OSError, match="larger than 3 bytes"):
        read_regular(tmp_path / "a", 3)
    # A file that says that it has no size, and has.
    with pytest.raises(OSError, match="larger than 3 bytes"):
        read_regular(Path("/proc/self/status"), 3)


def test_no_link_in_a_folder_is_followed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (home / "data/a").write_bytes(b"1")
    (tmp_path / "secret").write_bytes(b"2")
    (home / "way").symlink_to("data")
    (home / "out").symlink_to("../secret")
    (home / "data/out").symlink_to("/etc/passwd")
    with Folder(home) as inside:
        assert inside.read("data/a", 9) == b"1"
        assert inside.names() == ["data/a", "data/out", "out", "way"]
        for name in ("way/a", "out", "data/out"):
            with pytest.raises(OSError, match="is a link, which is not followed"):
                inside.read(name, 9)
        for name in ("../secret", "/etc/passwd", "data/../../secret", "", ".", "a\0b"):
            with pytest.raises(OSError, match=r"no name of a file inside|regular file"):
                inside.read(name, 9)
        with pytest.raises(FileNotFoundError):
            inside.read("data/none", 9)
        with pytest.raises(NotADirectoryError):
            inside.read("data/a/b", 9)
    before = len(os.listdir("/proc/self/fd"))
    with Folder(home) as inside, pytest.raises(OSError, match="link"):
        inside.read("way/a", 9)
    assert len(os.listdir("/proc/self/fd")) == before  # none is left open


def test_a_folder_of_very_many_or_very_deep_files_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    (deep / "/".join("d" * 40)).mkdir(parents=True)
    with Folder(deep) as inside, pytest.raises(OSError, match="folders in folders"):
        inside.names()
    many = tmp_path / "many"
    many.mkdir()
    for i in range(10_001):
        (many / str(i)).touch()
    with Folder(many) as inside, pytest.raises(OSError, match="more than 10000"):
        inside.names()


def test_leading_out(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "inner").symlink_to("there")
    (home / "up").symlink_to("..")
    (home / "loop").symlink_to("loop")
    (tmp_path / "home-of-another").mkdir()
    assert not leads_out(home / "inner", home)
    assert not leads_out(home / "a/../b", home)
    assert not leads_out(home, home)
    for path in ("up", "up/x", "loop/x", "../home-of-another/x", "/"):
        assert leads_out(home / path, home), path


def test_a_label_table_reaches_no_file_by_a_link(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    for name in ("a.png", "b.png"):
        (images / name).write_bytes(b"x")
    (images / "out.png").symlink_to("../secret.png")
    (images / "way").symlink_to("..")
    (images / "same.png").symlink_to("a.png")
    table = tmp_path / "labels.csv"
    table.write_text("a.png,a\nb.png,b\nout.png,a\nway/secret.png,b\nsame.png,a\n")
    found = list_table(table, images, limit=9, seed=0)
    assert [entry.name for entry in found.entries] == ["a.png", "same.png", "b.png"]
    assert found.skipped_counts == {"link out of the folder": 2}
    table.write_text("out.png,a\n")
    with pytest.raises(InputError, match="link out of the folder: 1"):
        list_table(table, images, limit=9, seed=0)
