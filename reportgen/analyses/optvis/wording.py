"""How marks, labels and causes are said in a few words."""

from __future__ import annotations

import numpy as np

from reportgen.analyses.optvis.agreement import Agreement
from reportgen.analyses.optvis.causes import WORDS
from reportgen.analyses.optvis.judging import Judged
from reportgen.analyses.optvis.trust import Trust

WHY = {
    "": "",
    "first layer": "nothing lies below",
    "thin layers": "the layers below have too few channels to compare",
    "few samples": "too few samples",
    "cannot be told": "samples too alike",
    "between": "between the two",
    "not finite": "not finite",
    "no samples": "",
}
DOUBT = {
    "": "",
    "one picture": "one picture only",
    "one unit": "one unit only",
    "thin layer": "too few channels",
    "not finite": "not finite",
    "not the same optimum": "of different strength",
    "as like as other units": "as like as other units'",
    "not finished": "not finished in time",
}


def say_trust(trust: Trust) -> str:
    """The trust mark."""
    if trust.why in ("first layer", "no samples"):
        return {"first layer": "first layer"}.get(trust.why, "")
    return {"natural": "natural path", "own way": "own way"}.get(trust.mark, "path unclear")


def say_agreement(agreement: Agreement) -> str:
    """The label of several seeds."""
    if agreement.label == "many-faceted":
        return f"many-faceted ({len(set(agreement.facets.tolist()))} kinds)"
    if agreement.doubt == "not finished":
        return "not finished"
    return "stable" if agreement.label == "stable" else "seeds unclear"


def say_ratio(judged: Judged) -> str:
    """The best picture against the strongest sample."""
    if judged.trust.why == "no samples":
        return f"{judged.best:.3g}, the best random picture {judged.noise:.3g}"
    if np.isfinite(judged.ratio):
        return f"{say_factor(judged.ratio)} the strongest sample"
    return f"{judged.best:.3g}, strongest sample {judged.natural:.3g}"


def say_factor(ratio: float) -> str:
    """Such as ``2.4 ×``; of large ones only that they are: they tell of a sample near silence."""
    return "> 10 ×" if ratio >= 10 else f"{ratio:.2g} ×"


def say_unit(judged: Judged) -> str:
    """What is said under a row of pictures."""
    if judged.cause is not None:
        return f"No picture: {WORDS[judged.cause]}"
    parts = (say_ratio(judged), say_trust(judged.trust), say_agreement(judged.agreement))
    return " · ".join(filter(None, parts))


def say_remark(judged: Judged) -> str:
    """Why a mark or a label could not be given; where a picture leaves the path."""
    if judged.cause is not None:
        return WORDS[judged.cause]
    trust, agreement = judged.trust, judged.agreement
    own = trust.mark == "own way" and trust.departs
    departs = f"leaves the path at {trust.departs.split('/')[-1]}" if own and trust.departs else ""
    path = f"path: {WHY[trust.why]}" if WHY[trust.why] else ""
    seeds = f"seeds: {DOUBT[agreement.doubt]}" if DOUBT[agreement.doubt] else ""
    return "; ".join(filter(None, (departs, path, seeds)))
