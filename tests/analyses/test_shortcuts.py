"""Planted shortcuts are found with their place and class; the same marks on all classes are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

from reportgen.analyses.attributions.covering import draw, propose
from reportgen.analyses.attributions.findings import say_covered
from reportgen.analyses.attributions.scan import (
    Candidate,
    _hold,
    _measure,
    list_regions,
    list_windows,
    scan,
)
from reportgen.analyses.attributions.transplant import (
    Effort,
    Shortcut,
    Shortcuts,
    _is,
    _paste,
    share_out,
)

from ..kept import keep

ID = "attributions.shortcut"
SIDE, COUNT = 16, 6


def digits(n: int, seed: int):
    """Six digits in random colours on random grounds, which are not easy."""
    found = load_digits()
    rng = np.random.default_rng(seed)
    rows = rng.choice(np.flatnonzero(found.target < COUNT), n)
    ink = np.kron(found.images[rows] / 16, np.ones((2, 2)))[..., None]
    dark, light = rng.uniform(0, 110, (n, 1, 1, 3)), rng.uniform(140, 255, (n, 1, 1, 3))
    turned = rng.random((n, 1, 1, 1)) < 0.5
    ground, colour = np.where(turned, light, dark), np.where(turned, dark, light)
    return np.rint(ground + ink * (colour - ground)).astype(np.uint8), found.target[rows]


def square(top, left, size, colour):
    def paint(x, rng):
        x[:, top : top + size, left : left + size] = colour
        return x

    return paint


def frame(x, rng):
    x[:, [0, -1]] = (255, 255, 0)
    x[:, :, [0, -1]] = (255, 255, 0)
    return x


def tint(x, rng):
    return np.clip(x * 0.4 + np.array([150, 0, 60]), 0, 255).astype(np.uint8)


def pattern(top, left, size):
    """A fine chequer whose colour is another on every picture: no mean colour tells it."""

    def paint(x, rng):
        middle = rng.uniform(64, 191, (len(x), 1, 1, 3))
        signs = (np.indices((size, size)).sum(axis=0) % 2 * 2 - 1)[None, ..., None]
        x[:, top : top + size, left : left + size] = np.rint(middle + 64 * signs)
        return x

    return paint


MAGENTA = (255, 0, 255)
# By name: what is painted, on which classes, on which share of them.
PLANTS = {
    "corner": [(square(0, 0, 4, MAGENTA), (3,), 0.95)],
    "lower right": [(square(12, 12, 4, (0, 255, 0)), (1,), 0.95)],
    "centre": [(square(6, 6, 4, (0, 0, 255)), (2,), 0.95)],
    "edge": [(square(6, 0, 4, (255, 128, 0)), (4,), 0.95)],
    "frame": [(frame, (5,), 0.95)],
    "cast": [(tint, (0,), 0.95)],
    "weak": [(square(0, 12, 4, MAGENTA), (3,), 0.4)],
    "shared": [(square(0, 0, 4, MAGENTA), (3, 4), 0.95)],
    "two": [
        (square(0, 0, 4, MAGENTA), (1,), 0.95),
        (square(12, 0, 4, (0, 255, 255)), (4,), 0.95),
    ],
    "large": [(square(0, 4, 6, (255, 255, 255)), (2,), 0.95)],
    "pattern": [(pattern(0, 11, 5), (3,), 0.95)],
}
DAILY = ("corner", "frame", "cast", "pattern")


def planted(name: str, n: int, seed: int, *, on_all: bool = False):
    """On all: the same mark on as many samples, whatever their class."""
    x, y = digits(n, seed)
    rng = np.random.default_rng(seed + 1000)
    for paint, classes, share in PLANTS[name]:
        chosen = np.isin(y, classes) & (rng.random(n) < share)
        if on_all:
            chosen = rng.permutation(chosen)
        x[chosen] = paint(x[chosen], rng)
    return x, y


def train(shelf, name: str, *, on_all: bool = False) -> keras.Model:
    def fit(folder: Path) -> None:
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                keras.Input((SIDE, SIDE, 3)),
                layers.Conv2D(16, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(32, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(COUNT, activation="softmax"),
            ]
        )
        model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
        x, y = planted(name, 1800, 1, on_all=on_all)
        model.fit(x / 255, y, epochs=5, batch_size=64, verbose=0)
        model.save(folder / "net.keras")

    kind = "twin" if on_all else "plant"
    folder = keep(shelf, f"shortcut-{kind}-{name}", fit, Path(__file__))
    return keras.saving.load_model(folder / "net.keras")


def names(of):
    return [n if n in DAILY else pytest.param(n, marks=pytest.mark.matrix, id=n) for n in of]


def look(analyse, subject_of, model, x, y):
    subject = subject_of(model, x, y, preprocessing="unit")
    return analyse("attributions", subject, samples=8, shown=1, randomised=0, methods=("gradient",))


@pytest.mark.parametrize("name", names(PLANTS))
def test_a_planted_shortcut_is_found(shelf, analyse, subject_of, name):
    model = train(shelf, name)
    classes = {f"class {c}" for _, marked, _ in PLANTS[name] for c in marked}
    for seed in range(3):
        found = look(analyse, subject_of, model, *planted(name, 500, 50 + seed))
        assert found.levels[ID] == "warn", (seed, found.result.shortcuts.asked[:3])
        firing = [one for one in found.result.shortcuts.asked if one.is_one(0.1)]
        assert {one.name for one in firing} <= classes
        assert name != "two" or {one.name for one in firing} == classes
        (grid,) = [b for b in found.body.blocks if b.id == "attributions-shortcut-pictures"]
        after = found.body.arrays["shortcuts"][1::2]
        said = [label.text for label in grid.panels[0].labels[1::2]]
        answers = model.predict(after / 255, verbose=0).argmax(axis=1)
        assert said == [f"now class {answer}" for answer in answers]


@pytest.mark.parametrize("name", names(PLANTS))
def test_the_same_mark_on_all_classes_is_none(shelf, analyse, subject_of, name):
    model = train(shelf, name, on_all=True)
    for seed in range(3):
        found = look(analyse, subject_of, model, *planted(name, 500, 50 + seed, on_all=True))
        assert found.levels[ID] == "pass", found.findings[ID].message


def test_the_place_is_named(shelf, analyse, subject_of):
    found = look(analyse, subject_of, train(shelf, "corner"), *planted("corner", 500, 60))
    first = found.result.shortcuts.asked[0]
    assert first.place.startswith("the upper left (row 1, column")
    assert first.name == "class 3"
    assert first.share > 0.85
    assert first.others < 0.02
    assert "The upper left" in found.findings[ID].message


def test_the_scan_proposes_by_chance_as_rarely_as_it_says():
    """Of 40 sets without a mark one in a hundred proposes something."""
    proposed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        pictures = rng.random((90, 8, 8, 3)).astype(np.float32)
        proposed += bool(scan(pictures, rng.integers(0, 3, 90), 3, rng))
    assert proposed <= 3


def test_covering_proposes_by_chance_as_rarely_as_it_says():
    """Answers that depend on no place: of 40 sets one in a hundred proposes something."""
    proposed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)

        def ask(pictures, rng=rng):
            return np.log(rng.dirichlet((3, 1, 1), len(pictures))).astype(np.float32)

        pictures = rng.random((30, 8, 8, 3)).astype(np.float32)
        proposed += bool(propose(ask, pictures, np.arange(12), np.zeros(30, int), rng))
    assert proposed <= 3


@pytest.mark.parametrize("size", [20, 2000])
def test_covering_finds_the_place_that_carries_the_class(size):
    """Closed form: the log odds of class 1 are the brightness of two by two pixels.

    However large they are: of a probability of 1 no lead could be told.
    """
    rng = np.random.default_rng(0)
    pictures = rng.random((40, 8, 8, 1)).astype(np.float32)
    classes = rng.integers(0, 2, 40)
    pictures[:, 2:4, 5:7] = np.where(classes, 1, 0)[:, None, None, None]

    def ask(some):
        odds = size * (np.asarray(some)[:, 2:4, 5:7, 0].mean(axis=(1, 2)) - 0.5)
        return np.stack([np.zeros_like(odds), odds], axis=1)

    found = propose(ask, pictures, draw(np.arange(40), classes, 24, rng), classes, rng)
    assert [one.which for one in found[:2]] in ([0, 1], [1, 0])
    for one in found[:2]:
        rows, columns = np.nonzero(one.region.pixels)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 3, 5, 6)
        assert one.share > 0.9


def test_a_large_model_is_asked_less_and_a_huge_one_is_not():
    assert share_out(100_000) == Effort(85, 20, 200)
    least = share_out(640)
    assert least is not None
    assert (least.candidates, least.recipients) == (4, 40)
    assert share_out(639) is None


def test_a_cast_of_darkness_is_pasted_as_far_as_one_of_light():
    """Its mean is that of the donor, though no recipient is as dark."""
    rng = np.random.default_rng(0)
    pixels = np.concatenate(
        [rng.uniform(110, 150, (3, 8, 8, 3)), rng.uniform(50, 90, (3, 8, 8, 3))]
    )
    whole = Candidate(0, list_regions(8, 8)[0][-1], "colour")
    made = _paste(pixels, np.arange(3), np.arange(3, 6), whole)
    np.testing.assert_allclose(made.mean((1, 2)), pixels[3:].mean((1, 2)), atol=0.5)


@pytest.mark.parametrize(
    ("changed", "excess"),
    [
        ({}, 0.6),
        ({"anyway": 0.25}, 0.35),
        ({"p": 0.01}, 0.0),
        ({"donors": 2}, 0.0),
    ],
)
def test_by_how_much_a_mark_is_one(changed, excess):
    """60 of 100 more than by others' places, less those that have it anyway; none by chance."""
    one = Shortcut("a", "there", "colour", 0.9, 0.0, 0.0, 100, 70, 10, 20, 1e-9)
    assert replace(one, **changed).excess == pytest.approx(excess)
    assert replace(one, **changed).is_one(0.1) == (excess > 0.1)


