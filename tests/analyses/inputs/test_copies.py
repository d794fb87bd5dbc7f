"""Copies that were planted: identical, resaved, with two labels, and of the training."""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image, ImageFilter

from reportgen.subject.near_copies import find_near, hash_pictures, is_same

DUPLICATES, LEAK = "inputs.duplicates", "inputs.leak"


def photographs(count, seed, side=48):
    """Soft coloured shapes, no two alike, ``(n, side, side, 3)`` uint8."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        small = Image.fromarray(rng.integers(0, 256, (6, 6, 3)).astype(np.uint8))
        large = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), np.float64)
        made.append(np.clip(large + rng.normal(0, 4, large.shape), 0, 255))
    return np.array(made).astype(np.uint8)


def resave(picture, quality=60):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


@pytest.fixture(scope="module")
def model():
    parts = [keras.Input((48, 48, 3)), layers.AveragePooling2D(24), layers.Flatten()]
    return keras.Sequential([*parts, layers.Dense(3, activation="softmax")])


@pytest.fixture(scope="module")
def samples():
    return photographs(200, 1), np.arange(200) % 3


def with_copies(samples, share, *, change=lambda picture: picture, other_label=False):
    """The same with copies of the first ones at the end."""
    x, y = samples
    count = int(share * len(x))
    copies = np.array([change(picture) for picture in x[:count]])
    labels = (y[:count] + 1) % 3 if other_label else y[:count]
    return np.concatenate([x, copies]), np.concatenate([y, labels])


def look(analyse, subject_of, model, x, y, **settings):
    options = settings.pop("options", {})
    return analyse("inputs", subject_of(model, x, y, preprocessing="unit", **settings), **options)


def test_no_two_samples_are_the_same(analyse, subject_of, model, samples):
    found = look(analyse, subject_of, model, *samples)
    assert found.levels[DUPLICATES] == "pass"
    assert "or nearly so" in found.findings[DUPLICATES].message
    assert found.levels[LEAK] == "not_applicable"
    assert "--train" in found.findings[LEAK].message


@pytest.mark.parametrize(("limit", "level"), [(0.01, "warn"), (0.2, "note")])
def test_identical_samples(analyse, subject_of, model, samples, limit, level):
    x, y = (np.concatenate([part, part[:3], part[:1]]) for part in samples)
    options = {"max_duplicate_share": limit}
    found = look(analyse, subject_of, model, x, y, options=options)
    groups = found.result.copies.groups
    assert sorted(len(group.names) for group in groups) == [2, 2, 3]
    assert groups[0].names == ("#0", "#200", "#203")
    finding = found.findings[DUPLICATES]
    assert (finding.level, finding.value) == (level, pytest.approx(4 / 204))


@pytest.mark.parametrize("seed", range(3))
def test_five_percent_with_two_labels(analyse, subject_of, model, seed):
    x, y = photographs(200, seed), np.arange(200) % 3
    found = look(analyse, subject_of, model, *with_copies((x, y), 0.05, other_label=True))
    finding = found.findings[DUPLICATES]
    assert finding.level == "warn"
    assert "Copies have different labels in 10 groups" in finding.message
    (grid,) = [block for block in found.body.blocks if block.id == "inputs-copies-pictures"]
    assert found.body.arrays["copies"].shape == (16, 48, 48, 3)
    assert {label.tone for label in grid.panels[0].labels} == {"bad"}


CHANGES = {
    "JPEG": resave,
    "resized": lambda p: np.asarray(
        Image.fromarray(p).resize((34, 34), Image.Resampling.BICUBIC).resize((48, 48))
    ),
    "blurred": lambda p: np.asarray(Image.fromarray(p).filter(ImageFilter.GaussianBlur(0.7))),
    "brighter": lambda p: np.clip(p * 1.03 + 2, 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nearly_identical_pictures(analyse, subject_of, model, samples, change):
    x, y = with_copies(samples, 0.05, change=CHANGES[change])
    found = look(analyse, subject_of, model, x, y)
    assert found.levels[DUPLICATES] == "note"
    groups = found.result.copies.groups
    assert not any(group.identical for group in groups)
    assert {group.names for group in groups} == {(f"#{i}", f"#{200 + i}") for i in range(10)}
    x, y = with_copies(samples, 0.05, change=CHANGES[change], other_label=True)
    assert look(analyse, subject_of, model, x, y).levels[DUPLICATES] == "warn"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("change", [lambda picture: picture, resave], ids=["same", "resaved"])
def test_a_leak_of_ten_percent(analyse, model, seed, change):
    from reportgen.config import AuditConfig
    from reportgen.subject.subject import LiveInput, open_subject

    x, y = photographs(200, seed), np.arange(200) % 3
    train = photographs(300, 100 + seed)
    train[40:60] = np.array([change(picture) for picture in x[:20]])
    live = LiveInput(model, x, y, train=(train, np.arange(300) % 3))
    found = analyse("inputs", open_subject(AuditConfig(preprocessing="unit"), live))
    finding = found.findings[LEAK]
    assert (finding.level, finding.value) == ("warn", 0.1)
    twins = {(leak.name, leak.training) for leak in found.result.copies.leaks}
    assert twins == {(f"#{i}", f"#{40 + i}") for i in range(20)}
    assert "The first: #0 is #40." in finding.message
    sound = LiveInput(model, x, y, train=(photographs(300, 200 + seed), np.arange(300) % 3))
    found = analyse("inputs", open_subject(AuditConfig(preprocessing="unit"), sound))
    assert found.levels[LEAK] == "pass"


def test_unlike_pictures_are_never_near():
    """Of 300 soft pictures 44,850 pairs: none is called the same."""
    pictures = photographs(300, 9)
    hashed = (pictures, *hash_pictures(pictures, ""))
    assert [(i, j) for i, j in find_near(hashed, hashed) if i < j] == []


def test_an_even_picture_is_compared_with_nothing():
    even = np.full((2, 48, 48, 3), 90, np.uint8)
    even[1] += 1
    _, usable = hash_pictures(even, "")
    assert not usable.any()
    assert not is_same(even[0], even[1])  # neither varies


def test_a_few_numbers_that_coincide_are_no_copies(analyse, subject_of):
    network = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    found = analyse("inputs", subject_of(network, np.zeros((9, 2), np.float32), np.zeros(9) + 0.5))
    for check in (DUPLICATES, LEAK):
        assert found.levels[check] == "not_applicable"
        assert "coincide by nature" in found.findings[check].message


def test_small_pictures_are_compared_by_their_bytes(analyse, subject_of, colourful, seen):
    x, y = (np.concatenate([part, part[:4]]) for part in seen)
    found = look(analyse, subject_of, colourful, x, y)
    assert found.findings[DUPLICATES].value == pytest.approx(4 / 304)
    assert not found.result.copies.near
