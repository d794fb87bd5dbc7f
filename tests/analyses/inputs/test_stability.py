"""Changes of pictures against other implementations; flips that were planted; sound silence."""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest
from keras import layers
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image

from reportgen.analyses.inputs.stability import MILD, list_strengths, make_change
from reportgen.subject.corruptions import (
    CORRUPTIONS,
    STRENGTHS,
    as_grey_values,
    shift,
    strengths_of,
)

ID = "predictions.unstable"
RNG = np.random.default_rng(0)
PICTURES = RNG.random((3, 20, 24, 3)).astype(np.float32)
PICTURES[0, :4] = 0  # black has no hue
ONE_GREY_VALUE = 1


def corrupted(kind, strength, pictures=PICTURES):
    return as_grey_values(CORRUPTIONS[kind](pictures, strength, np.random.default_rng(1)))


def test_every_corruption_has_five_strengths():
    assert set(STRENGTHS) == set(CORRUPTIONS)
    for kind in STRENGTHS:
        assert [len(part) for part in STRENGTHS[kind]] == [5, 5]
        assert strengths_of(kind, (64, 64)) == STRENGTHS[kind][0]
        assert strengths_of(kind, (64, 65)) == STRENGTHS[kind][1]


def blurred_by_hand(picture, sigma):
    """A kernel of four deviations to each side, along rows and then columns, in float64."""
    reach = int(4 * sigma + 0.5)
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    made = picture.astype(np.float64)
    for axis in (0, 1):
        padded = np.pad(made, [(reach, reach) if i == axis else (0, 0) for i in range(3)], "edge")
        made = np.apply_along_axis(np.convolve, axis, padded, weights, "valid")
    return made


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0])
def test_blur_against_a_kernel_by_hand(sigma):
    expected = np.stack([blurred_by_hand(picture, sigma) for picture in PICTURES])
    apart = corrupted("blur", sigma).astype(int) - np.rint(expected * 255).astype(int)
    assert np.abs(apart).max() <= ONE_GREY_VALUE


@pytest.mark.parametrize("strength", [0.05, 0.3, 0.5])
def test_brightness_against_matplotlib(strength):
    hsv = rgb_to_hsv(PICTURES.astype(np.float64))
    hsv[..., 2] = np.clip(hsv[..., 2] + strength, 0, 1)
    apart = corrupted("brightness", strength).astype(int) - np.rint(hsv_to_rgb(hsv) * 255)
    assert np.abs(apart).max() <= ONE_GREY_VALUE


@pytest.mark.parametrize("strength", [0.75, 0.05])
def test_contrast_against_pillow_on_grey_pictures(strength):
    """Pillow blends with the rounded mean of the picture."""
    from PIL import ImageEnhance

    grey = np.repeat(PICTURES[..., :1], 3, axis=-1)
    for picture, made in zip(grey, corrupted("contrast", strength, grey), strict=True):
        image = Image.fromarray(as_grey_values(picture[..., 0]))
        expected = np.asarray(ImageEnhance.Contrast(image).enhance(strength)).astype(int)
        # Pillow cuts where we round, after a mean that it rounds as well.
        assert np.abs(made[..., 0] - expected).max() <= 2 * ONE_GREY_VALUE