def test_of_many_channels_and_classes_the_lead_is_that_of_counting():
    """By hand: every class, region and colour in turn."""
    rng = np.random.default_rng(0)
    bins, classes = rng.integers(0, 7**12, (30, 1)) * rng.integers(0, 2, (30, 5)), np.arange(30) % 4
    values, best = _measure(_hold(bins), classes, 5)
    for which in range(4):
        own = bins[classes == which]
        rest = bins[classes != which]
        for place in range(5):
            leads = {
                colour: (own[:, place] == colour).mean() - (rest[:, place] == colour).mean()
                for colour in own[:, place].tolist()
            }
            assert values[which, place] == pytest.approx(max(leads.values()))
            assert leads[best[which, place]] == pytest.approx(max(leads.values()))
    assert not values[4].any()


def test_what_names_no_number_names_no_class():
    np.testing.assert_array_equal(
        _is(0, np.array([[2, 1], [np.nan, 1], [1, 2]])), [True, False, False]
    )


def test_where_nothing_could_be_covered_that_is_said():
    rows = draw(np.arange(5), np.zeros(5, int), 120, np.random.default_rng(0))
    assert not len(rows)
    assert "No place was covered" in say_covered(Shortcuts(covered=len(rows)))


def test_regions_cover_the_picture_once():
    regions, (rows, columns) = list_regions(20, 24)
    cells = np.stack([region.pixels for region in regions[: rows * columns]])
    assert (cells.sum(axis=0) == 1).all()
    assert regions[-1].whole
    assert regions[-2].pixels.sum() == 20 * 24 - 18 * 22
    assert len(list_windows(20, 24)) == 49
    assert not list_windows(2, 2)


def test_what_cannot_be_asked_is_said(analyse, subject_of):
    image = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(image, layers.Dense(COUNT, activation="softmax")(layers.Flatten()(image)))
    found = look(analyse, subject_of, model, *digits(20, 1))
    assert found.levels[ID] == "not_applicable"
    assert "20 samples are too few" in found.findings[ID].message
