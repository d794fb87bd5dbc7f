"""Hostile model files are refused in words, run nothing, and honest neighbours are accepted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from .case import Case
from .generate import collect
from .trial import commands_of, find_faults

CASES = tuple(collect())
HOSTILE = [pytest.param(case, id=case.name) for case in CASES if not case.benign]
TWINS = [pytest.param(case, id=case.name) for case in CASES if case.benign]

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
def test_hostile_file(outcomes, case: Case):
    found = {
        command: faults
        for command in commands_of(case)
        if (faults := find_faults(case, command, outcomes[f"{command} {case.name}"]))
    }
    assert not found


@pytest.mark.parametrize("case", TWINS)
def test_twin_is_accepted(outcomes, case: Case):
    for command in commands_of(case):
        assert find_faults(case, command, outcomes[f"{command} {case.name}"]) == []


@pytest.mark.parametrize("case", TWINS)
def test_twin_answers_as_before(opened, case: Case):
    assert opened[case.name] == ""
