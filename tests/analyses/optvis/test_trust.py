"""The mark against Spearman's correlation of scipy, closed forms and a fooling circuit."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers
from scipy.stats import spearmanr

from reportgen.analyses.optvis.natural import Responses, choose_path, lies_above, read_natural
from reportgen.analyses.optvis.trust import Asked, judge_trust, list_top
from reportgen.config import load_config
from reportgen.subject.subject import open_subject
from reportgen.subject.top_activating.choice import choose_unit_layers, choose_units

from .conftest import read_pictures

ORDER = np.arange(12, dtype=np.float32)


def responses(**means):
    count = len(next(iter(means.values())))
    means = {name: np.asarray(values, np.float32) for name, values in means.items()}
    return Responses(means, {}, np.arange(count), np.ones(count, bool))


def opposite(rng, channels=12):
    """40 samples: the first 10 excite unit 0 and rank the path's channels up, the others down."""
    unit = np.r_[10 - np.arange(10) / 10, np.zeros(30)][:, None]
    path = np.where(unit > 0, ORDER[:channels], ORDER[:channels][::-1])
    return responses(unit=unit, path=path + rng.uniform(0, 0.4, (40, channels)))


def one(pictures, path=("path",)):
    return [Asked("unit", 0, path, np.arange(pictures))]


@pytest.fixture
def natural():
    return opposite(np.random.default_rng(0))


@pytest.mark.parametrize(("share", "mark"), [(1, "natural"), (0.6, "natural"), (-1, "own way")])
def test_a_value_by_hand(natural, share, mark):
    """Upper is 1 and lower -1, so the value of a picture is (1 + its correlation) / 2."""
    rng = np.random.default_rng(2)
    picture = ORDER if share == 1 else ORDER[::-1]
    if share == 0.6:
        while abs(spearmanr(picture, ORDER)[0] - share) > 0.05:
            picture = rng.permutation(ORDER)
    (found,) = judge_trust(natural, responses(unit=[[9]], path=[picture]), one(1))
    layer = found.layers[0]
    rho = spearmanr(picture, ORDER)[0]
    assert (layer.upper, layer.lower) == (pytest.approx(1), pytest.approx(-1))
    assert layer.similarity == pytest.approx(rho)
    assert found.value == pytest.approx((1 + rho) / 2)
    assert found.mark == mark
    assert found.departs == (None if mark == "natural" else "path")


def test_correlations_are_those_of_scipy_with_ties():
    rng = np.random.default_rng(1)
    path = np.maximum(rng.normal(size=(40, 20)), 0)  # half of the values are ties at zero
    path[:10] += ORDER[5] * (np.arange(20) > 9)
    natural = responses(unit=np.r_[10 - np.arange(10), np.zeros(30)][:, None], path=path)
    picture = rng.normal(size=20)
    (found,) = judge_trust(natural, responses(unit=[[9]], path=[picture]), one(1))
    top = natural.means["path"][list_top(natural, "unit", 0)].astype(float)
    layer = found.layers[0]
    by_scipy = [spearmanr(picture, row)[0] for row in top]
    pairs = [spearmanr(a, b)[0] for i, a in enumerate(top) for b in top[:i]]
    others = [spearmanr(a, b)[0] for a in natural.means["path"][10:].astype(float) for b in top]
    assert layer.similarity == pytest.approx(np.mean(by_scipy))
    assert layer.upper == pytest.approx(np.mean(pairs))
    assert layer.lower == pytest.approx(np.mean(others))
    assert layer.low <= layer.value <= layer.high


def test_the_value_of_several_pictures_is_their_mean(natural):
    pictures = responses(unit=[[9], [9]], path=[ORDER, ORDER[::-1]])
    (found,) = judge_trust(natural, pictures, one(2))
    assert found.pictures == pytest.approx([1, 0])
    assert found.value == pytest.approx(0.5)


def test_the_interval_is_as_wide_as_new_samples_move_the_value():
    """Four causes in 24 channels; the unit reads the first; 150 draws of 80 samples, one picture.

    The interval is bootstrapped from one draw each: the mean of its half widths is 1.96 deviations
    of the values, here to a quarter (150 draws know a deviation to 6 %, and both tails are heavy).
    """
    rng = np.random.default_rng(8)
    mix = rng.normal(size=(4, 24))
    picture = responses(unit=[[9]], path=np.maximum(np.array([[2.0, 3.0, 0, 0]]) @ mix, 0))
    values, halves = [], []
    for _ in range(150):
        causes = rng.normal(size=(80, 4))
        natural = responses(unit=causes[:, :1], path=np.maximum(causes @ mix, 0))
        (found,) = judge_trust(natural, picture, one(1))
        values.append(found.value)
        halves.append((found.high - found.low) / 2)
    assert np.nanmean(halves) == pytest.approx(1.96 * np.nanstd(values), rel=0.25)


