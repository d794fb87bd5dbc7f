"""The tiers are whole, and the one without TensorFlow is that."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from .conftest import HEAVY, ROOT, is_unit_alone
from .kept import keep
from .tiers import LONGEST_FIRST, SPREAD, TIERS, TOGETHER, group_of

SEEN: list[int] = []


def test_tensorflow_is_not_needed_here(pytestconfig):
    """By itself, as scripts/test runs it, every test of the tier proves that it needs none."""
    if not is_unit_alone(pytestconfig):
        pytest.skip("proven where the tier runs alone, as scripts/test runs it: -m unit")
    for name in HEAVY:
        with pytest.raises(ImportError, match="without TensorFlow"):
            importlib.import_module(name)
    assert not HEAVY & set(sys.modules)


def test_the_script_runs_the_tier_alone():
    lines = (ROOT / "scripts" / "test").read_text().splitlines()
    assert any(line.strip().startswith("run -m unit ") for line in lines)


@pytest.mark.parametrize("path", [*TIERS, *SPREAD, *LONGEST_FIRST])
def test_the_tables_name_what_is_there(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("number", range(6))
def test_the_tests_of_a_file_meet_on_one_worker(number):
    SEEN.append(number)
    assert len(SEEN) == number + 1  # all that came before came here


def test_only_files_whose_tests_share_nothing_are_spread():
    (html,) = [path for path in SPREAD if "test_html" in path]
    first, other = f"{html}::test_a[0]", f"{html}::test_a[1]"
    assert group_of(first) != group_of(other)
    for function in TOGETHER:
        assert group_of(f"{function}[a]") == group_of(f"{function}[b]")
        assert group_of(f"{function}_through_the_command[a]") != group_of(f"{function}[a]")


@pytest.fixture
def build():
    """Writes a file, and counts how often it was asked to."""

    def write(folder: Path) -> None:
        write.count += 1
        (folder / "a").write_text("built")

    write.count = 0
    return write


def test_what_is_kept_is_built_once_for_the_same_sources(tmp_path, build):
    first = keep(tmp_path, "thing", build, "words")
    assert keep(tmp_path, "thing", build, "words") == first
    assert (build.count, (first / "a").read_text()) == (1, "built")


@pytest.mark.parametrize("change", ["words", "file", "environment"])
def test_what_is_kept_is_built_again_when_a_source_changes(tmp_path, build, monkeypatch, change):
    from . import kept

    source = tmp_path / "source.py"
    source.write_text("1")
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    keep(tmp_path / "kept", "thing", build, source, "words")
    if change == "file":
        source.write_text("2")
    if change == "environment":
        kept._surroundings.cache_clear()
        monkeypatch.setattr(kept, "_ENVIRONMENT", ["TF_ENABLE_ONEDNN_OPTS=changed"])
    keep(tmp_path / "kept", "thing", build, source, "others" if change == "words" else "words")
    kept._surroundings.cache_clear()
    assert build.count == 2


def test_a_build_that_failed_is_not_kept(tmp_path, build):
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        keep(tmp_path, "thing", fail, "words")
    folder = keep(tmp_path, "thing", build, "words")
    assert [path.name for path in folder.iterdir()] == ["a"]
    assert [path for path in (tmp_path / "thing").iterdir() if path.is_dir()] == [folder]
