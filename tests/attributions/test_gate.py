"""The gate takes what is true and refuses what only looks so; each guard of it is needed."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

from reportgen.attributions import open_case
from reportgen.attributions.cells import make_grid
from reportgen.attributions.gate import controls, curves, faithfulness
from reportgen.attributions.gate.faithfulness import examine
from reportgen.attributions.gate.randomising import check_randomised, randomise
from reportgen.attributions.methods.covering import Occlusion
from reportgen.attributions.methods.gradients import Gradient, GradientTimesInput
from reportgen.attributions.methods.paths import IntegratedGradients

from ..kept import keep
from .conftest import linear
from .impostors import IMPOSTORS, Impostor, centre

PICTURES = 24


def squares(n: int, seed: int):
    """A square of one of four colours anywhere on noise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 0.5, (n, 16, 16, 3)).astype(np.float32)
    y = rng.integers(0, 4, n)
    colours = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], np.float32)
    for picture, label, (top, left) in zip(x, y, rng.integers(0, 11, (n, 2)), strict=True):
        picture[top : top + 5, left : left + 5] = colours[label]
    return x, y


def digits(n: int, seed: int):
    found = load_digits()
    rows = np.random.default_rng(seed).permutation(len(found.images))[:n]
    return (found.images[rows, ..., None] / 16).astype(np.float32), found.target[rows]


def bars(n: int, seed: int):
    """A bar that lies or stands, among dots."""
    rng = np.random.default_rng(seed)
    x = (rng.random((n, 16, 16, 1)) < 0.06).astype(np.float32)
    y = rng.integers(0, 2, n)
    for picture, label, (top, left) in zip(x, y, rng.integers(0, 10, (n, 2)), strict=True):
        down, across = (2, 6) if label else (6, 2)
        picture[top : top + down, left : left + across] = 1
    return x, y


SETS = {"squares": (squares, 4), "digits": (digits, 10), "bars": (bars, 2)}


@pytest.fixture(scope="module", params=SETS)
def trained(request, shelf):
    """A small network and where its pictures come from."""
    draw, classes = SETS[request.param]

    def train(folder: Path) -> None:
        keras.utils.set_random_seed(4)
        x, y = draw(1500, 1)
        model = keras.Sequential(
            [
                keras.Input(x.shape[1:]),
                layers.Conv2D(16, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(24, 3, padding="same", activation="relu"),
                layers.BatchNormalization(),
                layers.GlobalMaxPooling2D() if draw is squares else layers.Flatten(),
                layers.Dense(classes, activation="softmax"),
            ]
        )
        model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=8, batch_size=64, verbose=0)
        model.save(folder / "net.keras")

    folder = keep(shelf, f"gate-{request.param}", train, Path(__file__))
    return keras.saving.load_model(folder / "net.keras"), draw


def ask(trained, seed, methods):
    model, draw = trained
    x, _ = draw(PICTURES, 100 + seed)
    case = open_case(model, x, seed=seed)
    grid = make_grid(*x.shape[1:3])
    return examine(case, methods, [method(case) for method in methods], grid)


SEEDS = [*range(2), *(pytest.param(s, marks=pytest.mark.matrix) for s in range(2, 20))]


@pytest.mark.parametrize("seed", SEEDS)
def test_impostors_are_refused_and_what_is_measured_passes(trained, seed):
    methods = (Occlusion(), IntegratedGradients(), *IMPOSTORS)
    verdicts = {one.method: one for one in ask(trained, seed, methods).verdicts}
    for impostor in IMPOSTORS:
        assert not verdicts[impostor.name].passes, impostor.name
    assert verdicts["occlusion"].passes


def test_the_exact_map_of_a_linear_model_passes(rng):
    """Weights of pictures that differ in where their light is."""
    weights = rng.normal(size=(8, 8, 1, 3)).astype(np.float32)
    x = rng.uniform(0, 1, (PICTURES, 8, 8, 1)).astype(np.float32)
    case = open_case(linear(weights), x, reference=np.zeros((1, 8, 8, 1), np.float32))
    methods = (GradientTimesInput(), Gradient())
    exact, size = examine(case, methods, [m(case) for m in methods], make_grid(8, 8)).verdicts
    assert exact.passes
    assert exact.scale > 0.5  # of both fills; it is the exact map of one
    assert exact.scale > 2 * size.scale  # the size of a weight has no sign


def test_few_pictures_decide_nothing(rng):
    x = rng.uniform(0, 1, (2, 8, 8, 1)).astype(np.float32)
    case = open_case(linear(rng.normal(size=(8, 8, 1, 3))), x)
    methods = (GradientTimesInput(),)
    (found,) = examine(case, methods, [m(case) for m in methods], make_grid(8, 8)).verdicts
    assert not found.passes
    assert found.p == 1


def test_without_another_class_guided_backpropagation_passes(trained, monkeypatch):
    """The control that refuses it: it would pass all others on the digits."""
    _, draw = trained
    if draw is not digits:
        pytest.skip("one network is enough")
    monkeypatch.setattr(faithfulness, "find_other_classes", lambda case: None)
    found = ask(trained, 0, IMPOSTORS[:1]).verdicts[0]
    assert found.passes


