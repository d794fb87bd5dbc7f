"""Predictions: scores by hand on tables of probabilities, and when each check speaks.

The models hand their input on, so that a test can say what the model answers.
"""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.intervals import wilson_bounds
from reportgen.analyses.predictions.compute import wilson_interval

P = np.array(
    [
        [0.7, 0.2, 0.1],
        [0.6, 0.3, 0.1],
        [0.3, 0.5, 0.2],
        [0.1, 0.8, 0.1],
        [0.2, 0.2, 0.6],
        [0.1, 0.1, 0.8],
    ]
)
Y = np.array([0, 0, 0, 1, 1, 2])


def echo(units: int, activation: str | None) -> keras.Model:
    """The model whose logits are its input."""
    model = keras.Sequential(
        [keras.Input((units,)), layers.Dense(units, activation, use_bias=False, name="out")]
    )
    model.layers[0].kernel.assign(np.eye(units))
    return model


@pytest.fixture
def score(subject_of, analyse):
    def run(activation, logits, y, **options):
        x = np.asarray(logits, np.float32)
        subject = subject_of(echo(x.shape[1], activation), x, y)
        return analyse("predictions", subject, **options)

    return run


def sure(said, units: int = 3, confidence: float = 0.9) -> np.ndarray:
    """Logits of a model that says ``said`` with this confidence."""
    shares = np.full((len(said), units), (1 - confidence) / (units - 1))
    shares[np.arange(len(said)), said] = confidence
    return np.log(shares)


@pytest.mark.parametrize(("activation", "task"), [("softmax", "softmax"), (None, "logits")])
def test_six_samples_by_hand(score, activation, task):
    found = score(activation, np.log(P), Y)
    scores = found.result.scores
    assert found.result.task == task
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    np.testing.assert_allclose(scores.precision, [1, 1 / 2, 1 / 2])
    np.testing.assert_allclose(scores.recall, [2 / 3, 1 / 2, 1])
    np.testing.assert_allclose(scores.f1, [0.8, 0.5, 2 / 3])
    assert scores.majority_share == 0.5
    # float32 logarithms and exponentials.
    assert scores.brier == pytest.approx(2.34 / 6, rel=1e-6)
    given = np.array([0.7, 0.6, 0.3, 0.8, 0.2, 0.8])
    assert scores.log_loss == pytest.approx(-np.log(given).mean(), rel=1e-6)
    worst = [(s.row, s.predicted, s.actual, s.right) for s in found.result.mistakes]
    assert worst == [(4, "class 2", "class 1", False), (2, "class 1", "class 0", False)]
    assert found.result.mistakes_found == 2


def test_wilson_by_hand():
    # z = 1.96: (2/3 + z2/12 -+ z sqrt(2/9/6 + z2/144)) / (1 + z2/6)
    z2, share = 1.959963984540054**2, 2 / 3
    half = np.sqrt(z2) * np.sqrt(share * (1 - share) / 6 + z2 / 144)
    expected = [(share + z2 / 12 + sign * half) / (1 + z2 / 6) for sign in (-1, 1)]
    assert expected == pytest.approx([0.29999, 0.90323], abs=1e-5)
    assert wilson_interval(4, 6) == pytest.approx(expected, rel=1e-12)
    bounds = wilson_bounds(np.array([0.0, 4.0, 6.0]), np.array([6, 6, 6]))
    np.testing.assert_allclose([b[1] for b in bounds], expected)
    assert (bounds[0][0], bounds[1][2]) == (0, 1)


def test_one_sigmoid_is_two_classes(score):
    positive = np.array([0.9, 0.8, 0.4, 0.3, 0.2, 0.6])
    y = np.array([1, 1, 1, 0, 0, 0])
    found = score("sigmoid", np.log(positive / (1 - positive))[:, None], y)
    scores = found.result.scores
    assert found.result.task == "binary"
    assert scores.confusion.tolist() == [[2, 1], [1, 2]]
    assert scores.brier == pytest.approx(np.mean((positive - y) ** 2), rel=1e-5)
    # Of nine pairs of a positive and a negative, one is in the wrong order (0.4 under 0.6).
    assert scores.roc.area == pytest.approx(8 / 9)
    # Precision at each positive, by falling score: 1/1, 2/2, 3/4.
    assert scores.precision_recall.area == pytest.approx((1 + 1 + 3 / 4) / 3)


def test_a_linear_unit_with_two_labels_is_a_logit(score):
    found = score(None, np.array([[2.0], [-1.0], [0.5]]), np.array([1, 0, 0]))
    assert found.result.task == "binary_logit"
    assert found.result.scores.confusion.tolist() == [[1, 1], [0, 1]]


