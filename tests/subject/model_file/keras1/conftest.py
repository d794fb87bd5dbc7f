"""Shared by the tests of Keras 1: seeded arrays, whatever ran before."""

import os

import numpy as np
import pytest

os.environ.setdefault("TF_USE_LEGACY_KERAS", "0")


@pytest.fixture
def draw():
    """Seeded arrays: ``draw(3, 4)`` is a matrix."""
    rng = np.random.default_rng(3)
    return lambda *shape: rng.normal(0, 0.5, shape).astype(np.float32)
