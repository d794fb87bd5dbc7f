"""What a stranger found in an hour with the source in hand, as it was tried; all is mended."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reportgen.config import build_config
from reportgen.errors import InputError, OutputError
from reportgen.formats.html import HTML
from reportgen.output import claim, drawing, replacing, rewrite_pages, write_report, writing
from reportgen.report.cards import Timing
from reportgen.report.folder import find_differences
from reportgen.report.report import Report

from .test_claiming import write


@pytest.fixture
def out(digits: Path, tmp_path: Path) -> Path:
    target = tmp_path / "home/report"
    write(digits, target)
    return target


# The user's files.


def test_a_strangers_manifest_does_not_make_a_file_of_the_users_ours(
    digits: Path, out: Path
) -> None:
    (out / "thesis.tex").write_text("years of work")
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["outputs"]["thesis.tex"] = "0" * 64
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert write(digits, out) == ("thesis.tex",)
    assert (out / "thesis.tex").read_text() == "years of work"


def test_what_an_earlier_format_wrote_goes(digits: Path, out: Path) -> None:
    """Listed, and still what is listed: it is of the report, whatever it is called."""
    from hashlib import sha256

    (out / "badge.svg").write_bytes(b"<svg/>")
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["outputs"]["badge.svg"] = sha256(b"<svg/>").hexdigest()
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert write(digits, out) == ()
    assert not (out / "badge.svg").exists()


def test_mounts_are_found_and_refused(
    digits: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "/proc" in replacing.find_mounts(Path("/"))
    assert replacing.find_mounts(out) == []
    (out / "photos").mkdir()
    (out / "photos/cat.jpg").write_text("cat")
    mounted = [str(out / "photos")]
    monkeypatch.setattr("reportgen.output.claiming.find_mounts", lambda folder: mounted)
    with pytest.raises(OutputError, match="is mounted there"):
        write(digits, out)
    monkeypatch.undo()
    # Mounted while the audit ran: told then, and nothing is removed.
    monkeypatch.setattr(replacing, "find_mounts", lambda folder: mounted)
    with pytest.raises(OutputError, match="is mounted there"):
        write(digits, out)
    assert (out / "photos/cat.jpg").read_text() == "cat"


@pytest.mark.parametrize("in_one_step", [True, False])
def test_what_arrives_while_folders_change_places_is_not_lost(
    digits: Path, out: Path, monkeypatch: pytest.MonkeyPatch, in_one_step: bool
) -> None:
    (out / "notes.txt").write_text("old")
    exchange = replacing._exchange

    def arrive(one: Path, other: Path) -> bool:
        (other / "late.txt").write_text("late")
        (other / "deep").mkdir()
        (other / "deep/late.txt").write_text("late")
        (other / "saved").write_text("new")  # as editors save
        os.replace(other / "saved", other / "notes.txt")
        return in_one_step and exchange(one, other)

    monkeypatch.setattr(replacing, "_exchange", arrive)
    write(digits, out)
    for name, text in {"late.txt": "late", "deep/late.txt": "late", "notes.txt": "new"}.items():
        assert (out / name).read_text() == text
    assert sorted(os.listdir(out.parent)) == [".report.lock", "report"]


def test_an_earlier_report_left_aside_is_put_back_over_an_empty_folder(
    digits: Path, out: Path
) -> None:
    (out / "notes.txt").write_text("mine")
    shutil.copytree(out, out.with_name(".report.reportgen-x"))
    out.rename(out.with_name(".report.reportgen-x.previous"))
    out.mkdir()  # as `mkdir -p` in a script
    shutil.rmtree(out.with_name(".report.reportgen-x"))
    with claim(out):
        assert (out / "notes.txt").read_text() == "mine"


def test_a_leftover_with_files_that_are_nowhere_else_stops_the_run(digits: Path, out: Path) -> None:
    own = out.with_name(".report.reportgen-2024")
    shutil.copytree(out, own)
    (own / "precious.txt").write_text("years of work")
    with pytest.raises(OutputError, match="Move them to where they belong"):
        write(digits, out)
    assert (own / "precious.txt").read_text() == "years of work"
    assert find_differences(out) == []


def test_modes_stay(digits: Path, out: Path) -> None:
    (out / "diary.txt").write_text("mine")
    (out / "closed").mkdir(mode=0o700)
    (out / "closed/a").touch()
    out.chmod(0o700)
    (out / "data").chmod(0o750)
    (out / "report.json").chmod(0o600)
    write(digits, out)
    assert out.stat().st_mode & 0o777 == 0o700
    assert (out / "data").stat().st_mode & 0o777 == 0o750
    assert (out / "closed").stat().st_mode & 0o777 == 0o700
    (out / "report.json").chmod(0o600)
    rewrite_pages(out, [HTML], 10**7)
    assert (out / "report.json").stat().st_mode & 0o777 == 0o600
    assert out.stat().st_mode & 0o777 == 0o700


def test_a_new_folder_heeds_the_mask(digits: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(digits, tmp_path / "new")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match="cannot be written"), claim(tmp_path / "loop"):
        pytest.fail("claimed")


def test_what_cannot_be_made_is_told_before_the_audit(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="too long"), claim(tmp_path / ("x" * 240)):
        pytest.fail("claimed")


def test_a_broken_git_folder_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").write_bytes(b"gitdir: \xff\xfe\n")
    monkeypatch.chdir(tmp_path)
    assert writing._git_revision() is None


# Reports of others.


def edit(out: Path, change: Callable[[dict[str, Any]], None]) -> None:
    report = json.loads((out / "report.json").read_text())
    change(report)
    (out / "report.json").write_text(json.dumps(report))


def with_blocks(*blocks: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def change(report: dict[str, Any]) -> None:
        report["sections"][0]["blocks"] = list(blocks)

    return change


def block(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "id": "b", "title": "t", "caption": "c", "alt": "a", **more}


def series(**more: Any) -> dict[str, Any]:
    return {"name": "s", "x": [1.0], "y": [1.0], **more}


CONTRADICTIONS = {
    "line of unlike lengths": block("lines", series=[series(x=[1.0, 2.0])], x_label="", y_label=""),
    "bars of unlike lengths": block("bars", names=["a"], series=["s"], values=[[1.0, 2.0]]),
    "edge to nowhere": block("graph", nodes=[], edges=[[-5, -9]]),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_contradicts_itself_cannot_be_drawn_and_is_no_bug(out: Path, name: str) -> None:
    edit(out, with_blocks(CONTRADICTIONS[name]))
    with pytest.raises(InputError):
        rewrite_pages(out, [HTML], 10**7)
    assert (out / "manifest.json").exists()


def test_a_picture_of_gigabytes_ends_at_the_limit(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An array of a few kilobytes that a page would pad to gigabytes."""
    out = tmp_path / "report"
    shutil.copytree(digits, out)
    monkeypatch.setattr(drawing, "_MEMORY_BYTES", 600 * 2**20)
    archive = out / "data/weights.npz"
    with np.load(archive) as old:
        arrays = {name: old[name] for name in old.files}
    wide = {
        name: np.zeros((1, 1, 4_000_000), np.uint8) if array.ndim == 3 else array
        for name, array in arrays.items()
    }
    assert any(array.size == 4_000_000 for array in wide.values())
    np.savez_compressed(archive, **wide)
    with pytest.raises(InputError, match="cannot be drawn from its data"):
        rewrite_pages(out, [HTML], 10**7, 60.0)


