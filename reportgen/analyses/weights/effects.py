"""What the samples say of a flag: are its channels constant, and do answers depend on them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.weights.flags import Flag
from reportgen.errors import UsageError
from reportgen.progress import track

if TYPE_CHECKING:
    from reportgen.subject.ablation import Effect
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float64]
_STILL = 1e-6  # of the layer's median spread: what is left of zero in float32
_FEWEST = 30
Flags = tuple[Flag, ...]


@dataclass(frozen=True)
class Effects:
    """By check: the flags with their own effect, and the effect of all of them together."""

    flags: Mapping[str, Flags]
    together: Mapping[str, Effect]


def draw_rows(
    subject: Subject, most: int, work: float, passes: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Positions of the samples that are looked at, in order.

    Args:
        most: samples. work: thousand millions of multiplications that all passes may cost;
            fewer samples are drawn of a large model, but never fewer than `_FEWEST`.
    """
    a_pass = sum(flops or 0 for flops in subject.flops) / 2e9
    affordable = int(work / max(a_pass * passes, 1e-9))
    count = len(subject.samples)
    chosen = min(count, most, max(affordable, _FEWEST))
    return np.sort(rng.choice(count, chosen, replace=False))


def confirm_dead(
    subject: Subject, flags: Flags, norms: Mapping[str, LayerCall], rows: NDArray[np.int64]
) -> Flags:
    """Say of each dead filter whether its channel is constant, behind its BatchNorm if it has one.

    One forward pass; only channels that make the layer's output can be looked at.
    """
    if not len(rows):
        return flags
    places = {
        f.address: norms.get(f.address) or subject.probe.call(f.address) for f in flags if f.silence
    }
    spreads = _measure_spread(subject, places, rows)
    return tuple(
        replace(flag, confirmed=_say_constant(flag, spreads[flag.address], len(rows)))
        if flag.silence
        else flag
        for flag in flags
    )


def _say_constant(flag: Flag, spread: FloatArray, samples: int) -> str:
    chosen = np.asarray(flag.silence)
    moving = spread[spread > 0]
    usual = float(np.median(moving)) if len(moving) else 0.0
    varies = chosen[spread[chosen] > _STILL * usual]
    if not len(varies):
        return f"confirmed: constant on {samples:,} samples"
    named = ", ".join(map(str, varies[:8])) + (", …" if len(varies) > 8 else "")
    return (
        f"contradicted: {named} vary on {samples:,} samples, by up to {spread[varies].max():.3g} "
        f"(usual in the layer: {usual:.3g})"
    )


def _measure_spread(
    subject: Subject, places: Mapping[str, LayerCall], rows: NDArray[np.int64]
) -> dict[str, FloatArray]:
    """Largest minus smallest value of each channel over samples and positions, before the
    activation function (a ReLU would hide what moves below zero)."""
    from reportgen.subject.probe import Tap

    if not places:
        return {}
    taps = {address: Tap(call.address, "before") for address, call in places.items()}
    axes = {taps[address]: _channel_axis(call) for address, call in places.items()}
    low: dict[Any, FloatArray] = {}
    high: dict[Any, FloatArray] = {}
    parts = subject.probe.reduce(
        lambda batch: subject.inputs(rows[batch]),
        len(rows),
        list(axes),
        _extremes_along(axes),
        "looking at dead filters",
    )
    for part in parts:
        for tap, (smallest, largest) in zip(axes, part, strict=True):
            low[tap] = np.minimum(low.get(tap, smallest), smallest)
            high[tap] = np.maximum(high.get(tap, largest), largest)
    return {address: (high[tap] - low[tap]).astype(np.float64) for address, tap in taps.items()}


def _extremes_along(axes: Mapping[Any, int]) -> Any:
    import tensorflow as tf

    def reduce(values: Mapping[Any, Any]) -> list[Any]:
        found = []
        for tap, tensor in values.items():
            rank = tensor.shape.rank
            others = [axis for axis in range(rank) if axis != axes[tap] % rank]
            found.append((tf.reduce_min(tensor, others), tf.reduce_max(tensor, others)))
        return found

    return reduce


def _channel_axis(call: LayerCall) -> int:
    axis = getattr(call.layer, "axis", None)
    if call.class_name == "BatchNormalization" and isinstance(axis, int):
        return axis
    return 1 if call.channels_first else -1


def count_passes(checks: Mapping[str, Flags], most: int) -> int:
    """Predictions that `measure_effects` will make."""
    counts = [len(flags) for flags in checks.values() if any(map(_can, flags))]
    return 1 + sum(min(count, most) + (count > 1) for count in counts)


def measure_effects(
    subject: Subject, checks: Mapping[str, Flags], rows: NDArray[np.int64], *, most: int
) -> Effects:
    """Set the flagged filters to zero and compare the answers for the same samples.

    Args:
        checks: flags by check. most: flags of a check that are measured one by one; all of them
            are also measured together.
    """
    from reportgen.subject.ablation import read_outputs

    measurable = {id_: flags for id_, flags in checks.items() if any(map(_can, flags))}
    if not measurable or not len(rows):
        return Effects(checks, {})
    before = read_outputs(subject, rows)
    found, together = dict(checks), {}
    for id_, flags in measurable.items():
        measured: list[Flag] = []
        effects: list[Effect] = []
        for flag in track(flags[:most], "setting flagged filters to zero"):
            effect, words = _measure(subject, [flag], rows, before)
            effects += [effect] if effect else []
            measured.append(replace(flag, effect=words))
        found[id_] = (*measured, *flags[most:])
        if len(flags) == 1 and effects:
            together[id_] = effects[0]
        elif len(flags) > 1 and (whole := _measure(subject, flags, rows, before)[0]):
            together[id_] = whole
    return Effects(found, together)


def _can(flag: Flag) -> bool:
    return flag.silence is not None


def _measure(
    subject: Subject, flags: Flags | list[Flag], rows: NDArray[np.int64], before: Any
) -> tuple[Effect | None, str]:
    from reportgen.subject.ablation import measure_effect
    from reportgen.subject.channel_weights import find_parts

    chosen: dict[str, list[int] | None] = {}
    for flag in filter(_can, flags):
        try:
            find_parts(subject.probe, flag.address)
        except UsageError as error:
            if len(flags) == 1:
                return None, f"effect not measured: {error}"
            continue
        known = chosen.get(flag.address, [])
        whole = not flag.silence or known is None
        chosen[flag.address] = None if whole else [*(known or []), *(flag.silence or ())]
    if not chosen:
        return None, "effect not measured: these are not channels of the layer's output"
    effect = measure_effect(subject, chosen, rows, before=before)
    return effect, effect.describe()