def test_smooth_maps_scatter_further_than_rough_noise():
    """Areas of smooth maps scatter further than those of rough noise: by luck they lie above."""
    rng = np.random.default_rng(0)
    smooth, rough = [], []
    weights = controls.draw_noise(1, make_grid(8, 8), 1.3, rng)[0]
    x = np.ones((1, 8, 8, 1), np.float32)
    case = open_case(
        linear(weights.reshape(8, 8, 1, 1)), x, reference=np.zeros((1, 8, 8, 1), np.float32)
    )
    grid = make_grid(8, 8)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        for blur, found in ((1.3, smooth), (0.0, rough)):
            order = curves.order_cells(controls.draw_noise(1, grid, blur, rng), rng)
            found.append(curves.draw_curves(case, grid, {"a": order}, "mean")["a"].area[0])
    assert np.std(smooth) > 1.5 * np.std(rough)


def test_each_method_meets_noise_and_edges_of_its_own_smoothness(rng, monkeypatch):
    """The areas of the controls are those of maps as smooth as the method's, not of the others'."""
    x = rng.uniform(0, 1, (PICTURES, 16, 16, 1)).astype(np.float32)
    case = open_case(linear(rng.normal(size=(16, 16, 1, 3))), x)
    grid = make_grid(16, 16)
    found = {blur: controls.draw_noise(PICTURES, grid, blur, rng) for blur in (0.0, 1.9)}
    methods = [Impostor(f"{blur}", lambda _, made=made: made) for blur, made in found.items()]
    drawn, traced = [], []

    def draw_noise(count, grid, blur, rng):
        made = controls.draw_noise(count, grid, blur, rng)
        drawn.append(controls.measure_smoothness(made))
        return made

    def find_edges(pictures, grid, blur):
        made = controls.find_edges(pictures, grid, blur)
        traced.append(controls.measure_smoothness(made))
        return made

    monkeypatch.setattr(faithfulness, "draw_noise", draw_noise)
    monkeypatch.setattr(faithfulness, "find_edges", find_edges)
    made = [method(case) for method in methods]
    rough, smooth = examine(case, methods, made, grid).verdicts
    own = [controls.measure_smoothness(maps.on(grid)) for maps in made]
    assert own[1] > own[0] + 0.5
    # Of 24 maps of 64 cells each, the correlation of neighbours is known to about .05.
    np.testing.assert_allclose(sorted(drawn), own, atol=0.1)
    assert sorted(traced)[1] > 0.5
    assert rough.control_areas["noise"] != smooth.control_areas["noise"]
    assert rough.control_areas["edges"] != smooth.control_areas["edges"]


def test_shuffled_weights_are_the_same_numbers_in_other_places(trained):
    model, draw = trained
    x, _ = draw(40, 7)
    case = open_case(model, x)
    before = [w.numpy() for w in model.weights]
    other = randomise(case, "all", 0)
    for mine, theirs, variable in zip(before, other.network._weights, model.weights, strict=True):
        if variable.trainable:
            np.testing.assert_array_equal(np.sort(mine.ravel()), np.sort(theirs.ravel()))
    assert any((a != b).any() for a, b in zip(before, other.network._weights, strict=True))
    for mine, now in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(mine, now.numpy())  # the model keeps its own
    head = randomise(case, "head", 0)
    changed = [(a != b).any() for a, b in zip(before, head.network._weights, strict=True)]
    assert changed[-2]
    assert not any(changed[:4])


def test_statistics_are_made_anew(trained):
    """With the old ones what reaches the last layer would be far from mean 0 and variance 1."""
    model, draw = trained
    x, _ = draw(60, 7)
    other = randomise(open_case(model, x), "all", 0)
    twin = keras.models.clone_model(model)
    twin.set_weights(other.network._weights)
    norm = next(part for part in twin.layers if isinstance(part, layers.BatchNormalization))
    seen = keras.Model(twin.inputs, norm.output).predict(x, verbose=0)
    gamma, beta = norm.gamma.numpy(), norm.beta.numpy()
    normal = (seen - beta) / np.where(np.abs(gamma) > 1e-3, gamma, np.nan)
    moved = normal.reshape(-1, normal.shape[-1])
    assert np.nanmax(np.abs(np.nanmean(moved, axis=0))) < 0.05
    varies = np.nanstd(moved, axis=0)
    assert np.nanmax(varies[varies > 0]) < 1.05


def test_13_an_edge_map_does_not_notice_random_weights(trained):
    model, draw = trained
    x, _ = draw(12, 9)
    case = open_case(model, x)
    grid = make_grid(*x.shape[1:3])
    blind = Impostor("edges", IMPOSTORS[1].draw)
    found, seeing = check_randomised(case, (blind, IntegratedGradients()), grid)
    assert found.alike["all"] == pytest.approx(1)
    assert found.alarm
    assert not seeing.alarm
    assert seeing.alike["all"] < 0.5


def test_a_centre_for_all_is_usual_among_its_own(trained):
    """Its maps of different pictures are the same, so likeness says nothing: no alarm is due."""
    model, draw = trained
    case = open_case(model, draw(12, 9)[0])
    (found,) = check_randomised(
        case, (Impostor("centre", centre),), make_grid(*case.pictures.shape[1:3])
    )
    assert found.usual == pytest.approx(1)
    assert not found.alarm
