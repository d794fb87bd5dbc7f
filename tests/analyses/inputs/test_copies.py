"""Copies that were planted: identical, resaved, with two labels, and of the training."""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image, ImageFilter

from reportgen.subject.near_copies import are_same, find_near, look_at

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
    assert "the first: #0 is #40." in finding.message
    sound = LiveInput(model, x, y, train=(photographs(300, 200 + seed), np.arange(300) % 3))
    found = analyse("inputs", open_subject(AuditConfig(preprocessing="unit"), sound))
    assert found.levels[LEAK] == "pass"


def test_unlike_pictures_are_never_near():
    """Of 300 soft pictures 44,850 pairs: none is called the same."""
    seen = look_at(photographs(300, 9), "")
    pairs, whole = find_near(seen, seen)
    assert whole
    assert not len(pairs)


def test_one_scene_with_other_things_in_it_is_no_copy():
    """A fixed camera: the same background, another noise, and a small mark that is the class."""
    rng = np.random.default_rng(0)
    scene = photographs(1, 3)[0].astype(np.float32)
    shots = np.clip(scene + rng.normal(0, 3, (60, *scene.shape)), 0, 255)
    for i, shot in enumerate(shots):
        top, left = rng.integers(0, 40, 2)
        shot[top : top + 6, left : left + 6] = [[230, 30, 30], [30, 30, 230]][i % 2]
    seen = look_at(shots.astype(np.uint8), "")
    pairs, _ = find_near(seen, seen)
    assert len(pairs) < 5  # two marks may lie in the same place


def test_time_that_is_over_is_said():
    seen = look_at(np.repeat(photographs(1, 3), 50, axis=0), "")
    pairs, whole = find_near(seen, seen, deadline=0)
    assert (len(pairs), whole) == (0, False)


def test_an_even_picture_is_compared_with_nothing():
    even = np.full((2, 48, 48, 3), 90, np.uint8)
    even[1] += 1
    seen = look_at(even, "")
    assert not seen.usable.any()
    assert not are_same(seen.blocks[:1], seen.blocks[1:]).any()  # neither varies


def test_the_type_that_numbers_are_stored_in_makes_no_difference(analyse, colourful, seen):
    """A leak is one also where the training is kept as floats."""
    from reportgen.config import AuditConfig
    from reportgen.subject.subject import LiveInput, open_subject

    x, y = seen
    live = LiveInput(colourful, x.astype(np.float32), y, train=(x[:30], y[:30]))
    found = analyse("inputs", open_subject(AuditConfig(preprocessing="unit"), live))
    assert found.findings[LEAK].value == pytest.approx(0.1)


def test_a_draw_of_the_training_proves_no_absence(analyse, colourful, seen):
    from reportgen.config import AuditConfig
    from reportgen.subject.subject import LiveInput, open_subject

    x, y = seen
    live = LiveInput(colourful, x[:40], y[:40], train=(x[40:], y[40:]))
    config = AuditConfig(preprocessing="unit", max_samples=100)
    found = analyse("inputs", open_subject(config, live))
    assert found.levels[LEAK] == "not_applicable"
    assert "Only 100 of 260 were read" in found.findings[LEAK].message


def test_samples_of_the_training_are_no_leak(analyse, colourful, seen):
    from reportgen.config import AuditConfig
    from reportgen.subject.subject import LiveInput, open_subject

    live = LiveInput(colourful, *seen, train=seen)
    config = AuditConfig(preprocessing="unit", split="train")
    assert analyse("inputs", open_subject(config, live)).levels[LEAK] == "not_applicable"


def test_copies_with_other_targets_are_found_whatever_the_target(analyse, subject_of):
    network = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    x[1] = x[0]
    targets = np.zeros((40, 2)) + 0.5
    targets[:2] = [[123451.0, 7.0], [123451.0, 57.0]]
    found = analyse("inputs", subject_of(network, x, targets))
    assert found.levels[DUPLICATES] == "warn"
    assert found.result.copies.groups[0].labels == ("123451, 7", "123451, 57")


def test_pictures_of_other_channels_are_compared_whole_or_not_at_all(analyse, subject_of):
    network = keras.Sequential([keras.Input((20, 20, 5)), layers.Flatten(), layers.Dense(3)])
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (40, 20, 20, 5)).astype(np.uint8)
    x[..., :3] = x[:1, ..., :3]
    found = analyse("inputs", subject_of(network, x, np.arange(40) % 3))
    assert found.levels[DUPLICATES] == "pass"
    assert not found.result.copies.near


@pytest.mark.parametrize("features", [2, 8])
def test_a_few_numbers_that_coincide_are_no_copies(analyse, subject_of, features):
    """Eight yes or no of 300 samples: a hundred coincide by nature."""
    network = keras.Sequential([keras.Input((features,)), layers.Dense(1)])
    x = np.random.default_rng(0).integers(0, 2, (300, features)).astype(np.float32)
    found = analyse("inputs", subject_of(network, x, np.zeros(300) + 0.5))
    for check in (DUPLICATES, LEAK):
        assert found.levels[check] == "not_applicable"
        assert "coincide by nature" in found.findings[check].message


def test_small_pictures_are_compared_by_their_bytes(analyse, subject_of, colourful, seen):
    x, y = (np.concatenate([part, part[:4]]) for part in seen)
    found = look(analyse, subject_of, colourful, x, y)
    assert found.findings[DUPLICATES].value == pytest.approx(4 / 304)
    assert not found.result.copies.near