def test_independent_sigmoids_are_judged_each(score):
    shares = np.array([[0.9, 0.8], [0.3, 0.6]])
    found = score("sigmoid", np.log(shares / (1 - shares)), np.array([0, 1]))
    scores = found.result.scores
    assert found.result.task == "independent"
    assert scores.brier == pytest.approx((0.01 + 0.64 + 0.09 + 0.16) / 2, rel=1e-5)
    expected = -(np.log(0.9) + np.log(0.2) + np.log(0.7) + np.log(0.6)) / 2
    assert scores.log_loss == pytest.approx(expected, rel=1e-5)


def test_a_good_model_passes(score):
    y = np.arange(90) % 3
    said = np.where(np.arange(90) < 9, (y + 1) % 3, y)  # nine mistakes: as sure as right
    assert set(score("softmax", sure(said), y, min_accuracy=0.8).levels.values()) == {"pass"}


def test_better_than_chance_is_no_pass_without_a_bar(score):
    y = np.arange(90) % 3
    finding = score("softmax", sure(y), y).findings["predictions.accuracy"]
    assert finding.level == "note"
    assert "No bar was set" in finding.message


def test_no_better_than_the_most_frequent_class_warns(score):
    y = np.repeat([0, 1, 2], [60, 20, 20])
    found = score("softmax", sure(np.zeros(100, int), confidence=0.6), y)
    assert found.levels["predictions.accuracy"] == "warn"
    assert found.levels["predictions.calibration"] == "pass"
    finding = found.findings["predictions.accuracy"]
    assert (finding.value, finding.threshold) == (pytest.approx(0.6), pytest.approx(0.6))


@pytest.mark.parametrize(("bar", "level"), [(0.85, "pass"), (0.92, "warn"), (0.99, "fail")])
def test_your_own_bar(score, bar, level):
    # 90 of 100 right; the interval is 0.826 to 0.945.
    y = np.arange(100) % 3
    said = np.where(np.arange(100) < 10, (y + 1) % 3, y)
    found = score("softmax", sure(said), y, min_accuracy=bar)
    assert found.levels["predictions.accuracy"] == level
    assert found.findings["predictions.accuracy"].threshold == bar


def test_a_class_that_is_never_predicted(score):
    y = np.arange(300) % 3
    found = score("softmax", sure(np.where(y == 2, 0, y), confidence=0.67), y)
    finding = found.findings["predictions.class_collapse"]
    assert finding.level == "warn"
    assert "class 2" in finding.message
    assert finding.value == 0


def test_a_rare_class_without_predictions_is_only_noted(score):
    y = np.array([0] * 50 + [1] * 50 + [2] * 3)
    found = score("softmax", sure(np.where(y == 2, 0, y), confidence=0.97), y)
    finding = found.findings["predictions.class_collapse"]
    # (100/103)^103 = .048 is no surprise among three classes.
    assert finding.level == "note"
    assert "class 2 is never predicted (3 samples)" in finding.message


def test_ten_samples_that_are_never_predicted_are_enough(score):
    y = np.array([0] * 300 + [1] * 290 + [2] * 10)
    found = score("softmax", sure(np.where(y == 2, 0, y), confidence=0.97), y)
    # (590/600)^600 = 4.2e-5, below .001 of three classes.
    assert found.result.scores.missed_chance[2] == pytest.approx((59 / 60) ** 600, rel=1e-9)
    finding = found.findings["predictions.class_collapse"]
    assert finding.level == "warn"
    assert "class 2 is never predicted (10 samples)" in finding.message


def test_classes_that_are_rare_as_often_as_they_occur_are_no_collapse(score):
    rng = np.random.default_rng(0)
    warned = 0
    for _ in range(20):  # a model of no skill whose answers are as frequent as the classes
        y, said = (rng.choice(10, 200, p=[0.64] + [0.04] * 9) for _ in range(2))
        found = score("softmax", sure(said, 10), y)
        warned += found.levels["predictions.class_collapse"] == "warn"
    assert warned == 0  # each of 20 with probability .001


def test_a_model_that_is_too_sure(score):
    y = np.arange(200) % 2
    said = np.where(np.arange(200) < 60, 1 - y, y)  # 70 % right, 99 % sure
    found = score("softmax", sure(said, 2, 0.99), y)
    finding = found.findings["predictions.calibration"]
    assert finding.level == "warn"
    assert finding.value == pytest.approx(0.29, abs=0.02)  # less the noise of 200 samples
    assert "more sure than right by 0.290" in finding.message
    assert finding.value >= 0.29 - 1e-6  # never below the mean gap


def confused(**counts: int) -> tuple[np.ndarray, np.ndarray]:
    """Actual and predicted classes of mistakes, ``_01=3``: class 0 taken for 1 three times."""
    pairs = [(int(k[1]), int(k[2])) for k, n in counts.items() for _ in range(n)]
    return np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])


