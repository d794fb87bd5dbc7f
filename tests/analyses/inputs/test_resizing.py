"""Files that were cut or shrunk by another rule in training: found, with the rule."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from reportgen.analyses.inputs.resizing import Rule, list_rules
from reportgen.config import load_config
from reportgen.subject.subject import open_subject

ID = "inputs.resizing"
NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def wide(seen, tmp_path_factory):
    """Class folders of pictures 30 by 10: the sample in the middle, noise to its sides."""
    root = tmp_path_factory.mktemp("wide")
    rng = np.random.default_rng(3)
    for i, (picture, label) in enumerate(zip(*seen, strict=True)):
        canvas = rng.integers(0, 130, (10, 30, 3)).astype(np.uint8)
        canvas[:, 10:20] = picture
        folder = root / NAMES[label]
        folder.mkdir(exist_ok=True)
        Image.fromarray(canvas).save(folder / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def file(colourful, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "net.keras"
    colourful.save(path)
    return path


def look(analyse, file, folder, **settings):
    config = load_config(file, {"images": folder, "preprocessing": "unit", **settings})
    return analyse("inputs", open_subject(config))


@pytest.mark.parametrize("wrong", ["stretch", "pad"])
def test_another_way_to_fit_is_found(analyse, file, wide, wrong):
    found = look(analyse, file, wide, resize=wrong)
    finding = found.findings[ID]
    assert finding.level == "warn"
    assert finding.message.startswith("With --resize crop --interpolation bilinear ")
    assert f"with --resize {wrong} --interpolation bilinear, as declared" in finding.message
    assert finding.value > 0.3
    right = look(analyse, file, wide, resize="crop")
    assert right.levels[ID] == "pass"
    # What it would be is what the other audit measures.
    declared = right.result.resizings.tried[0].paired.before
    assert found.result.resizings.better[0].paired.after == declared


def test_a_small_gain_is_a_note(analyse, file, wide):
    config = load_config(file, {"images": wide, "preprocessing": "unit"})
    found = analyse("inputs", open_subject(config), resizing_gain=0.99)
    assert found.levels[ID] == "note"


def test_rules_are_each_tried_once():
    declared = Rule("crop", "area")
    rules = list_rules(declared)
    assert declared not in rules
    assert len(set(rules)) == len(rules)
    assert {rule.resize for rule in rules} == {"stretch", "pad", "crop"}
    assert all(rule.resize == "crop" or rule.interpolation == "area" for rule in rules)


def test_what_has_its_size_is_not_resized(analyse, file, seen, subject_of, colourful, tmp_path):
    arrays = analyse("inputs", subject_of(colourful, *seen, preprocessing="unit"))
    assert "arrays" in arrays.findings[ID].message
    (tmp_path / "a").mkdir()
    Image.fromarray(seen[0][0]).save(tmp_path / "a" / "0.png")
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\n")
    fitting = look(analyse, file, tmp_path, classes=tmp_path / "classes.txt")
    assert "All images have the size" in fitting.findings[ID].message


def test_a_file_that_has_gone_keeps_its_pixels(analyse, file, wide, seen, tmp_path):
    """Between opening and asking: the sample counts as it was read, for every rule."""
    (tmp_path / "a").mkdir()
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\n")
    for path in sorted((wide / "a").iterdir())[:40]:
        (tmp_path / "a" / path.name).write_bytes(path.read_bytes())
    config = load_config(
        file,
        {"images": tmp_path, "preprocessing": "unit", "classes": tmp_path / "classes.txt"},
    )
    subject = open_subject(config)
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    found = analyse("inputs", subject)
    assert {one.paired.gained + one.paired.lost for one in found.result.resizings.tried} == {0}
