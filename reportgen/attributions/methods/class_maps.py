"""Class activation maps: the activations of one layer, weighted by what they do to the score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case
from reportgen.attributions.fills import Fill
from reportgen.attributions.maps import Maps
from reportgen.attributions.methods.counts import require_counts
from reportgen.errors import UsageError
from reportgen.subject.layers import LayerCall

FloatArray = NDArray[np.float32]
_TINY = 1e-12


@dataclass(frozen=True)
class GradCAM:
    """``sum over channels k of mean(g_k) A_k``: g the gradient of the score by the map A.

    Selvaraju et al. 2017, "Grad-CAM", equations 1 and 2, without the ReLU of the second: what is
    below zero speaks against the score, and is drawn so. The mean over positions marks places that
    the model did not use (Draelos and Carin 2020); `HiResCAM` does not.
    """

    name: ClassVar[str] = "grad_cam"
    title: ClassVar[str] = "Grad-CAM"

    @property
    def light(self) -> GradCAM:
        """See `Method`."""
        return self

    def __call__(self, case: Case) -> Maps:
        """Maps of the layer's positions, signed."""
        found, gradients, _ = read_layer(case)
        weights = gradients.mean(axis=(1, 2), keepdims=True)
        return _as_maps(self.name, case, (weights * found).sum(axis=-1))


@dataclass(frozen=True)
class GradCAMPlusPlus:
    """``sum over k of w_k A_k``, ``w_k = sum of alpha ReLU(g)``,
    ``alpha = g^2 / (2 g^2 + g^3 sum A_k)``.

    Chattopadhay et al. 2018, "Grad-CAM++", equations 10 and 19: for the exponential of the score,
    whose factor cancels in alpha and scales the whole map in w. Here it is left out, as it
    overflows. The sum of A runs over all positions. Without the last ReLU.
    """

    name: ClassVar[str] = "grad_cam_plus_plus"
    title: ClassVar[str] = "Grad-CAM++"

    @property
    def light(self) -> GradCAMPlusPlus:
        """See `Method`."""
        return self

    def __call__(self, case: Case) -> Maps:
        """Maps of the layer's positions, signed."""
        found, gradients, _ = read_layer(case)
        wide = gradients.astype(np.float64)
        below = 2 * wide**2 + wide**3 * found.sum(axis=(1, 2), keepdims=True, dtype=np.float64)
        alpha = np.divide(wide**2, below, out=np.zeros_like(wide), where=np.abs(below) > 0)
        weights = (alpha * np.maximum(wide, 0)).sum(axis=(1, 2), keepdims=True)
        return _as_maps(self.name, case, (weights * found).sum(axis=-1))


@dataclass(frozen=True)
class LayerCAM:
    """``sum over k of ReLU(g_k) A_k``: Jiang et al. 2021, "LayerCAM", equations 4 and 5."""

    name: ClassVar[str] = "layer_cam"
    title: ClassVar[str] = "LayerCAM"

    @property
    def light(self) -> LayerCAM:
        """See `Method`."""
        return self

    def __call__(self, case: Case) -> Maps:
        """Maps of the layer's positions, signed where activations are."""
        found, gradients, _ = read_layer(case)
        return _as_maps(self.name, case, (np.maximum(gradients, 0) * found).sum(axis=-1))


