"""Names of the reasons why a picture means nothing, and what each says to a reader."""

from __future__ import annotations

from typing import Literal

Cause = Literal[
    "dead", "no gradient", "saturated", "bound", "stuck", "noise", "unfinished", "not finite"
]

STARTS = 16  # random pictures that a search begins with before a unit is called dead
UNRESPONSIVE: frozenset[Cause] = frozenset({"dead", "no gradient", "saturated"})
UNTOLD: frozenset[Cause] = frozenset({"stuck", "unfinished", "not finite"})
WORDS: dict[Cause, str] = {
    "dead": "dead: no sample changes it, and no picture was found that does",
    "no gradient": "nothing to follow: its gradient is zero",
    "saturated": "saturated: at its upper bound for every sample and every picture",
    "bound": "at its upper bound for any picture; only some samples lower it",
    "stuck": "its pictures did not get there; more steps or another recipe may",
    "noise": "no better than noise",
    "unfinished": "not finished in time",
    "not finite": "its values are not finite",
}
