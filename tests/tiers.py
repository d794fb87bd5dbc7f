"""Which tier a test file belongs to, and which tests stay together on one worker.

unit: without TensorFlow, which cannot even be imported when the tier runs alone.
engine: the engines on small networks. audit: whole audits, the command, files of strangers.
"""

from __future__ import annotations

import zlib
from typing import Any

UNIT, ENGINE, AUDIT = "unit", "engine", "audit"

# The first that fits, longest path first.
TIERS = {
    "tests": AUDIT,
    "tests/test_audit_toml.py": UNIT,
    "tests/test_cli.py": UNIT,
    "tests/test_config.py": UNIT,
    "tests/test_isolation.py": UNIT,
    "tests/test_jobs.py": UNIT,
    "tests/test_documents.py": UNIT,
    "tests/test_files.py": UNIT,
    "tests/test_printer.py": UNIT,
    "tests/test_security_page.py": UNIT,
    "tests/test_report.py": UNIT,
    "tests/test_suggest.py": UNIT,
    "tests/test_tiers.py": UNIT,
    "tests/test_walls.py": UNIT,
    "tests/test_worker.py": UNIT,
    "tests/figures": UNIT,
    "tests/rendering": UNIT,
    "tests/grids": UNIT,
    "tests/attributions": ENGINE,
    "tests/landscape": ENGINE,
    "tests/optvis": ENGINE,
    "tests/subject": ENGINE,
    "tests/subject/census/test_tallies.py": UNIT,
    "tests/subject/history/test_checkpoint_names.py": UNIT,
    "tests/subject/history/test_record.py": UNIT,
    "tests/subject/history/test_spacing.py": UNIT,
    "tests/subject/history/test_writing.py": UNIT,
    "tests/subject/model_file/keras1/test_words.py": UNIT,
    "tests/subject/model_file/saved_model/test_checksum.py": UNIT,
    "tests/subject/test_class_names.py": UNIT,
    "tests/subject/test_conversions.py": UNIT,
    "tests/subject/test_history.py": UNIT,
    "tests/subject/test_images.py": UNIT,
    "tests/subject/test_label_table.py": UNIT,
    "tests/subject/test_labels.py": UNIT,
    "tests/subject/test_listing.py": UNIT,
    "tests/subject/test_sample_sets.py": UNIT,
    "tests/analyses": ENGINE,
    "tests/analyses/feature_maps/test_embedding.py": UNIT,
    "tests/analyses/feature_maps/test_picks.py": UNIT,
    "tests/analyses/loss_landscape/test_plan.py": UNIT,
    "tests/analyses/optvis/test_agreement.py": UNIT,
    "tests/analyses/test_calibration.py": UNIT,
    "tests/analyses/test_options.py": UNIT,
    "tests/analyses/test_reproducible_options.py": UNIT,
    "tests/analyses/test_depth.py": UNIT,
}

# A file is a group: its tests share what it builds once, and run in its order on one worker.
# The tests of these files share nothing that is dear, and go to whoever is free.
SPREAD = {
    "tests/hostile/test_hostile.py": "a command a test, but for the groups below",
    "tests/analyses/planted/test_planted.py": "one network and audit a test; training is kept",
    "tests/subject/model_file/test_damage.py": "a worker process of its own for each format",
    "tests/subject/model_file/test_neighbours.py": "a network of tf-keras a test",
    "tests/subject/model_file/test_neighbour_graphs.py": "a network of tf-keras a test",
    "tests/analyses/test_calibration.py": "seeded draws, a second of them a test",
    "tests/rendering/test_html.py": "a page a test",
}
# And these, of such files, stay together all the same.
TOGETHER = {
    "tests/hostile/test_hostile.py::test_payloads_are_real": "one process opens all, without care",
    "tests/hostile/test_hostile.py::test_hostile_file": "one process judges them all",
    "tests/hostile/test_hostile.py::test_twin_answers_as_before": "one process opens them all",
}

# Begun first in a fresh clone, so that no worker is left alone with them at the end. Later runs
# know their own durations.
LONGEST_FIRST = (
    "tests/hostile",
    "tests/subject/model_file/test_damage.py",
    "tests/test_output.py",
    "tests/test_pipeline.py",
    "tests/analyses",
    "tests/optvis",
    "tests/landscape",
    "tests/subject",
)


def tier_of(path: str) -> str:
    """The tier of a file, by its path from the root of the repository."""
    return TIERS[max((p for p in TIERS if f"{path}/".startswith(f"{p}/")), key=len)]


def holds_tier(path: str, tier: str) -> bool:
    """Whether a file, or something in a folder, is of this tier."""
    inside = [t for p, t in TIERS.items() if p.startswith(f"{path}/")]
    return tier in (tier_of(path), *inside)


# Each network of Keras 2 is written in one of the two forms every day, in both with --all.
_FORMS = ("h5", "keras")
_IN_ONE_FORM = (
    "tests/subject/model_file/test_neighbour",
    "tests/subject/model_file/test_what_keras_writes.py",
)


def is_other_form(item: Any) -> bool:
    """Whether a test is the twin, in the other form of file, of one that runs every day.

    Which of the two that is goes by the rest of its name, so that both forms are tried.
    """
    callspec = getattr(item, "callspec", None)
    if not item.nodeid.startswith(_IN_ONE_FORM) or callspec is None:
        return False
    form = callspec.params.get("form")
    if form not in _FORMS:
        return False
    rest = item.nodeid.replace(f"-{form}]", "").replace(f"[{form}-", "[").replace(f"[{form}]", "")
    return _FORMS[zlib.crc32(rest.encode()) % 2] != form


def group_of(nodeid: str) -> str:
    """The group of a test: those of a group run on one worker, in their order."""
    path, function = nodeid.partition("::")[0], nodeid.partition("[")[0]
    if path not in SPREAD:
        return path
    return function if function in TOGETHER else nodeid


def place_of(path: str, seconds: dict[str, float]) -> float:
    """Where a file stands in the order of a run: the longest comes first."""
    if path in seconds:
        return -seconds[path]
    fits = [i for i, p in enumerate(LONGEST_FIRST) if f"{path}/".startswith(f"{p}/")]
    return -1000.0 + fits[0] if fits else 0.0
