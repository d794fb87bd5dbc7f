"""The five networks, trained once a session; copies of them to damage; their audits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from reportgen.report.findings import Finding
from reportgen.subject.subject import Subject

from ...kept import keep
from .networks import NETWORKS, Network, draw_pictures, train

SAMPLES = 120
# What is drawn and the curve through the depth are other tests' concern, and take most time.
FEATURE_MAPS = {"samples": 1, "layers": 1, "mosaic_samples": 0, "depth_layers": 1}
WEIGHTS = {"shown_layers": 1}
_ABOVE = ("note", "warn", "fail", "error")


@dataclass(frozen=True)
class Audit:
    """The findings of both sections by id, and the rows of their tables of flagged layers."""

    findings: dict[str, Finding]
    rows: tuple[dict[str, Any], ...]

    @property
    def spoken(self) -> set[str]:
        """Ids of the findings above ``pass`` that follow from no other."""
        return {f.id for f in self.findings.values() if f.level in _ABOVE and f.cause is None}


@pytest.fixture(scope="session")
def trained_network(shelf: Path) -> Callable[[Network], keras.Model]:
    """``trained_network(network)``: the sound twin. Nobody changes it."""
    source = Path(__file__).with_name("networks.py")

    @cache
    def get(network: Network) -> keras.Model:
        def build(folder: Path) -> None:
            train(network).save(folder / "network.keras")

        kept = keep(shelf, f"planted-{network.name}", build, source)
        return keras.saving.load_model(kept / "network.keras")

    return get


@pytest.fixture(params=NETWORKS, ids=lambda network: network.name)
def network(request: pytest.FixtureRequest) -> Network:
    """Each of the five."""
    chosen: Network = request.param
    return chosen


@pytest.fixture
def copy(network: Network, trained_network: Callable[[Network], keras.Model]) -> keras.Model:
    """A copy of the sound twin, to damage."""
    model = network.build()
    model.set_weights(trained_network(network).get_weights())
    return model


@pytest.fixture(scope="session")
def unseen() -> tuple[np.ndarray, np.ndarray]:
    """Pictures that no network was trained on: uint8 ``(n, 12, 12, 3)``, classes."""
    return draw_pictures(SAMPLES, seed=99)


@pytest.fixture
def audit(
    subject_of: Callable[..., Subject],
    analyse: Callable[..., Any],
    unseen: tuple[np.ndarray, np.ndarray],
) -> Callable[[keras.Model], Audit]:
    """``audit(model)``: what the sections on weights and feature maps say."""

    def run(model: keras.Model) -> Audit:
        subject = subject_of(model, *unseen, preprocessing="unit")
        sections = (
            analyse("weights", subject, **WEIGHTS),
            analyse("feature_maps", subject, **FEATURE_MAPS),
        )
        findings = {id_: f for section in sections for id_, f in section.findings.items()}
        return Audit(findings, tuple(row for s in sections for row in _flagged(s.body.blocks)))

    return run


def _flagged(blocks: tuple[Any, ...]) -> list[dict[str, Any]]:
    tables = [block for block in blocks if block.id.endswith("-flags")]
    return [dict(zip(table.header, row, strict=True)) for table in tables for row in table.rows]
