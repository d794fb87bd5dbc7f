"""The output folder: what is replaced, what stays, what is in the way; each with its neighbours."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from reportgen.config import build_config
from reportgen.errors import ConfigurationError, OutputError
from reportgen.output import claim, replacing, write_report
from reportgen.report.cards import Timing
from reportgen.report.folder import find_differences
from reportgen.report.report import Report


@pytest.fixture
def out(digits: Path, tmp_path: Path) -> Path:
    """A report of three files in a folder of its own."""
    target = tmp_path / "home/report"
    write(digits, target)
    return target


def write(digits: Path, out: Path) -> tuple[str, ...]:
    """What stayed."""
    with claim(out):
        config = build_config({"out": out, "formats": ("json",)})
        return write_report(Report.load(digits), config, Timing()).kept


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything in a folder: content, the goal of a link, or what else it is."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = path.read_bytes()
        else:
            found[name] = stat.filemode(path.lstat().st_mode)
    return found


# What is no report, though something in it looks like one.


def extension(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"manifest_version": 3, "name": "of a browser"}')
    (folder / "popup.js").write_text("years of work")


def nearly(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"outputs": {"thesis.tex": "0"}, "kind": "report"}')
    (folder / "thesis.tex").write_text("years of work")


def linked(folder: Path) -> None:
    (folder.parent / "elsewhere.json").write_text("{}")
    (folder / "manifest.json").symlink_to("../elsewhere.json")
    (folder / "thesis.tex").write_text("years of work")


def piped(folder: Path) -> None:
    os.mkfifo(folder / "manifest.json")
    (folder / "thesis.tex").write_text("years of work")


def leading_out(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"kind": "reportgen report", "outputs": {"../x": ""}}')
    (folder / "thesis.tex").write_text("years of work")


@pytest.mark.parametrize(
    "fill",
    [
        extension,
        nearly,
        linked,
        piped,
        leading_out,
        lambda folder: (folder / "thesis.tex").write_text("years of work"),
        lambda folder: (folder / ".git").mkdir(),
    ],
)
def test_a_folder_that_is_no_report_is_never_touched(
    digits: Path, tmp_path: Path, fill: Callable[[Path], object]
) -> None:
    target = tmp_path / "home"
    target.mkdir()
    fill(target)
    before = tree(tmp_path)
    with pytest.raises(OutputError, match="replaced"):
        write(digits, target)
    assert tree(tmp_path) == before | {".home.lock": b""}


def test_a_manifest_that_lists_what_lies_outside_is_none_of_ours(
    digits: Path, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "home/secret.txt").write_text("of somebody else")
    manifest = json.loads((out / "manifest.json").read_text())
    for name in ("../secret.txt", "/etc/hostname", "data/../../secret.txt", "a\\b", ".hidden"):
        manifest["outputs"] = {name: "0" * 64}
        (out / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(OutputError, match="did not write"):
            write(digits, out)
    assert (tmp_path / "home/secret.txt").read_text() == "of somebody else"


def test_what_is_no_part_of_a_report_stays_and_is_named(
    digits: Path, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "goal").write_text("of somebody else")
    (out / "notes.txt").write_text("mine")
    (out / "data/raw.csv").write_text("1,2")
    (out / "figures/deep").mkdir(parents=True)
    (out / "figures/deep/a.png").write_bytes(b"png")
    (out / "empty").mkdir(mode=0o700)
    (out / "link").symlink_to(tmp_path / "goal")
    (out / "folder link").symlink_to(tmp_path)
    os.mkfifo(out / "pipe")
    before, inode = tree(out), (out / "notes.txt").stat().st_ino
    kept = write(digits, out)
    assert kept == (
        "data/raw.csv",
        "figures/deep/a.png",
        "folder link",
        "link",
        "notes.txt",
        "pipe",
    )
    after = tree(out)
    others = {*kept, "empty", "figures", "figures/deep"}
    assert {name: after[name] for name in others} == {name: before[name] for name in others}
    assert (out / "notes.txt").stat().st_ino == inode  # the file itself, not a copy
    assert (tmp_path / "goal").read_text() == "of somebody else"
    assert {line.partition(": ")[0] for line in find_differences(out)} == {"not listed"}


def test_files_that_allow_no_second_name_are_copied(
    digits: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    (out / "notes.txt").write_text("mine")
    monkeypatch.setattr(replacing.os, "link", refuse)
    assert write(digits, out) == ("notes.txt",)
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["report.pdf", "report.html", "data/weights.npz", "data"])
def test_what_would_be_overwritten_is_named_before_anything_runs(
    digits: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "report"
    write(digits, out)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["outputs"].pop(name, None)
    (out / "manifest.json").write_text(json.dumps(manifest))
    if name == "data":
        shutil.rmtree(out / "data")
    (out / name).write_text("mine")
    with pytest.raises(OutputError, match="would be overwritten"), claim(out):
        pytest.fail("claimed")
    assert (out / name).read_text() == "mine"


# The lock.


@pytest.mark.parametrize("goal", ["victim.txt", "missing.txt", "folder", "loop"])
def test_a_lock_that_is_a_link_is_refused(tmp_path: Path, goal: str) -> None:
    (tmp_path / "victim.txt").write_text("of the user")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / ".report.lock").symlink_to(goal)
    with pytest.raises(OutputError, match=r"is a link.*Remove it"), claim(tmp_path / "report"):
        pytest.fail("claimed")
    assert (tmp_path / "victim.txt").read_text() == "of the user"
    assert not (tmp_path / "missing.txt").exists()


def test_a_lock_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".report.lock")
    with pytest.raises(OutputError, match="no regular file"), claim(tmp_path / "report"):
        pytest.fail("claimed")


def test_a_lock_with_a_second_name_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "victim.txt").write_text("of the user")
    os.link(tmp_path / "victim.txt", tmp_path / ".report.lock")
    with claim(tmp_path / "report"):
        pass
    assert (tmp_path / "victim.txt").read_text() == "of the user"


def test_a_lock_is_never_removed_while_it_is_held(tmp_path: Path) -> None:
    lock = tmp_path / ".report.lock"
    with claim(tmp_path / "report"):
        held = lock.stat().st_ino
    with claim(tmp_path / "report"):
        assert lock.stat().st_ino == held


# Leftovers of killed runs.


def test_leftovers_are_cleared_and_what_only_looks_like_one_stays(digits: Path, out: Path) -> None:
    home = out.parent
    unfinished, old, empty = (home / f".report.reportgen-{name}" for name in ("a", "b", "c"))
    unfinished.mkdir()
    (unfinished / ".unfinished").touch()
    (unfinished / "report.json").touch()
    shutil.copytree(out, old)
    empty.mkdir()
    foreign = home / ".report.reportgen-d"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years of work")
    (home / ".report.reportgen-e").symlink_to(foreign)
    (home / ".report.reportgen-f").write_text("a file")
    (home / ".other.reportgen-a").mkdir()
    write(digits, out)
    assert sorted(path.name for path in home.iterdir()) == [
        ".other.reportgen-a",
        ".report.lock",
        ".report.reportgen-d",
        ".report.reportgen-e",
        ".report.reportgen-f",
        "report",
    ]
    assert (foreign / "thesis.tex").read_text() == "years of work"


def test_a_run_killed_between_the_two_steps_is_mended_by_the_next(digits: Path, out: Path) -> None:
    """Where folders cannot change places in one step, the earlier report may be left aside."""
    before = tree(out)
    shutil.copytree(out, out.with_name(".report.reportgen-x"))
    out.rename(out.with_name(".report.reportgen-x.previous"))
    with claim(out):
        assert tree(out) == before
    assert sorted(path.name for path in out.parent.iterdir()) == [".report.lock", "report"]


def test_folders_change_places_in_one_step(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not replacing._exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this file system has no such step")
    assert (tmp_path / "one/other").exists()
    assert (tmp_path / "other/one").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_both_steps_are_done(
    digits: Path, out: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    came: list[int] = []
    before = signal.signal(number, lambda number, frame: came.append(number))
    rename, seen = os.rename, []

    def rename_and_interrupt(source: object, target: object) -> None:
        rename(source, target)  # type: ignore[arg-type]
        os.kill(os.getpid(), number)
        seen.append(list(came))

    monkeypatch.setattr(replacing, "_exchange", lambda one, other: False)
    monkeypatch.setattr(replacing.os, "rename", rename_and_interrupt)
    try:
        write(digits, out)
        assert signal.getsignal(number) is not signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert seen == [[], [], []]
    assert came == [number]
    assert find_differences(out) == []


def test_out_of_a_settings_file_is_only_honoured_below_its_folder(tmp_path: Path) -> None:
    from reportgen.config import load_config

    audited = tmp_path / "audited"
    audited.mkdir()
    (audited / "way").symlink_to(tmp_path)
    for value in ("../report", str(tmp_path / "report"), "way/report", ".", "x/../.."):
        (audited / "audit.toml").write_text(f'[audit]\nout = "{value}"\n')
        with pytest.raises(ConfigurationError, match="out "):
            load_config(audited, {})
        assert load_config(audited, {"out": Path("typed")}).out == Path("typed")
    (audited / "audit.toml").write_text('[audit]\nout = "reports/latest"\n')
    assert load_config(audited, {}).out == audited / "reports/latest"