def test_kinds_of_mistakes_are_the_most_frequent_ones_and_their_number_is_said(score):
    y, said = confused(_21=1, _20=4, _01=2, _02=3, _10=1, _12=1)
    found = score("softmax", sure(said), y, shown_mistakes=1, shown_kinds=2)
    kinds = found.result.kinds
    assert (kinds.found, kinds.among_worst) == (6, 1)
    assert kinds.counts == (4, 3)
    assert [(y[row], said[row]) for row in kinds.rows] == [(2, 0), (0, 2)]
    (block,) = [b for b in found.body.blocks if b.id == "predictions-kinds"]
    assert block.caption.startswith(
        "6 pairs of classes (actual, predicted) are confused; 1 is among the mistakes above. "
        "Of the others 2 are shown"
    )
    assert "3 more are not shown" in block.caption


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"_01": 2, "_12": 1}, "The most frequent mistake: class 0 taken for class 1, 2 times."),
        ({"_01": 1}, "The most frequent mistake: class 0 taken for class 1, 1 time."),
        (
            {"_01": 2, "_12": 2, "_20": 1},
            "The most frequent mistakes, 2 times each: class 0 taken for class 1, class 1 taken "
            "for class 2.",
        ),
        (
            {"_01": 1, "_12": 1, "_20": 1, "_02": 1},
            "No mistake stands out: 4 pairs of classes are confused 1 time each.",
        ),
    ],
)
def test_ties_of_mistakes_are_said(score, counts, expected):
    y, said = confused(**counts)
    found = score("softmax", sure(said), y)
    (block,) = [b for b in found.body.blocks if b.id == "predictions-confusion"]
    assert expected in block.caption


def test_without_labels_nothing_is_judged(score):
    found = score("softmax", np.log(P), None)
    assert set(found.levels.values()) == {"not_applicable"}
    assert "no labels" in found.findings["predictions.accuracy"].message
    assert len(found.result.strip) == 6


def test_samples_of_one_class_have_no_bar_to_beat(score):
    found = score("softmax", sure(np.zeros(40, int)), np.zeros(40, int))
    assert found.levels["predictions.accuracy"] == "note"
    assert "one class" in found.findings["predictions.accuracy"].message


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
def test_one_sample_gives_no_verdict(score, activation):
    found = score(activation, np.log(P[:1]), Y[:1])
    assert found.levels["predictions.accuracy"] == "note"
    assert found.levels["predictions.calibration"] == "note"


def test_a_model_that_answers_nan_says_so(subject_of, analyse):
    model = echo(3, "softmax")
    model.layers[0].kernel.assign(np.full((3, 3), np.nan))
    found = analyse("predictions", subject_of(model, np.log(P).astype(np.float32), Y))
    assert set(found.levels.values()) == {"not_applicable"}
    assert "NaN" in found.findings["predictions.accuracy"].message
    numbers = echo(1, None)
    numbers.layers[0].kernel.assign([[np.nan]])
    targets = np.linspace(0, 1, 9)
    found = analyse("predictions", subject_of(numbers, targets[:, None].astype("f"), targets))
    assert "NaN" in found.findings["predictions.accuracy"].message


def test_regression_by_hand(score):
    x = np.array([[0.0], [1.0], [2.0], [4.0]])
    y = np.array([0.5, 1.0, 1.5, 5.0])
    fit = score(None, x, y).result.regression
    assert fit.mae == pytest.approx([0.5])
    assert fit.rmse == pytest.approx([np.sqrt(1.5 / 4)])
    assert fit.r2 == pytest.approx([1 - 1.5 / 12.5])  # the mean is 2: 2.25 + 1 + 0.25 + 9
    np.testing.assert_allclose(fit.curve_x, fit.curve_y, atol=1e-6)


def test_regression_levels(score):
    x = np.linspace(-1, 1, 60)[:, None]
    y = x[:, 0] + np.random.default_rng(0).normal(0, 0.1, 60)
    good, bad = score(None, x, y), score(None, x, -y)
    assert good.levels["predictions.accuracy"] == "note"
    assert bad.levels["predictions.accuracy"] == "warn"
    assert good.levels["predictions.calibration"] == "not_applicable"


def test_a_target_that_never_varies_is_no_error(score):
    x = np.random.default_rng(0).normal(size=(40, 2))
    found = score(None, x, np.stack([x[:, 0], np.zeros(40)], axis=1) + 0.01)
    assert np.isfinite(found.result.regression.r2_interval).all()
    assert found.levels["predictions.accuracy"] == "warn"


def test_one_sample_of_a_regression(score):
    found = score(None, np.array([[1.0]]), np.array([1.5]))
    assert found.levels["predictions.accuracy"] == "note"
