"""Patches: cut where the unit sees, drawn where they lie."""

import numpy as np
import pytest
import tensorflow as tf

from reportgen.analyses.feature_maps.excitation_blocks import compose
from reportgen.subject.receptive_field import ReceptiveField
from reportgen.subject.top_activating.patches import Patch, cut_patch, locate_positions

BOX, GREY = (0, 200, 255), (128, 128, 128)


def field_of(low, high, size, jump, side):
    windows = tuple((np.array(a), np.array(b)) for a, b in zip(low, high, strict=True))
    return ReceptiveField(windows, size, jump, side)


def test_positions_look_at_the_middle_of_their_windows():
    # A 3-wide kernel, "same": the first and the last window are cut by the border.
    field = field_of([[0, 0, 1, 2]], [[1, 2, 3, 3]], (3,), (1.0,), (4,))
    assert locate_positions(field, (4,))[0].tolist() == [0, 1, 2, 3]


def test_positions_that_see_everything_are_spread_evenly():
    field = ReceptiveField(None, None, None, (8, 4))
    first, second = locate_positions(field, (2, 4))
    assert (first.tolist(), second.tolist()) == ([1.5, 5.5], [0, 1, 2, 3])


def gradient(height, width):
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 20, columns * 20, np.full_like(rows, 7)], axis=2).astype(np.uint8)


def test_the_patch_is_the_crop_enlarged_pixel_by_pixel():
    picture = gradient(8, 12)
    strength = np.zeros((8, 12), np.float32)
    strength[3, 4] = 1
    places = [np.arange(8.0), np.arange(12.0)]
    crop = (slice(2, 5), slice(3, 6))
    patch = cut_patch(picture, crop, strength, places, 48, name="a", peak=2.5)
    np.testing.assert_array_equal(patch.patch[8::16, 8::16], picture[2:5, 3:6])
    # Eight rows of four pixels between margins of eight.
    np.testing.assert_array_equal(patch.whole[10:40:4, 2::4], picture)
    assert (patch.whole[:8] == 128).all()
    assert (patch.whole[40:] == 128).all()
    assert patch.box == (8 + 2 * 4, 3 * 4, 8 + 5 * 4, 6 * 4)
    assert np.isnan(patch.strength[:8]).all()
    assert np.argwhere(patch.strength == 1).min(axis=0).tolist() == [8 + 3 * 4, 4 * 4]
    assert np.argwhere(patch.strength == 1).max(axis=0).tolist() == [8 + 3 * 4 + 3, 4 * 4 + 3]
    assert (patch.name, patch.peak) == ("a", 2.5)


def test_large_pictures_are_averaged():
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[::2] = 200
    whole = (slice(0, 96), slice(0, 96))
    patch = cut_patch(picture, whole, None, [], 48, name="", peak=0)
    assert patch.strength is None
    np.testing.assert_array_equal(patch.whole, 100)


def test_shrinking_agrees_with_tensorflow():
    """A second library: TensorFlow's mean over areas, at sides that do not divide."""
    picture = np.random.default_rng(0).integers(0, 256, (61, 50, 3)).astype(np.uint8)
    whole = (slice(0, 61), slice(0, 50))
    patch = cut_patch(picture, whole, None, [], 24, name="", peak=0)
    by_areas = tf.image.resize(picture, (24, 20), method="area").numpy()
    # Half a grey level by rounding, and float32.
    np.testing.assert_allclose(patch.whole[:, 2:22], by_areas, atol=0.501)


def test_a_sequence_is_cut_along_its_positions_and_keeps_all_channels():
    picture = gradient(2, 6)  # two channels, six positions
    strength = np.array([0, 0, 1, 0, 0, 0], np.float32)
    patch = cut_patch(picture, (slice(1, 4),), strength, [np.arange(6.0)], 24, name="", peak=1)
    np.testing.assert_array_equal(patch.patch[6::12, 4::8], picture[:, 1:4])
    assert patch.box == (0, 4, 24, 16)
    assert (patch.strength[:, 8:12] == 1).all()
    assert patch.strength.sum() == 24 * 4


def test_a_position_that_sees_only_padding_is_grey_and_has_no_frame():
    nothing = (slice(0, 0), slice(0, 4))
    places = [np.arange(4.0)] * 2
    patch = cut_patch(
        gradient(4, 4), nothing, np.zeros((4, 4), np.float32), places, 16, name="", peak=0
    )
    assert (patch.patch == GREY).all()
    assert not (compose(patch) == BOX).all(axis=2).any()


def test_channels_that_are_no_colours_stand_one_by_one():
    channels = np.zeros((2, 2, 5), np.uint8)
    channels[:] = [10, 20, 30, 40, 50]
    patch = cut_patch(
        gradient(2, 2), (slice(0, 2),) * 2, None, [], 49, name="", peak=0, channels=channels
    )
    # Five channels: three columns of 15 pixels, two apart.
    assert patch.patch[5, 5::17, 0].tolist() == [10, 20, 30]
    assert patch.patch[22, 5::17, 0].tolist() == [40, 50, 128]
    assert patch.patch[0, 15:17, 0].tolist() == [128, 128]


@pytest.fixture
def drawn():
    """A grey picture of 10 pixels with a patch at rows 2 to 5, columns 3 to 7."""
    grey = np.full((10, 10, 3), 100, np.uint8)
    strength = np.zeros((10, 10), np.float32)
    strength[9, 9] = 1
    return Patch(grey, grey, strength, (2, 3, 6, 8), "", 1.0)


def test_the_frame_is_drawn_around_the_patch(drawn):
    tile = compose(drawn)
    assert tile.shape == (10 + 2 + 10, 10, 3)
    np.testing.assert_array_equal(tile[:10], 100)
    np.testing.assert_array_equal(tile[10:12], 255)
    framed = (tile[12:] == BOX).all(axis=2)
    expected = np.zeros((10, 10), bool)
    expected[2:6, 3:8] = True
    expected[3:5, 4:7] = False
    np.testing.assert_array_equal(framed, expected)


def test_orange_where_the_unit_responds(drawn):
    below = compose(drawn)[12:].astype(int)
    # 0.85 * 100 + 20 = 105 where it is silent; three quarters of (255, 140, 0) where it is not.
    assert below[0, 0].tolist() == [105, 105, 105]
    assert below[9, 9].tolist() == [217, 131, 26]


def test_a_patch_that_is_the_whole_sample_has_no_frame(drawn):
    whole = Patch(drawn.patch, drawn.whole, drawn.strength, (0, 0, 10, 10), "", 1.0)
    assert not (compose(whole) == BOX).all(axis=2).any()


def test_without_a_map_the_sample_stands_alone(drawn):
    alone = Patch(drawn.patch, drawn.whole, None, (0, 0, 10, 10), "", 1.0)
    np.testing.assert_array_equal(compose(alone), drawn.patch)