def test_jpeg_is_pillows():
    made = corrupted("JPEG", 18)
    for picture, found in zip(PICTURES, made, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(as_grey_values(picture)).save(buffer, "JPEG", quality=18)
        np.testing.assert_array_equal(found, np.asarray(Image.open(buffer)))
    grey = corrupted("JPEG", 18, PICTURES[..., :1])
    assert grey.shape == (3, 20, 24, 1)


def test_noise_has_its_deviation():
    even = np.full((1, 200, 200, 3), 0.5, np.float32)
    made = CORRUPTIONS["noise"](even, 0.08, np.random.default_rng(2))
    # 120,000 draws know a deviation to .2 %.
    assert (made - even).std() == pytest.approx(0.08, rel=0.01)
    assert (made - even).mean() == pytest.approx(0, abs=0.001)


def test_a_shift_moves_every_picture_and_repeats_its_border():
    pixels = np.arange(2 * 9 * 9, dtype=np.uint8).reshape(2, 9, 9, 1)
    seen = set()
    for seed in range(60):
        for picture, moved in zip(
            pixels, shift(pixels, 2, np.random.default_rng(seed)), strict=True
        ):
            (fits,) = (
                (down, right)
                for down in (-2, 0, 2)
                for right in (-2, 0, 2)
                if (down or right)
                and np.array_equal(
                    np.pad(picture, ((2, 2), (2, 2), (0, 0)), "edge")[
                        2 - down : 11 - down, 2 - right : 11 - right
                    ],
                    moved,
                )
            )
            seen.add(fits)
    assert len(seen) == 8


def test_shifts_are_small_beside_the_picture():
    assert list_strengths("shift", (8, 8)) == (1.0,)
    assert list_strengths("shift", (32, 28)) == (1.0, 2.0, 3.0)
    assert list_strengths("shift", (224, 224)) == (1.0, 2.0, 3.0, 4.0)
    assert list_strengths("shift", (5, 5)) == (1.0,)


def test_what_is_judged_is_mild_whatever_the_size():
    """Of large pictures the first step of ImageNet-C is a JPEG of quality 25: anybody sees that."""
    for sides in ((32, 32), (224, 224)):
        for kind, strength in MILD.items():
            assert list_strengths(kind, sides)[0] == strength
    assert list_strengths("JPEG", (224, 224)) == (80, 25, 18, 15, 10, 7)
    assert list_strengths("JPEG", (32, 32)) == (80, 65, 58, 50, 40)
    assert list_strengths("noise", (224, 224)) == (0.02, *STRENGTHS["noise"][1])
    assert list_strengths("blur", (224, 224)) == STRENGTHS["blur"][1]


@pytest.mark.parametrize("kind", ["noise", "shift", "JPEG"])
def test_a_change_does_not_depend_on_the_batch(kind):
    pixels = as_grey_values(PICTURES)
    strength = list_strengths(kind, (20, 24))[0]
    change = make_change(kind, strength, 1.0, 7)
    whole = change(pixels, np.array([4, 9, 11]))
    np.testing.assert_array_equal(change(pixels[1:], np.array([9, 11])), whole[1:])
    assert whole.max() > 1  # in the unit of the samples
    # Of fractions the same, in their unit.
    fractions = make_change(kind, strength, 255.0, 7)(pixels / 255, np.array([4, 9, 11]))
    np.testing.assert_allclose(fractions * 255, whole, atol=1e-3)


def test_a_sound_network_is_silent(colourful, seen, subject_of, analyse):
    subject = subject_of(colourful, *seen, preprocessing="unit")
    found = analyse("inputs", subject, changed_samples=200)
    assert found.levels[ID] == "pass"
    curves = {curve.kind: curve for curve in found.result.stability.curves}
    assert set(MILD) < set(curves)
    # Of ten pixels one is a tenth: that is shown and not judged.
    assert [kind for kind, curve in curves.items() if curve.judged] == [
        "noise",
        "brightness",
        "JPEG",
    ]
    assert curves["noise"].flips[0] <= curves["noise"].flips[-1]
    assert found.result.stability.samples == 200


@pytest.fixture(scope="module")
def brittle():
    """Answers by which of two pixels is brighter: any shift puts two others there."""
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    kernel = np.zeros((16, 16, 3, 2), np.float32)
    kernel[4, 4, 0] = 100, -100
    kernel[5, 5, 0] = -100, 100
    model.set_weights([kernel.reshape(768, 2), np.zeros(2, np.float32)])
    return model


def test_a_network_that_looks_at_two_pixels_flips(brittle, subject_of, analyse):
    x = np.random.default_rng(4).integers(0, 256, (200, 16, 16, 3)).astype(np.uint8)
    y = (x[:, 5, 5, 0] > x[:, 4, 4, 0]).astype(int)
    found = analyse("inputs", subject_of(brittle, x, y, preprocessing="unit"), changed_samples=200)
    finding = found.findings[ID]
    assert finding.level == "warn"
    # Other pixels are as bright or darker by chance: half of the answers flip.
    assert finding.value == pytest.approx(0.5, abs=0.11)
    assert "moved by 1 pixel" in finding.message
    stability = found.result.stability
    assert len(stability.flipped) == 6
    assert stability.pictures.shape == (12, 16, 16, 3)
    assert found.body.arrays["flipped"].dtype == np.uint8
    for one in stability.flipped:
        assert one.before != one.after
        assert one.kind in MILD


def test_unlabelled_samples_flip_as_well(brittle, subject_of, analyse):
    x = np.random.default_rng(4).integers(0, 256, (60, 16, 16, 3)).astype(np.uint8)
    found = analyse("inputs", subject_of(brittle, x, preprocessing="unit"), changed_samples=60)
    assert found.levels[ID] == "warn"
    assert all(curve.right is None for curve in found.result.stability.curves)


def test_the_mirror_is_not_judged(subject_of, analyse):
    """An answer by left against right: every mirrored picture flips, none moved by a pixel does."""
    model = keras.Sequential(
        [keras.Input((16, 16, 1)), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    kernel = np.zeros((16, 16, 1, 2), np.float32)
    kernel[:, :8, 0], kernel[:, 8:, 0] = (1, -1), (-1, 1)
    model.set_weights([kernel.reshape(256, 2), np.zeros(2, np.float32)])
    x = np.zeros((60, 16, 16, 1), np.uint8)
    x[::2, 3:9, 2:5], x[1::2, 3:9, 11:14] = 200, 200
    subject = subject_of(model, x, np.arange(60) % 2, preprocessing="unit")
    found = analyse("inputs", subject, changed_samples=60)
    curves = {curve.kind: curve for curve in found.result.stability.curves}
    assert curves["mirror"].flips == (60,)
    assert found.levels[ID] == "pass"


class Noisy(layers.Layer):
    """Answers otherwise each time."""

    def call(self, x):
        return x + 5 * keras.random.normal(keras.ops.shape(x))


def test_answers_at_random_are_no_flips(seen, subject_of, analyse):
    image = keras.Input((10, 10, 3))
    model = keras.Model(image, layers.Softmax()(Noisy()(layers.Dense(4)(layers.Flatten()(image)))))
    found = analyse("inputs", subject_of(model, *seen, preprocessing="unit"), changed_samples=100)
    assert found.levels[ID] == "not_applicable"
    assert "at random" in found.findings[ID].message


def test_transparency_is_no_colour():
    pictures = np.random.default_rng(0).integers(0, 200, (2, 20, 20, 4)).astype(np.float32)
    pictures[..., 3] = 255
    for kind, strength in (("brightness", 0.3), ("blur", 1.0), ("noise", 0.1), ("JPEG", 50)):
        made = make_change(kind, strength, 1.0, 3)(pictures, np.array([0, 1]))
        np.testing.assert_array_equal(made[..., 3], 255)
        assert np.abs(made[..., :3] - pictures[..., :3]).mean() > 1