def test_a_drawing_without_end_ends(out: Path) -> None:
    with pytest.raises(InputError, match=r"did not finish within 0\.05 seconds"):
        rewrite_pages(out, [HTML], 10**7, 0.05)


HEADERS = [
    "{[]: 1}",
    "{1: 2, 'a': 3}",
    "{'descr': (), 'fortran_order': False, 'shape': (1,)}",
    "{'descr': ('<f4',), 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}",
    "{'descr': '|S0', 'fortran_order': False, 'shape': (100000, 100000)}",
    "{'descr': '|V0', 'fortran_order': False, 'shape': (100000, 100000)}",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,) * 65}",
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_lies_is_an_input_that_cannot_be_read(out: Path, header: str) -> None:
    text = header.encode() + b"\n"
    with zipfile.ZipFile(out / "data/weights.npz", "w") as archive:
        member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
        archive.writestr("a.npy", member + bytes(64))
    with pytest.raises(InputError, match=r"weights\.npz cannot be read"):
        Report.load(out)


def test_sparse_files_are_neither_copied_nor_hashed_without_end(out: Path) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    for i in range(6):
        with (out / f"large{i}").open("wb") as stream:
            stream.truncate(2**30)
        manifest["outputs"][f"large{i}"] = "0" * 64
    (out / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="larger than 4 GiB"):
        find_differences(out)


def test_a_manifest_never_grows_beyond_what_is_read(out: Path) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    deep: Any = [0] * 100_000
    for _ in range(150):
        deep = [deep]
    manifest["config"] = {"x": deep}
    (out / "manifest.json").write_text(json.dumps(manifest))
    rewrite_pages(out, [HTML], 10**7)
    assert find_differences(out) == []


def test_what_python_shows_of_a_report_is_harmless(out: Path) -> None:
    hostile = "\x1b[2J\n::error::gone ##vso[x]"

    def change(report: dict[str, Any]) -> None:
        report["verdict"]["sentence"] = report["subject"]["name"] = hostile
        report["sections"][0]["title"] = hostile

    edit(out, change)
    report = Report.load(out)
    for said in (str(report), repr(report), str(report.sections[0]), repr(report.sections[0])):
        assert "\x1b" not in said
        assert "##vso[" not in said
        assert not any(line.startswith("::") for line in said.splitlines())


# Found by a third look, at what was mended.


def test_a_file_of_the_users_that_comes_late_under_our_name_is_told(
    digits: Path, out: Path
) -> None:
    report, config = Report.load(digits), build_config({"out": out, "formats": ("html",)})
    with claim(out):
        (out / "report.html").write_text("mine")
        with pytest.raises(OutputError, match="in the way"):
            write_report(report, config, Timing())
    assert (out / "report.html").read_text() == "mine"


def test_a_file_called_as_our_sign_is_in_the_way(digits: Path, out: Path) -> None:
    (out / ".unfinished").write_text("mine")
    with pytest.raises(OutputError, match="would be overwritten"):
        write(digits, out)
    assert (out / ".unfinished").read_text() == "mine"


def test_between_two_steps_with_a_file_of_the_users_is_mended(digits: Path, out: Path) -> None:
    new = out.with_name(".report.reportgen-x")
    shutil.copytree(out, new)
    (out / "notes.txt").write_text("mine")
    os.link(out / "notes.txt", new / "notes.txt")
    out.rename(out.with_name(".report.reportgen-x.previous"))
    assert write(digits, out) == ("notes.txt",)
    assert sorted(os.listdir(out.parent)) == [".report.lock", "report"]
