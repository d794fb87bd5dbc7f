"""What excites a unit: patterns planted at known places in known samples come back."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.feature_maps.excitation_blocks import compose, draw_excitation
from reportgen.subject.top_activating import Request

# Patterns of +1 and -1, sum of squares 9: a unit with one of them as its kernel gives 9 where it
# stands and, by Cauchy-Schwarz, less at any other place.
PATTERNS = np.array(
    [
        [[1, 1, 1], [-1, 1, -1], [1, -1, 1]],
        [[-1, 1, 1], [1, -1, 1], [1, 1, -1]],
        [[1, -1, -1], [1, 1, -1], [-1, -1, 1]],
    ],
    np.float32,
)
# sample: (pattern, top, left, strength); the other samples are empty. No strength is so low that
# another pattern, of which a unit sees 6 of 9 at most, could excite it more.
PLANTED = {
    5: (0, 2, 7, 1.0),
    11: (0, 4, 1, 0.875),
    17: (0, 0, 0, 0.75),
    8: (1, 3, 3, 1.0),
    21: (2, 5, 9, 1.0),
}
CHOICE = Request(layers=9, units=3, most=3, least=2, side=48)


def detect(shape, **settings):
    """A convolution whose unit c answers to ``PATTERNS[c]`` in the first channel."""
    conv = layers.Conv2D(3, 3, activation="relu", use_bias=False, name="conv", **settings)
    model = keras.Sequential(
        [
            keras.Input(shape),
            conv,
            layers.Flatten(name="flat"),
            layers.Dense(2, activation="softmax", name="out"),
        ]
    )
    kernel = np.zeros(conv.kernel.shape, np.float32)
    kernel[:, :, 0] = PATTERNS.transpose(1, 2, 0)
    conv.kernel.assign(kernel)
    return model


def plant(channels=1):
    x = np.zeros((40, 8, 12, channels), np.float32)
    for row, (pattern, top, left, strength) in PLANTED.items():
        x[row, top : top + 3, left : left + 3, 0] = strength * PATTERNS[pattern]
    return x


def by_channel(layer):
    return {unit.pick.channel: unit for unit in layer.units}


@pytest.fixture(scope="module")
def found(subject_of):
    (layer,) = subject_of(detect((8, 12, 1)), plant()).find_top_activating(CHOICE)
    return layer


def test_the_layer_says_what_it_is(found):
    assert (found.address, found.head, found.window) == ("conv", "conv", (3, 3))
    assert (len(found.units), found.units_left, found.sample) == (3, 0, (8, 12, 1))


def test_the_samples_that_excite_most_and_their_peaks(found):
    units = by_channel(found)
    first = units[0].most
    peaks = [(patch.name, patch.peak) for patch in first]
    assert peaks == [("#5", 9), ("#11", 7.875), ("#17", 6.75)]
    assert (units[1].most[0].name, units[1].most[0].peak) == ("#8", 9)
    assert (units[2].most[0].name, units[2].most[0].peak) == ("#21", 9)
    # Thirty-five empty samples peak at zero; the first of them come first.
    assert [(patch.name, patch.peak) for patch in units[0].least] == [("#0", 0), ("#1", 0)]
    assert units[0].silent == 35


@pytest.mark.parametrize("row", PLANTED)
def test_the_patch_is_the_planted_pattern(found, row):
    pattern, top, left, strength = PLANTED[row]
    patch = next(p for p in by_channel(found)[pattern].most if p.name == f"#{row}")
    shades = ((strength * PATTERNS[pattern] + 1) * 127.5).astype(np.uint8)
    np.testing.assert_array_equal(patch.patch[8::16, 8::16, 0], shades)
    # The whole sample: 12 columns of 4 pixels, 8 rows between margins of 8.
    assert patch.box == (8 + 4 * top, 4 * left, 8 + 4 * (top + 3), 4 * (left + 3))


def test_the_map_is_strongest_at_the_middle_of_the_pattern(found):
    for patch, share in zip(by_channel(found)[0].most, (1, 0.875, 0.75), strict=True):
        _, top, left, _ = PLANTED[int(patch.name[1:])]
        middle = patch.strength[8 + 4 * (top + 1) + 2, 4 * (left + 1) + 2]
        assert middle == pytest.approx(share)
        assert np.nanmax(patch.strength) == pytest.approx(share)


def test_channels_first_finds_the_same(subject_of, found):
    model = detect((1, 8, 12), data_format="channels_first")
    (layer,) = subject_of(model, plant()).find_top_activating(CHOICE)
    assert layer.window == found.window
    for mine, theirs in zip(layer.units, found.units, strict=True):
        assert mine.pick == theirs.pick
        for one, other in zip(mine.most, theirs.most, strict=True):
            assert (one.name, one.peak, one.box) == (other.name, other.peak, other.box)
            np.testing.assert_array_equal(one.patch, other.patch)


def test_patches_agree_with_the_receptive_field_and_the_maps_of_keras(subject_of):
    """Strides, dilation, "same" padding and pooling; the maps by a second model."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((20, 16, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="a")(inputs)
    x = layers.MaxPooling2D(2, 1, name="pool")(x)
    x = layers.Conv2D(5, 3, dilation_rate=2, activation="relu", name="b")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    pictures = np.random.default_rng(0).uniform(0, 1, (40, 20, 16, 3)).astype(np.float32)
    subject = subject_of(model, pictures)
    layer = subject.find_top_activating(CHOICE)[-1]
    # b sees 5 positions of the pooling, 6 of a, so 2 (6 - 1) + 3 pixels; "same" pads at the end.
    assert (layer.address, layer.window) == ("b", (13, 13))
    maps = keras.Model(inputs, model.get_layer("b").output).predict(pictures, verbose=0)
    for unit in layer.units:
        peaks = maps[..., unit.pick.channel].max(axis=(1, 2))
        expected = np.argsort(-peaks, kind="stable")[:3]
        assert [int(patch.name[1:]) for patch in unit.most] == expected.tolist()
        for row, patch in zip(expected, unit.most, strict=True):
            assert patch.peak == pytest.approx(peaks[row], rel=1e-5)
            row_of, column_of = np.unravel_index(maps[row, ..., unit.pick.channel].argmax(), (5, 3))
            rows = 2 * row_of, min(2 * row_of + 13, 20)
            columns = 2 * column_of, min(2 * column_of + 13, 16)
            # 20 x 16 pixels are drawn on 48 x 38, in the middle.
            assert patch.box[::2] == (rows[0] * 48 // 20, -(-rows[1] * 48 // 20))
            assert patch.box[1::2] == (5 + columns[0] * 38 // 16, 5 - (-columns[1] * 38 // 16))


def test_a_dense_layer_has_whole_samples_and_no_map(subject_of):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8, 12, 1)), layers.Flatten(), layers.Dense(4, name="h"), layers.Dense(1)]
    )
    subject = subject_of(model, plant())
    (layer,) = subject.find_top_activating(CHOICE)
    patch = layer.units[0].most[0]
    assert (layer.address, layer.window, patch.strength) == ("h", None, None)
    np.testing.assert_array_equal(compose(patch), patch.whole)
    (block,) = draw_excitation((layer,), 40, {})
    assert "no positions along the sample" in block.caption


