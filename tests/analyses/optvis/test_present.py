"""Blocks: all that was painted is shown once, has words, and survives the way to the page."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from reportgen.analyses.optvis import ANALYSIS
from reportgen.analyses.optvis.causes import WORDS
from reportgen.analyses.optvis.grids import _hatch
from reportgen.figures.tiles import LARGEST_TILE
from reportgen.text import THIN_SPACE
from reportgen.worker.jobs import pack_body, unpack_body

SIDE, MARGIN = 32, 6


def blocks_of(body):
    return {block.id: block for block in body.blocks}


def hatch():
    return _hatch(SIDE)


def test_the_parts_stand_in_their_order(sound):
    assert [block.id for block in sound.body.blocks] == [
        "optvis-layers",
        "optvis-classes",
        "optvis-units-0_c1",
        "optvis-units-1_c2",
        "optvis-dreams",
        "optvis-progress",
        "optvis-numbers",
    ]


def test_every_picture_has_words_and_every_array_is_shown_once(sound):
    used = []
    for block in sound.body.blocks:
        assert block.caption
        if block.kind not in ("text", "table"):
            assert block.alt
        used += [panel.tiles for panel in getattr(block, "panels", ())]
    assert sorted(used) == sorted(
        f"optvis/{key}" for key in sound.body.arrays if not key.startswith("record_")
    )


def test_the_section_survives_the_way_to_the_page(sound):
    body, _, _ = unpack_body(pack_body(sound.body, 1.0, 1))
    assert (body.findings, body.blocks, body.method) == (
        sound.body.findings,
        sound.body.blocks,
        sound.body.method,
    )
    for key, array in sound.body.arrays.items():
        np.testing.assert_array_equal(body.arrays[key], array)
    for item in (*sound.body.blocks, *sound.body.findings):
        json.dumps(item.model_dump(mode="json"), allow_nan=False)


def test_tiles_are_small_and_all_alike(sound):
    pictures = {k: v for k, v in sound.body.arrays.items() if not k.startswith("record_")}
    for key, tiles in pictures.items():
        assert tiles.dtype == np.uint8
        assert tiles.shape[1:] in ((SIDE, SIDE + MARGIN, 3), (SIDE, SIDE, 3)), key
        assert len(tiles) <= 12
    options = [ANALYSIS.choose_options(preset, {}) for preset in ("quick", "standard", "full")]
    assert max(chosen.side for chosen in options) <= LARGEST_TILE


def test_a_unit_shows_pictures_then_its_opposite_then_samples(sound):
    layer = sound.result.layers[0]
    unit, channel = layer.raw.excited.units[0], layer.raw.channels[0]
    tiles = sound.body.arrays[f"unit_0_c1_{channel}"]
    count = 2 + 1 + len(unit.most) + len(unit.least)
    assert len(tiles) == count
    np.testing.assert_array_equal(tiles[:2, :, MARGIN:], layer.tiles[0])
    np.testing.assert_array_equal(tiles[2, :, MARGIN:], layer.negative[0])
    np.testing.assert_array_equal(tiles[3, :, MARGIN:], unit.most[0].patch)
    bars = [bool((tile[:, 2:4] < 100).all()) for tile in tiles]
    starts = {2, 3, 3 + len(unit.most)}
    assert [i for i, bar in enumerate(bars) if bar] == sorted(starts)
    grid = blocks_of(sound.body)["optvis-units-0_c1"]
    assert grid.panels[0].columns == count
    assert "wants least" in grid.caption


def test_the_opposite_is_only_there_if_it_was_asked_for(sound):
    layers = tuple(replace(layer, negative=None) for layer in sound.result.layers)
    body = ANALYSIS.present(replace(sound.result, layers=layers))
    channel = layers[0].raw.channels[0]
    one_less = len(sound.body.arrays[f"unit_0_c1_{channel}"]) - 1
    assert len(body.arrays[f"unit_0_c1_{channel}"]) == one_less
    assert "wants least" not in blocks_of(body)["optvis-units-0_c1"].caption


@pytest.mark.parametrize("cause", sorted(WORDS))
def test_a_diagnosis_stands_in_place_of_a_picture(sound, cause):
    first, *rest = sound.result.layers
    judged = (replace(first.judged[0], cause=cause), *first.judged[1:])
    body = ANALYSIS.present(replace(sound.result, layers=(replace(first, judged=judged), *rest)))
    ill, well = (body.arrays[f"unit_0_c1_{channel}"] for channel in first.raw.channels)
    for tile in ill[:2, :, MARGIN:]:
        np.testing.assert_array_equal(tile, hatch())
    assert not (well[0, :, MARGIN:] == hatch()).all()
    assert not (ill[3, :, MARGIN:] == hatch()).all()  # its samples are still there
    panels = blocks_of(body)["optvis-units-0_c1"].panels
    assert panels[0].note.startswith("No picture: ")
    assert not panels[1].note.startswith("No picture: ")
    row = blocks_of(body)["optvis-layers"].rows[0]
    assert row[:3] == ("c1", 2, 1)


def test_numbers_that_are_not_finite_are_left_out(sound):
    first, *rest = sound.result.layers
    nan = float("nan")
    judged = tuple(
        replace(
            unit, scores=np.full(2, nan, np.float32), natural=nan, noise=nan, cause="not finite"
        )
        for unit in first.judged
    )
    answers = np.full_like(sound.result.classes.answers, nan)
    broken = replace(
        sound.result,
        layers=(replace(first, judged=judged), *rest),
        classes=replace(
            sound.result.classes,
            answers=answers,
            judged=tuple(replace(u, cause="not finite") for u in sound.result.classes.judged),
        ),
        dreams=tuple(replace(dream, gain=nan) for dream in sound.result.dreams),
    )
    body = ANALYSIS.present(broken)
    for block in body.blocks:
        said = json.dumps(block.model_dump(mode="json"), allow_nan=False)
        assert " nan" not in said.lower().replace('"', " ")


def test_the_table_of_numbers_has_those_of_the_result(sound):
    table = blocks_of(sound.body)["optvis-numbers"]
    assert len(table.rows) == 2 + 2 + 3
    first = sound.result.layers[0]
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert row["Layer"] == "c1"
    assert row["Unit"] == str(first.raw.channels[0])
    judged = first.judged[0]
    shown = (row["Picture"], row["Sample"], row["Random"])
    assert shown == pytest.approx((judged.best, judged.natural, judged.noise), rel=1e-3)


def test_dreams_begin_with_the_sample(sound):
    tiles = sound.body.arrays["dreams"]
    assert len(tiles) == 1 + len(sound.result.dreams) == 3
    labels = blocks_of(sound.body)["optvis-dreams"].panels[0].labels
    assert [label.text for label in labels] == ["the sample", "c1", "c2"]
    for dream, label in zip(sound.result.dreams, labels[1:], strict=True):
        assert dream.gain > 1
        assert f"{dream.gain:.3g}" in label.detail
    differs = np.abs(tiles[1:].astype(int) - tiles[0]).mean(axis=(1, 2, 3))
    assert (differs > 1).all()


def test_curves_are_parts_of_the_best(sound):
    curves = blocks_of(sound.body)["optvis-progress"]
    assert [series.name for series in curves.series] == ["c1", "c2", "classes"]
    for series in curves.series:
        assert len(series.x) == len(series.y)
        assert max(series.y) <= 1 + 1e-6
        assert series.y[-1] > series.y[0]


def test_the_method_has_every_parameter(sound):
    method = " ".join(sound.body.method)
    assert "Recipe default" in method
    assert "40 samples and 4 random pictures" in method
    assert "Geirhos" in method
    assert "DeepDream" in method
    assert "bfloat16" not in method
    absent = replace(sound.result, absences=("c9: there is no map.",))
    block = blocks_of(ANALYSIS.present(absent))["optvis-absent"]
    assert block.paragraphs == ("c9: there is no map.",)


def test_five_channels_are_said_to_be_drawn_by_their_mean(sound):
    grey = ANALYSIS.present(replace(sound.result, channels=5))
    for id_ in ("optvis-units-0_c1", "optvis-units-1_c2"):
        assert "their mean is drawn" in blocks_of(grey)[id_].caption
        assert "their mean is drawn" not in blocks_of(sound.body)[id_].caption


def test_the_probability_of_a_class_is_that_of_the_picture_with_the_highest_score(sound):
    classes = sound.result.classes
    judged = (
        replace(classes.judged[0], scores=np.array([9.0, 7.0], np.float32), cause=None),
        *classes.judged[1:],
    )
    answers = classes.answers.copy()
    answers[0] = [0.9986, 1.0]  # the weaker picture is the surer one
    changed = replace(classes, judged=judged, answers=answers)
    body = ANALYSIS.present(replace(sound.result, classes=changed))
    note = blocks_of(body)["optvis-classes"].panels[0].note
    assert note.startswith(f"the model gives it 99.9{THIN_SPACE}%; 9, strongest sample ")


def test_a_strength_of_some_units_only_says_of_how_many(sound):
    first, *rest = sound.result.layers
    judged = (
        replace(first.judged[0], scores=np.array([3.0], np.float32), natural=1.5, least=0.0),
        replace(first.judged[1], scores=np.array([3.0], np.float32), natural=0.1, least=-1.0),
    )
    body = ANALYSIS.present(replace(sound.result, layers=(replace(first, judged=judged), *rest)))
    assert blocks_of(body)["optvis-layers"].rows[0][3] == "2 × (1 of 2 units)"
    assert blocks_of(body)["optvis-layers"].rows[-1][3] is None  # scores of classes
