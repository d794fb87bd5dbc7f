"""Planted defects each give exactly their finding, with layer and filters; sound twins none."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

import reportgen

from .defects import DEFECTS, Defect, Planted, duplicate_filters, fresh_norm_and_scale
from .networks import NETWORKS, draw_pictures, find_layer

CHECKS = {
    "weights.non_finite",
    "weights.dead_filters",
    "weights.duplicate_filters",
    "weights.untrained_layers",
    "weights.batchnorm_degenerate",
    "features.non_finite",
    "features.dead_channels",
    "features.saturated",
}


def test_the_sound_twin_was_checked_and_gives_nothing(audit, copy):
    """Each check is made, so that silence is an answer."""
    found = audit(copy)
    assert {id_: found.findings[id_].level for id_ in CHECKS} == dict.fromkeys(CHECKS, "pass")
    assert found.spoken == set()
    assert found.rows == ()


def pairs():
    """Each defect on one of the networks, in turn; --all: every pair."""
    for d, defect in enumerate(DEFECTS):
        chosen = {d % len(NETWORKS)}
        for n, network in enumerate(NETWORKS):
            marks = [] if n in chosen else [pytest.mark.matrix]
            yield pytest.param(network, defect, marks=marks, id=f"{network.name}-{defect.name}")


def test_the_pairs_of_every_day_reach_every_defect_and_network():
    chosen = [pair.values for pair in pairs() if not pair.marks]
    assert set(Counter(defect.name for _, defect in chosen).values()) == {1}
    assert {network.name for network, _ in chosen} == {network.name for network in NETWORKS}


@pytest.mark.parametrize(("network", "defect"), tuple(pairs()))
def test_a_defect_gives_its_findings_and_no_others(audit, copy, network, defect: Defect):
    planted = defect.plant(copy, network)
    check(audit(copy), planted, defect.findings)


@pytest.mark.parametrize("network", [NETWORKS[1]], ids=["residual"])
def test_a_batch_norm_with_scale_and_shift_at_their_start_too(audit, copy, network):
    planted = fresh_norm_and_scale(copy, network)
    check(audit(copy), planted, {"weights.batchnorm_degenerate"})


def check(found, planted: Planted, expected) -> None:
    said = {id_: found.findings[id_].message for id_ in sorted(found.spoken)}
    assert found.spoken == expected, said
    for id_ in expected:
        assert names(found.findings[id_].message, planted.address)
    assert {row["Layer"] for row in found.rows} == {planted.address}
    if planted.channels:
        assert {numbers(row["Which"]) for row in found.rows} == {planted.channels}


def names(message: str, address: str) -> bool:
    """Whether the address stands in the message as a word of its own."""
    return re.search(rf"(?<![\w/]){re.escape(address)}(?![\w/])", message) is not None


def numbers(which: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", which))


def test_the_twins_have_learned(network, trained_network):
    """A defect in a network that answers at random would prove little."""
    x, y = draw_pictures(200, seed=98)
    answers = trained_network(network).predict(network.arrange(x), verbose=0).argmax(axis=1)
    assert (answers == y).mean() > 0.9  # chance is 0.25


def test_channels_first_runs_here_as_numpy_computes_it(trained_network):
    """TensorFlow once had no such convolution on the CPU."""
    network = next(n for n in NETWORKS if n.channels_first)
    model = trained_network(network)
    layer = find_layer(model, "c1")
    x = network.arrange(draw_pictures(2, seed=97)[0])
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    expected = np.einsum("nchwij,ijck->nkhw", windows, layer.kernel.numpy())
    expected += layer.bias.numpy()[:, None, None]
    # 27 products of float32 values below 1.
    np.testing.assert_allclose(layer(x).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("network", [NETWORKS[3]], ids=["nested"])
def test_the_same_through_the_front_door(network, copy, unseen):
    """`reportgen.audit` on the model in memory."""
    planted = duplicate_filters(copy, network)
    report = reportgen.audit(
        copy, *unseen, preset="quick", only=("weights", "feature_maps"), preprocessing="unit"
    )
    warned = {f.id: f for f in report.findings if f.level in ("warn", "fail", "error")}
    assert set(warned) == {"weights.duplicate_filters"}
    listed = ", ".join(map(str, planted.channels))
    assert f"{planted.address} [{listed}]" in warned["weights.duplicate_filters"].message