@dataclass(frozen=True)
class HiResCAM:
    """``sum over k of g_k A_k``: Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM".

    Where what follows the layer is pooling by the mean or flattening and one dense layer, the map
    adds up to the score less its bias, exactly. The residual says how far it is from that.
    """

    name: ClassVar[str] = "hires_cam"
    title: ClassVar[str] = "HiResCAM"

    @property
    def light(self) -> HiResCAM:
        """See `Method`."""
        return self

    def __call__(self, case: Case) -> Maps:
        """Maps of the layer's positions, signed.

        Checks: "residual", how far the sum is from the score less that of the layer's zeros, as a
        share of the larger of that and 1; "grad_cam", Spearman's correlation with Grad-CAM.
        """
        from scipy.stats import spearmanr

        found, gradients, scores = read_layer(case)
        made = (gradients * found).sum(axis=-1)
        other = (gradients.mean(axis=(1, 2), keepdims=True) * found).sum(axis=-1)
        assert case.layer is not None
        empty = case.score(case.network.without(case.pictures, case.layer), np.arange(len(case)))
        should = scores - empty
        residual = np.abs(made.sum(axis=(1, 2)) - should) / np.maximum(np.abs(should), 1.0)
        alike = [
            spearmanr(a.ravel(), b.ravel()).statistic if np.ptp(a) and np.ptp(b) else np.nan
            for a, b in zip(made, other, strict=True)
        ]
        checks = {"residual": residual, "grad_cam": np.array(alike, np.float32)}
        return _as_maps(self.name, case, made, checks)


@dataclass(frozen=True, kw_only=True)
class ScoreCAM:
    """``sum over k of w_k A_k``, w_k how much the score rises where only map k lets pixels through.

    Wang et al. 2020, "Score-CAM", equations 4 to 6: each map is stretched from 0 to 1, enlarged to
    the picture, and multiplied with it; w is the score of that less the score of the fill. The
    score is the logit, and no softmax is taken over the weights: of probabilities, none of them
    would be more than e times another. Maps without contrast weigh nothing.

    fill: what stands where a map lets nothing through; None: zeros, as in the paper. most: maps of
    each picture that are asked about, those of the largest span; None: all, as in the paper.
    """

    fill: Fill | None = "mean"
    most: int | None = None
    name: ClassVar[str] = "score_cam"
    title: ClassVar[str] = "Score-CAM"

    def __post_init__(self) -> None:
        """Raise UsageError of a count that is too small."""
        if self.most is not None:
            require_counts(most=self.most)

    @property
    def light(self) -> ScoreCAM:
        """See `Method`."""
        return replace(self, most=min(self.most or 64, 64))

    def __call__(self, case: Case) -> Maps:
        """Maps of the layer's positions, signed."""
        found = case.network.activations(case.pictures, _find_layer(case))
        low = found.min(axis=(1, 2), keepdims=True)
        span = found.max(axis=(1, 2), keepdims=True) - low
        stretched = (found - low) / np.maximum(span, _TINY)
        fills = np.zeros_like(case.pictures) if self.fill is None else case.fill(self.fill)
        ranks = (-span[:, 0, 0, :]).argsort(axis=1).argsort(axis=1)
        asked_about = (span[:, 0, 0, :] > _TINY) & (ranks < (self.most or ranks.shape[1]))
        of, channel = np.nonzero(asked_about)
        masks = np.moveaxis(stretched, -1, 1)[of, channel]
        # One more of each picture that lets nothing through: the fill.
        everyone = np.arange(len(case))
        masks = np.concatenate([masks, np.zeros((len(case), *found.shape[1:3]), np.float32)])
        asked = np.concatenate([of, everyone])
        which = np.arange(len(asked))
        ask = partial(case.network.masked, case.pictures, fills, asked, masks, which, "Score-CAM")
        logits = case.ask_once(self, ask)
        scores = case.score(logits, asked)
        weights = np.zeros(found.shape[::3], np.float32)
        weights[of, channel] = scores[: len(of)] - scores[len(of) :][of]
        return _as_maps(self.name, case, (weights[:, None, None, :] * found).sum(axis=-1))


def read_layer(case: Case) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Activations of the layer, gradients of the scores by them, scores.

    Raises:
        UsageError: the model has no layer with positions.
    """
    return case.network.maps(case.pictures, case.directions, _find_layer(case))


def _find_layer(case: Case) -> LayerCall:
    if case.layer is None:
        raise UsageError(case.no_layer)
    return case.layer


def _as_maps(
    name: str, case: Case, values: NDArray[np.floating], checks: dict[str, FloatArray] | None = None
) -> Maps:
    side = case.pictures.shape[1:3]
    return Maps(name, values.astype(np.float32), side, signed=True, checks=checks or {})
