"""Gradient treatments against numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reportgen.errors import UsageError
from reportgen.optvis.gradients import Clipped, DividedByDeviation, L2Normalized, Raw

# Image 0 over both variables: 3, 4, 0, 0. Image 1: nothing. Image 2: 1, 3, 5, 7.
FIRST = np.array([[3, 4], [0, 0], [1, 3]], "float32")
SECOND = np.array([[[0], [0]], [[0], [0]], [[5], [7]]], "float32")


def treat(treatment, *rows):
    gradients = [tf.constant(FIRST[list(rows)]), tf.constant(SECOND[list(rows)])]
    first, second = treatment(gradients)
    assert second.shape[1:] == (2, 1)
    return np.concatenate([first.numpy(), second.numpy()[..., 0]], axis=1)


HAND = {
    Raw(): [[3, 4, 0, 0], [0, 0, 0, 0], [1, 3, 5, 7]],
    # ||g|| = 5; sqrt(84)
    L2Normalized(to="length"): [[0.6, 0.8, 0, 0], [0] * 4, np.array([1, 3, 5, 7]) / 84**0.5],
    # sqrt(25 / 4) = 2.5; sqrt(21)
    L2Normalized(): [[1.2, 1.6, 0, 0], [0] * 4, np.array([1, 3, 5, 7]) / 21**0.5],
    # variances: 25 / 4 - (7 / 4)^2 = 51 / 16; 21 - 16 = 5
    DividedByDeviation(): [
        np.array([3, 4, 0, 0]) * 4 / 51**0.5,
        [0] * 4,
        np.array([1, 3, 5, 7]) / 5**0.5,
    ],
    Clipped(value=3.5): [[3, 3.5, 0, 0], [0] * 4, [1, 3, 3.5, 3.5]],
    Clipped(norm=2.5): [[1.5, 2, 0, 0], [0] * 4, np.array([1, 3, 5, 7]) * 2.5 / 84**0.5],
    Clipped(norm=6.0): [[3, 4, 0, 0], [0] * 4, np.array([1, 3, 5, 7]) * 6 / 84**0.5],
}


@pytest.mark.parametrize("treatment", HAND, ids=repr)
def test_by_hand(treatment):
    # float32 and the epsilon of 1e-7
    np.testing.assert_allclose(treat(treatment, 0, 1, 2), HAND[treatment], rtol=1e-6)


@pytest.mark.parametrize("treatment", HAND, ids=repr)
def test_images_do_not_influence_each_other(treatment):
    alone = np.concatenate([treat(treatment, row) for row in range(3)])
    np.testing.assert_array_equal(alone, treat(treatment, 0, 1, 2))


def test_works_with_an_unknown_number_of_images():
    spec = tf.TensorSpec([None, 2], tf.float32)
    traced = tf.function(lambda g: L2Normalized(to="length")([g]), input_signature=[spec])
    np.testing.assert_allclose(traced(FIRST)[0][0], [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("limits", [{}, {"value": 1.0, "norm": 1.0}, {"norm": 0.0}])
def test_clipping_wants_one_limit(limits):
    with pytest.raises(UsageError, match="one limit above 0"):
        Clipped(**limits)
