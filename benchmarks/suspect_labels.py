"""Wrong labels that were planted: what is found here and by cleanlab, at the same number of flags.

Probabilities of the digits of scikit-learn by logistic regression, on samples that it was not
fitted on (ten folds); 3, 10 and 30 % of the labels replaced, evenly or by the class that is most
like it; three seeds each. The model is fitted with the wrong labels, as in life. Both lists are
cut to the shorter one, the most contradicted first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler

from benchmarks.runner import Outcome
from reportgen.analyses.inputs.suspects import find_suspects

Ints = NDArray[np.int64]
_SHARES, _SEEDS, _CLASSES = (0.03, 0.1, 0.3), range(3), 10


def run() -> Outcome:
    from cleanlab.filter import find_label_issues

    x, y = load_digits(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    like = _most_alike(x, y)
    rows: list[tuple[str | float, ...]] = []
    ratios: dict[str, float] = {}
    for kind in ("even", "alike"):
        for share in _SHARES:
            found = []
            for seed in _SEEDS:
                labels, wrong = _spoil(y, share, kind, like, seed)
                model = LogisticRegression(C=0.1, max_iter=300)
                made = cross_val_predict(model, x, labels, cv=10, method="predict_proba")
                suspects = find_suspects(made, labels, np.random.default_rng(seed))
                theirs = find_label_issues(
                    labels,
                    made,
                    filter_by="prune_by_noise_rate",
                    return_indices_ranked_by="normalized_margin",
                )
                flags = min(len(suspects.rows), len(theirs))
                found.append(
                    (
                        len(suspects.rows),
                        len(theirs),
                        *_score(suspects.rows[:flags], wrong),
                        *_score(theirs[:flags], wrong),
                        suspects.usual,
                        100 * suspects.share,
                    )
                )
            mean = np.mean(found, axis=0)
            rows.append((f"{kind}, {share:.0%}", *np.round(mean, 2).tolist()))
            ratios[f"{kind}, {share:.0%}: precision here / cleanlab"] = mean[2] / mean[4]
    header = (
        "planted",
        "flags",
        "cleanlab's",
        "precision",
        "recall",
        "cleanlab's precision",
        "cleanlab's recall",
        "usual",
        "wrong, %",
    )
    return Outcome(header, rows, ratios)


def _most_alike(x: NDArray[np.float64], y: Ints) -> Ints:
    """The class that each one is most often taken for."""
    said = cross_val_predict(LogisticRegression(C=0.01, max_iter=300), x, y, cv=5)
    confused = confusion_matrix(y, said)
    np.fill_diagonal(confused, -1)
    return np.asarray(confused.argmax(axis=1), np.int64)


def _spoil(y: Ints, share: float, kind: str, like: Ints, seed: int) -> tuple[Ints, Ints]:
    """Labels, and the rows of the wrong ones."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(y)) < share
    others = (y + rng.integers(1, _CLASSES, len(y))) % _CLASSES
    labels = np.where(wrong, others if kind == "even" else like[y], y)
    return labels, np.flatnonzero(wrong)


def _score(rows: Ints, wrong: Ints) -> tuple[float, float]:
    """Precision and recall."""
    hits = float(np.isin(rows, wrong).sum())
    return hits / max(len(rows), 1), hits / len(wrong)