def test_tokens_are_not_drawn_along_the_picture(subject_of):
    """Sixteen tokens of a 16 x 16 picture are no columns of it."""
    inputs = keras.Input((16, 16, 1))
    x = layers.Reshape((16, 16))(layers.Conv2D(16, 4, strides=4, name="patches")(inputs))
    x = layers.Dense(4, name="mixed")(layers.MultiHeadAttention(1, 4, name="mha")(x, x))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    pictures = np.random.default_rng(0).uniform(0, 1, (40, 16, 16, 1)).astype(np.float32)
    found = {e.address: e for e in subject_of(model, pictures).find_top_activating(CHOICE)}
    assert found["patches"].window == (4, 4)
    assert found["patches"].units[0].most[0].strength is not None
    assert all(patch.strength is None for unit in found["mixed"].units for patch in unit.most)


def test_five_channels_are_cut_one_by_one(subject_of):
    (layer,) = subject_of(detect((8, 12, 5)), plant(5)).find_top_activating(CHOICE)
    patch = by_channel(layer)[0].most[0]
    # The first of three columns of (48 + 2) // 3 - 2 = 14 pixels holds the pattern, -1 to 1.
    shades = ((PATTERNS[0] + 1) * 127.5).astype(np.uint8)
    np.testing.assert_array_equal(patch.patch[2:14:5, 2:14:5, 0], shades)
    # The other channels are zero, half of the range.
    assert (patch.patch[:14, 16:30] == 127).all()
    (block,) = draw_excitation((layer,), 40, {})
    assert "5 channels are drawn one by one" in block.caption


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_a_sequence_has_a_row_a_channel(subject_of, order):
    pattern = np.array([1, -1, 1, 1], np.float32)
    x = np.zeros((40, 30, 2), np.float32)
    x[7, 12:16, 1] = pattern
    x[3, 20:24, 1] = 0.5 * pattern
    conv = layers.Conv1D(1, 4, activation="relu", use_bias=False, name="c", data_format=order)
    shape = (30, 2) if order == "channels_last" else (2, 30)
    pool = layers.GlobalMaxPooling1D(data_format=order)
    model = keras.Sequential([keras.Input(shape), conv, pool, layers.Dense(2, "softmax")])
    kernel = np.zeros((4, 2, 1), np.float32)
    kernel[:, 1, 0] = pattern
    conv.kernel.assign(kernel)
    given = x if order == "channels_last" else x.transpose(0, 2, 1)
    (layer, *_) = subject_of(model, given).find_top_activating(CHOICE)
    first, second, _ = layer.units[0].most
    assert [(p.name, p.peak) for p in (first, second)] == [("#7", 4), ("#3", 2)]
    assert layer.window == (4,)
    # Two rows of 24 pixels; -1, 0, 1 become 0, 127, 255.
    np.testing.assert_array_equal(first.patch[36, 6::12, 0], [255, 0, 255, 255])
    np.testing.assert_array_equal(first.patch[12, 6::12, 0], 127)
    assert first.box[1::2] == (12 * 48 // 30, -(-16 * 48 // 30))
    (block, *_) = draw_excitation((layer,), 40, {})
    assert "at most 4 steps" in block.caption
    assert "A row is a channel" in block.caption


@pytest.mark.parametrize("shape", [(6,), (4, 5, 5, 2)])
def test_samples_without_a_flat_picture_give_nothing(subject_of, shape):
    model = keras.Sequential(
        [keras.Input(shape), layers.Flatten(), layers.Dense(3, "relu"), layers.Dense(1)]
    )
    x = np.random.default_rng(0).normal(size=(40, *shape)).astype(np.float32)
    assert subject_of(model, x).find_top_activating(CHOICE) == ()


def test_the_blocks_say_what_is_drawn(found):
    arrays = {}
    (block,) = draw_excitation((found,), 40, arrays)
    assert block.title == "What excites conv"
    assert "at most 3 × 3 pixels" in block.caption
    assert "more units" not in block.caption
    panel = next(p for p in block.panels if p.title == "unit 0")
    assert panel.note.endswith("peak 9, least 0; never above zero on 35 of 40")
    tiles = arrays[panel.tiles.split("/")[1]]
    assert tiles.shape == (5, 48 + 2 + 48, 4 + 48, 3)
    # A bar stands before the fourth tile, the first of the least exciting ones.
    dark = (tiles[:, :, :2] == 60).all(axis=(1, 2, 3))
    assert dark.tolist() == [False, False, False, True, False]


def test_a_unit_that_peaks_alike_everywhere_says_so(subject_of):
    model = detect((8, 12, 1))
    model.get_layer("conv").activation = lambda x: keras.ops.minimum(keras.ops.relu(x), 1.0)
    x = np.tile(plant()[5:6], (40, 1, 1, 1))
    x[:, 6, 0] = np.linspace(0, 0.1, 40)[:, None]
    (layer,) = subject_of(model, x).find_top_activating(CHOICE)
    (block,) = draw_excitation((layer,), 40, {})
    notes = {panel.title: panel.note for panel in block.panels}
    assert "every sample peaks at 1, so their order says nothing" in notes["unit 0"]


def test_nothing_is_drawn_for_no_layers(subject_of):
    subject = subject_of(detect((8, 12, 1)), plant())
    assert subject.find_top_activating(replace(CHOICE, layers=0)) == ()
    assert draw_excitation((), 40, {}) == []