def test_a_layer_where_strong_samples_are_like_others_tells_nothing():
    rng = np.random.default_rng(3)
    natural = responses(unit=rng.normal(size=(60, 1)), path=rng.normal(size=(60, 30)))
    (found,) = judge_trust(natural, responses(unit=[[9]], path=rng.normal(size=(1, 30))), one(1))
    assert (found.mark, found.why) == ("unclear", "cannot be told")
    assert not found.layers[0].told
    assert np.isnan(found.value)


def test_thin_layers_do_not_count():
    natural = opposite(np.random.default_rng(0), channels=7)
    (found,) = judge_trust(natural, responses(unit=[[9]], path=[ORDER[:7][::-1]]), one(1))
    assert (found.mark, found.why, found.layers[0].channels) == ("unclear", "cannot be told", 7)


def test_a_first_layer_and_few_samples_are_said(natural):
    pictures = responses(unit=[[9]], path=[ORDER])
    assert judge_trust(natural, pictures, one(1, ()))[0].why == "first layer"
    few = take(natural, np.arange(5, 20))
    assert judge_trust(few, pictures, one(1))[0].why == "few samples"


def test_thin_layers_below_are_not_called_nothing(natural):
    """As of LeNet, whose second convolution lies above one of six channels."""
    pictures = responses(unit=[[9]], path=[ORDER])
    asked = replace(one(1, ())[0], above=True)
    (found,) = judge_trust(natural, pictures, [asked])
    assert (found.mark, found.why) == ("unclear", "thin layers")


def test_layers_below_are_found_whatever_their_width(subject_of):
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(2, 3, activation="relu", name="thin"),
            layers.MaxPooling2D(),
            layers.Conv2D(9, 3, activation="relu", name="wide"),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )
    subject = subject_of(model, np.random.default_rng(0).uniform(size=(20, 12, 12, 1)))
    assert choose_path(subject, "wide") == ()
    assert lies_above(subject, "wide")
    assert not lies_above(subject, "thin")


def test_samples_that_leave_the_unit_silent_are_not_among_its_strongest(natural):
    """A quarter of 40 are 10, and 10 excite it; of a unit that 3 excite, only these."""
    assert list_top(natural, "unit", 0).tolist() == list(range(10))
    natural.means["unit"][3:] = 0
    assert list_top(natural, "unit", 0).tolist() == [0, 1, 2]
    natural.means["unit"][:] = np.nan
    assert len(list_top(natural, "unit", 0)) == 0


def test_a_picture_that_is_not_finite_is_told_from_the_others(natural):
    path = np.stack([ORDER, ORDER])
    path[1, 3] = np.nan
    pictures = responses(unit=[[9], [9]], path=path)
    (found,) = judge_trust(natural, pictures, one(2))
    assert found.mark == "natural"
    assert np.isnan(found.pictures).tolist() == [False, True]
    (alone,) = judge_trust(natural, pictures, [Asked("unit", 0, ("path",), np.array([1]))])
    assert (alone.mark, alone.why) == ("unclear", "not finite")


def test_the_first_layer_that_departs_is_named():
    rng = np.random.default_rng(0)
    natural = opposite(rng)
    for name in ("a", "b", "c"):
        natural.means[name] = opposite(rng).means["path"]
    pictures = responses(unit=[[9]], a=[ORDER], b=[ORDER[::-1]], c=[ORDER[::-1]])
    (found,) = judge_trust(natural, pictures, one(1, ("a", "b", "c")))
    assert (found.mark, found.departs) == ("own way", "b")
    assert [round(layer.value) for layer in found.layers] == [1, 0, 0]


def test_a_mark_does_not_depend_on_which_others_are_asked(natural):
    natural.means["unit"] = np.c_[natural.means["unit"], natural.means["unit"][::-1]]
    pictures = responses(unit=[[9, 9]] * 2, path=[np.roll(ORDER, 2), ORDER[::-1]])
    asked = [*one(1), Asked("unit", 1, ("path",), np.array([1]))]
    together = judge_trust(natural, pictures, asked, seed=4)
    alone = judge_trust(natural, pictures, asked[:1], seed=4)
    again = judge_trust(natural, pictures, asked, seed=4)
    for other in (alone, again):
        assert other[0].value == pytest.approx(together[0].value, abs=1e-12)
        assert (other[0].low, other[0].high) == pytest.approx((together[0].low, together[0].high))


def test_nothing_asked_and_units_without_pictures(natural):
    pictures = responses(unit=[[9]], path=[ORDER])
    assert judge_trust(natural, pictures, []) == ()
    (found,) = judge_trust(natural, pictures, one(0))
    assert (found.mark, found.pictures.shape) == ("unclear", (0,))


# A fooling circuit (Geirhos et al., figure 3): units answer to real samples by one set of channels,
# and more strongly to what no real sample has by another, which shuts the first.
KINDS, HALF = 6, 12


