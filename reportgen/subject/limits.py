"""Numbers that options are bounded by. Apart, since an option is listed without what it is of."""

from __future__ import annotations

SAMPLES_KEPT = 8  # of those that excite a unit most, and least
