"""Hostile model files are refused in words, run nothing, and honest neighbours are accepted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import PurePath

import pytest

from ..kept import locked
from .case import Case
from .generate import collect
from .trial import LOCK, commands_of, find_faults, try_file

CASES = tuple(collect())
HOSTILE = [pytest.param(case, id=case.name) for case in CASES if not case.benign]
TWINS = [pytest.param(case, id=case.name) for case in CASES if case.benign]


def through_the_command(cases, facts):
    """The cases that bring a fact that no case before them has; with --all every one."""
    seen, params = set(), []
    for case in cases:
        marks = [pytest.mark.matrix] if seen.issuperset(facts(case)) else []
        seen.update(facts(case))
        params.append(pytest.param(case, id=case.name, marks=marks))
    return params


# Every file is judged by the calls of an audit (`test_hostile_file`). Through the whole command go
# one of each guard, of each row of the list of bad inputs and of each way to end; and of the honest
# ones one of each container, and one of each that has a name of the other.
COMMANDED = through_the_command(
    [case for case in CASES if not case.benign], lambda case: {case.row, case.guard, case.codes}
)
COMMANDED_TWINS = through_the_command(
    [case for case in CASES if case.benign],
    lambda case: {
        case.name
        if case.name.removeprefix("benign-").startswith("suffix-")
        else (case.pin, PurePath(case.name).suffix)
    },
)

# Opened without care, in the folder of the case: what a user would have done who trusts a file.
CARELESS = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import json, keras, numpy as np, tensorflow as tf
for path in json.loads(sys.argv[1]):
    os.chdir(os.path.dirname(path))
    image = np.zeros((1, 8, 8, 3), np.float32)
    try:
        if os.path.isdir(path):
            served = tf.saved_model.load(path).signatures["serving_default"]
            served(tf.constant(image))
        else:
            keras.saving.load_model(path, compile=False, safe_mode=False).predict(image, verbose=0)
    except Exception as error:
        print(path, type(error).__name__, str(error)[:300])
"""
REAL = (
    "lambda.keras",
    "lambda.h5",
    "lambda-functional.keras",
    "lambda-shared.keras",
    "lambda-nested-3.keras",
    "lambda-nested-2.h5",
    "lambda-keras-2.h5",
    "lambda-in-time-distributed.keras",
    "lambda-as-output-shape.keras",
    "tfsm.keras",
    "tfsm-nested.keras",
    "graph-write",
    "graph-in-function",
    "graph-in-condition",
    "graph-printing",
    "graph-beside-layers",
    "graph-in-layer",
)


def test_the_collection_is_large_and_even():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert len(HOSTILE) >= 130
    assert len(TWINS) >= 40
    rows = Counter(case.row for case in CASES)
    assert not [row for row, count in rows.items() if count < 3]


def test_huge_claims_are_small_files(collection):
    for case in CASES:
        path = case.place(collection).path
        assert not path.is_file() or path.stat().st_size < 80 * 2**20, case.name


@pytest.fixture(scope="session")
def careless(collection):
    """The canaries that opening without care makes, by case; and what was printed."""
    places = {case.name: case.place(collection) for case in CASES if case.name in REAL}
    paths = json.dumps([str(place.path) for place in places.values()])
    with locked(collection / LOCK):
        done = subprocess.run(
            [sys.executable, "-c", CARELESS, paths], capture_output=True, text=True, timeout=300
        )
        seen = {name: place.canary.exists() for name, place in places.items()}
        for place in places.values():
            place.canary.unlink(missing_ok=True)
    return seen, done.stdout + done.stderr


@pytest.mark.parametrize("name", REAL)
def test_payloads_are_real(careless, name):
    seen, said = careless
    assert seen[name], said[-3000:]


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_file(judged, case: Case):
    assert find_faults(case, "audit", judged[case.name]) == []


@pytest.mark.parametrize("case", COMMANDED)
def test_hostile_file_through_the_command(collection, tmp_path, record_property, case: Case):
    outcomes = try_file(collection, case, tmp_path)
    record_property("hostile", [case.name, *_measures(outcomes)])
    assert {c: find_faults(case, c, outcome) for c, outcome in outcomes.items()} == {
        command: [] for command in commands_of(case)
    }


def _measures(outcomes):
    """Of the slowest and the largest refusal as unsafe: seconds, bytes."""
    refused = [outcome for outcome in outcomes.values() if outcome.code == 3]
    return (
        max((outcome.seconds for outcome in refused), default=0.0),
        max((outcome.peak_bytes for outcome in refused), default=0),
    )


@pytest.mark.parametrize("case", COMMANDED_TWINS)
def test_twin_is_accepted(collection, tmp_path, case: Case):
    outcomes = try_file(collection, case, tmp_path)
    assert {c: find_faults(case, c, outcome) for c, outcome in outcomes.items()} == {
        command: [] for command in commands_of(case)
    }


@pytest.mark.parametrize("case", TWINS)
def test_twin_answers_as_before(opened, case: Case):
    assert opened[case.name] == ""
