"""The methods by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from reportgen.attributions.case import Case
from reportgen.attributions.maps import Maps
from reportgen.attributions.methods.class_maps import (
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
)
from reportgen.attributions.methods.covering import RISE, KernelSHAP, Occlusion
from reportgen.attributions.methods.gradients import Gradient, GradientTimesInput, SmoothGrad
from reportgen.attributions.methods.paths import ExpectedGradients, IntegratedGradients
from reportgen.attributions.methods.rollout import Rollout
from reportgen.errors import UsageError
from reportgen.suggest import nearest


class Method(Protocol):
    """A way to map a score."""

    @property
    def name(self) -> str:
        """As users write it."""

    @property
    def title(self) -> str:
        """As people read it."""

    @property
    def light(self) -> Method:
        """The same with fewer steps, for comparing many networks; itself where it is cheap."""

    def __call__(self, case: Case) -> Maps:
        """A map of every picture of the case."""


_ALL: tuple[Method, ...] = (
    Occlusion(),
    HiResCAM(),
    IntegratedGradients(),
    Gradient(),
    GradientTimesInput(),
    SmoothGrad(),
    SmoothGrad(of="squared"),
    SmoothGrad(of="variance"),
    ExpectedGradients(),
    GradCAM(),
    GradCAMPlusPlus(),
    LayerCAM(),
    ScoreCAM(),
    RISE(),
    KernelSHAP(),
    Rollout(),
)
METHODS: Mapping[str, Method] = {method.name: method for method in _ALL}


def find_method(wanted: str | Method) -> Method:
    """The method of that name.

    Raises:
        UsageError: there is none; names the nearest.
    """
    if not isinstance(wanted, str):
        return wanted
    if wanted not in METHODS:
        known = f"Known: {', '.join(METHODS)}."
        raise UsageError(f"There is no method {wanted!r}. {nearest(wanted, METHODS)} {known}")
    return METHODS[wanted]
