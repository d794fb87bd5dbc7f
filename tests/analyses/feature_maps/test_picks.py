"""Which channels are shown: by hand-made censuses."""

import numpy as np
import pytest

from reportgen.analyses.feature_maps.picks import choose_channels, choose_shown, find_twins
from reportgen.analyses.feature_maps.units_blocks import table_units
from reportgen.subject.top_activating.choice import choose_unit_layers, choose_units

CLASSES = ("cat", "dog", "eel")


def test_half_by_class_and_half_by_variation(unit_layer, telling):
    # Clear (r - 0.05 above 0.2): 0 and 1 and 4 for cat, 2 for dog; 3 is not clear.
    found = telling([0, 0, 1, 2, 0, 0], [0.9, 0.8, 0.5, 0.2, 0.4, 0.1])
    layer = unit_layer([1, 2, 3, 4, 5, 6], selectivity=found)
    picks = choose_units(layer, 5, CLASSES)
    # The best of each class before the second best of any: 0 (cat), 2 (dog), 1 (cat again).
    assert [pick.channel for pick in picks] == [0, 2, 1, 5, 4]
    assert picks[0].why == "mean highest for cat (r = 0.90)"
    assert picks[1].why.startswith("mean highest for dog")
    assert picks[3].why == "varies much"


def test_without_classes_only_variation_counts(unit_layer, telling):
    layer = unit_layer([1, 3, 2], selectivity=telling([0, 0, 0], [0.9, 0.9, 0.9]))
    picks = choose_units(layer, 2, ())
    assert [(pick.channel, pick.why) for pick in picks] == [(1, "varies most"), (2, "varies much")]


def test_no_constant_channel_is_shown_even_if_it_seems_to_tell_a_class(unit_layer, telling):
    layer = unit_layer([0, 2, 1], selectivity=telling([0, 1, 1], [0.9, 0.1, 0.1]))
    assert [pick.channel for pick in choose_units(layer, 3, CLASSES)] == [1, 2]


def test_units_that_reach_the_same_peak_everywhere_come_last(unit_layer):
    """A ReLU6 that is at 6 somewhere in every sample: no sample excites it most."""
    layer = unit_layer([3, 2, 1], peaks=[6, 5, 4], lowest=[6, 1, 1])
    assert [pick.channel for pick in choose_units(layer, 3, ())] == [1, 2, 0]


def test_a_layer_without_units_of_its_own_has_no_picks(unit_layer):
    assert choose_units(unit_layer([1, 2], units=False), 2, CLASSES) == []


def test_the_channels_that_vary_most_in_their_own_order(unit_layer):
    assert choose_channels(unit_layer([1, 0, 3, 2]), 2).tolist() == [2, 3]
    assert choose_channels(unit_layer([1, 0, 3, np.nan]), 2).tolist() == [0, 2]
    assert choose_channels(unit_layer([1, 2]), 9).tolist() == [0, 1]


def test_the_path_shows_the_picks_and_the_mosaic_what_varies(unit_layer, telling, census_of):
    layer = unit_layer([1, 2, 3, 4], selectivity=telling([1, 0, 0, 0], [0.9, 0, 0, 0]))
    shown = choose_shown(census_of(layer), 2, 3, CLASSES)["conv"]
    assert (shown.path.tolist(), shown.mosaic.tolist()) == ([0, 3], [1, 2, 3])
    plain = choose_shown(census_of(unit_layer([1, 2, 3], units=False)), 2, 3, CLASSES)["conv"]
    assert plain.path.tolist() == [1, 2]


def test_twins_are_grouped(unit_layer):
    # 0 and 1 and 4 hang together through their nearest; 2 is near nothing; 3 mirrors 5.
    layer = unit_layer(
        [1] * 6, nearest=[1, 0, 0, 5, 1, 3], likeness=[0.9999, 0.9999, 0.9, -1, 0.9995, -1]
    )
    assert sorted(find_twins(layer.units)) == [(0, 1, 4), (3, 5)]


def test_units_that_hardly_ever_respond_are_no_twins(unit_layer):
    """Four responses of forty correlate by chance; five are taken to say something."""
    for silent, groups in ((36, []), (35, [(0, 1)])):
        layer = unit_layer([1, 1], nearest=[1, 0], likeness=[1, 1], silent=silent)
        assert find_twins(layer.units) == groups


@pytest.mark.parametrize(("most", "kept"), [(9, "abcde"), (3, "ace"), (1, "a"), (0, "")])
def test_layers_spread_over_the_depth(unit_layer, census_of, most, kept):
    layers = [unit_layer([1, 1], address=name) for name in "abcde"]
    dead = unit_layer([0, 0], address="dead")
    other = unit_layer([1, 1], address="input", units=False)
    chosen = choose_unit_layers(census_of(other, *layers[:2], dead, *layers[2:]), most)
    assert "".join(layer.address for layer in chosen) == kept


def test_the_tables_say_what_units_do_and_which_classes_they_tell(unit_layer, telling, census_of):
    found = telling([0, 2], [0.1, 0.9])
    twins = {"nearest": [1, 0], "likeness": [1, 1]}
    first = unit_layer([2, 0], address="a", selectivity=found, **twins)
    second = unit_layer([1, 3], address="b", selectivity=found)
    units, same, classes = table_units(census_of(first, second), CLASSES)
    assert units.rows[0] == ("a", 2, 1, None, 0.0, 1.0, 1.0)
    assert units.rows[1] == ("b", 2, 0, None, 0.0, 2.0, 1.0)
    assert same.rows == (("a", 2, "0 = 1"),)
    assert classes.rows[0] == ("a", 1, 1, "eel", 0.9, "0.89 to 0.91", "0.20")


def test_tables_without_a_row_are_left_out(unit_layer, census_of):
    (units,) = table_units(census_of(unit_layer([1, 1])), CLASSES)
    assert units.id == "feature_maps-units"
    assert table_units(census_of(unit_layer([1, 1], units=False)), CLASSES) == []