@pytest.fixture(scope="module")
def fooling(subject_of):
    rng = np.random.default_rng(0)
    prototypes = rng.uniform(0, 1, (KINDS, HALF)) * (rng.uniform(size=(KINDS, HALF)) < 0.5)
    kinds = rng.integers(0, KINDS, 120)
    x = np.zeros((120, 4, 4, 2 * HALF), np.float32)
    x[..., :HALF] = prototypes[kinds][:, None, None] + rng.uniform(0, 0.3, (120, 4, 4, HALF))
    inputs = keras.Input((4, 4, 2 * HALF))
    y = inputs
    for name, width in (("seen", 2 * HALF), ("gate", 2 * HALF), ("unit", KINDS)):
        y = layers.Conv2D(width, 1, activation="relu", use_bias=False, name=name)(y)
    y = layers.Dense(2, activation="softmax", name="out")(layers.GlobalAveragePooling2D()(y))
    model = keras.Model(inputs, y)
    gate = np.eye(2 * HALF)
    gate[HALF:, :HALF] = -50  # what no real sample has shuts the path of real samples
    tuned = prototypes - prototypes.mean(axis=0)
    units = np.concatenate([tuned.T, rng.uniform(1, 2, (HALF, KINDS))])
    for name, kernel in (("seen", np.eye(2 * HALF)), ("gate", gate), ("unit", units)):
        model.get_layer(name).set_weights([kernel[None, None].astype(np.float32)])
    return subject_of(model, x, kinds % 2, preprocessing="none")


def take(found, rows):
    means = {name: values[rows] for name, values in found.means.items()}
    return Responses(means, {}, found.rows[rows], found.drawn[rows])


def judge_images(subject, channel, images, without):
    """The mark of each image as the picture of a unit, with real samples but one."""
    path = choose_path(subject, "unit")
    assert path == ("seen", "gate")
    found = read_natural(subject, [*path, "unit"], most=200, rng=np.random.default_rng(0))
    rest = take(found, np.delete(np.arange(120), without))
    pictures = read_pictures(subject, images, [*path, "unit"])
    asked = [Asked("unit", channel, path, np.array([i])) for i in range(len(images))]
    return found, pictures, judge_trust(rest, pictures, asked)


@pytest.mark.parametrize("channel", range(KINDS))
def test_a_picture_by_a_path_that_no_sample_takes_goes_its_own_way(fooling, channel):
    means = read_natural(fooling, ["unit"], most=200, rng=np.random.default_rng(0)).means["unit"]
    best = int(means[:, channel].argsort()[-5])
    fooled = np.zeros((1, 4, 4, 2 * HALF), np.float32)
    fooled[..., HALF:] = 1
    images = np.concatenate([fooled, fooling.inputs(np.array([best]))])
    natural, pictures, (mark, held_out) = judge_images(fooling, channel, images, best)
    assert pictures.means["unit"][0, channel] > 2 * natural.means["unit"][:, channel].max()
    assert (mark.mark, mark.departs) == ("own way", "seen")
    assert held_out.mark == "natural"
    assert held_out.departs is None


@pytest.mark.real
def test_real_samples_are_natural_and_noise_is_not(real):
    """The CIFAR network: three held-out samples of each of 30 units, and noise."""
    given = {"images": real / "images/cifar10_test", "preprocessing": "none"}
    config = load_config(real / "models/mlcommons_tiny/pretrainedResnet.h5", given)
    subject = open_subject(config)
    chosen = choose_unit_layers(subject.census, 6)[1:]
    paths = {layer.address: choose_path(subject, layer.address) for layer in chosen}
    wanted = dict.fromkeys([a for address, path in paths.items() for a in (*path, address)])
    found = read_natural(subject, wanted, most=200, rng=np.random.default_rng(0))
    pixels = np.random.default_rng(1).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
    noise = read_pictures(subject, pixels, wanted)
    held_out, made = [], []
    for layer in chosen:
        for pick in choose_units(layer, 6, subject.labels.classes):
            path, channel = paths[layer.address], pick.channel
            asked = [Asked(layer.address, channel, path, np.array([0]))]
            made += [t.mark for t in judge_trust(found, noise, asked)]
            for row in found.strongest(layer.address, channel, 8)[[0, 3, 7]]:
                rest = take(found, np.delete(np.arange(200), row))
                held_out += [t.mark for t in judge_trust(rest, take(found, [row]), asked)]
    assert (len(made), len(held_out)) == (30, 90)
    # Measured over more draws: natural .67, own way .01; a binomial's three deviations are .15.
    assert held_out.count("own way") <= 4
    assert held_out.count("natural") >= 47
    assert made.count("natural") <= 1  # measured: .01
    assert made.count("own way") >= 12  # measured: .64, and .26 are three deviations
