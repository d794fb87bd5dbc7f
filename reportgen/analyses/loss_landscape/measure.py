"""The loss around the model: planes, the way of training, curvature, and checks on all of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reportgen.analyses.loss_landscape.checks import (
    measure_invariance,
    recompute,
)
from reportgen.analyses.loss_landscape.curvature import measure_bends
from reportgen.analyses.loss_landscape.descent import (
    descend,
    lowest_cells,
    on_training,
)
from reportgen.analyses.loss_landscape.options import Options
from reportgen.analyses.loss_landscape.plan import make_plan
from reportgen.analyses.loss_landscape.planes import (
    Drawn,
    further_planes,
    line,
    main_plane,
    training_plane,
)
from reportgen.analyses.loss_landscape.results import (
    Descent,
    Facts,
    LandscapeResult,
    Match,
    Profile,
)
from reportgen.analyses.loss_landscape.setting import Setting, settle
from reportgen.analyses.loss_landscape.training import (
    follow,
    match_history,
    share_held,
)
from reportgen.landscape.curvature import Hessian
from reportgen.landscape.grid import FloatArray
from reportgen.landscape.parameters import difference, dot
from reportgen.subject.finite import require_finite_weights

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

_NEAR = 0.02
_DESCENT = 0.1  # of the time, at most


def measure(subject: Subject, options: Options, rng: np.random.Generator) -> LandscapeResult:
    """Measure one part of the plane, or all of the section."""
    seeds, before = rng.spawn(8), subject.weights_hash()
    require_finite_weights(subject.model, "there is no loss to measure")
    setting = settle(subject, options, seeds[0])
    match = match_history(subject)
    if not np.isfinite(setting.losses).all():
        return _nothing(setting, match)
    if options.tiles > 1 and options.part:
        # The other parts come from elsewhere; the first one does all the rest.
        main = main_plane(setting, seeds[1], setting.end)
        return replace(_nothing(setting, None), planes=(main.plane,), finite=True)
    hessian = Hessian(setting.model, setting.samples, setting.point)
    least = _DESCENT * options.seconds
    descent = descend(hessian, setting.evaluator, setting.losses, seeds[2], least)
    train_losses, train_descent = _look_at_training(setting, seeds[2], least)
    history = subject.history if match is not None and not match.problem else None
    make = partial(
        make_plan,
        setting.started,
        options.seconds,
        cell=setting.evaluator.seconds_a_point,
        gradient=hessian.gradient_seconds,
        checked=options.checked_cells,
        path=history is not None,
        train=setting.train is not None,
    )
    plan, source = make(), None
    if plan.curvature:
        source = hessian.settle()
        plan = make()  # with the time that is left after the check
        if source.kind == "none":
            plan = replace(plan, curvature=False)
    main = main_plane(setting, seeds[1], plan.until.plane)
    drawn = [main]
    training = None
    if history is not None:
        training, path = follow(setting, history, plan)
        drawn.append(path)
    bends, steep = measure_bends(setting, hessian, seeds[3], plan, source)
    drawn += [steep] if steep else []
    now = time.monotonic()
    halfway = now + (plan.until.further - now) / 2
    on_train = [] if train_losses is None else training_plane(setting, main, seeds[7], halfway)
    drawn += further_planes(setting, seeds[4], plan.until.further)
    lower = lowest_cells([one.plane for one in drawn], setting.loss)
    if train_losses is not None:
        lower += on_training(setting, drawn, lower, train_losses)
        lower += lowest_cells(on_train, float(train_losses.mean()), on_training=True)
    return LandscapeResult(
        facts=_facts(setting),
        planes=(*(one.plane for one in drawn), *on_train),
        training=training,
        match=match,
        bends=bends,
        descent=descent,
        lower=lower,
        profile=_profile(setting, main, plan.line_points),
        recomputed=recompute(setting, drawn, options.checked_cells, seeds[5]),
        invariance=measure_invariance(setting, int(seeds[6].integers(2**31))),
        held=_shares(setting, drawn) if training else {},
        options=options,
        train_loss=None if train_losses is None else float(train_losses.mean()),
        train_descent=train_descent,
        untouched=subject.weights_hash() == before,
        rows=setting.rows,
        moved=setting.parameters.positions,
        losses=setting.losses,
    )


def _look_at_training(
    setting: Setting, rng: np.random.Generator, seconds: float
) -> tuple[FloatArray | None, Descent | None]:
    """Losses of the training samples at the model, and how they fall along their own gradient;
    nothing where they are no numbers."""
    evaluator = setting.train_evaluator
    if evaluator is None:
        return None, None
    losses = np.asarray(evaluator.at(setting.point, timed=True).losses[0])
    if not np.isfinite(losses).all():
        return None, None
    hessian = Hessian(setting.model, evaluator.samples, setting.point)
    return losses, descend(hessian, evaluator, losses, rng, seconds)


def _nothing(setting: Setting, match: Match | None) -> LandscapeResult:
    return LandscapeResult(
        facts=_facts(setting),
        planes=(),
        training=None,
        match=match,
        bends=None,
        descent=None,
        lower=(),
        profile=None,
        recomputed=(),
        invariance=None,
        held={},
        options=setting.options,
        finite=False,
    )


def _facts(setting: Setting) -> Facts:
    subject, loss = setting.subject, setting.model.loss
    known = loss.right is not None
    policies = {
        part.dtype_policy.compute_dtype
        for part in subject.model._flatten_layers()
        if getattr(part, "dtype_policy", None) and part.weights
    }
    other = sorted(str(p) for p in policies - {setting.model.dtype, None})
    reuse = setting.evaluator.reuse
    reused = [call.address for call in (*reuse.frozen, *reuse.linear)] if reuse else []
    finite = bool(np.isfinite(setting.losses).all())
    return Facts(
        loss_name=loss.name,
        loss_reason=loss.reason,
        loss=setting.loss if finite else 0.0,
        error=setting.bootstrap.own_error() if finite else 0.0,
        accuracy=float(setting.centre.right.mean()) if known else None,
        penalty=float(setting.centre.penalties[0]) if finite else 0.0,
        chance=loss.chance,
        ceiling=setting.ceiling if np.isfinite(setting.ceiling) else None,
        samples=setting.samples.count,
        available=len(subject.samples),
        split=subject.config.split or "not declared",
        parameters=setting.parameters.size,
        left=setting.parameters.frozen,
        dtype=setting.model.dtype,
        precision=", ".join(other),
        reused=", ".join(reused[:6]),
        static_batch=subject.probe.static_batch,
    )


def _profile(setting: Setting, main: Drawn, points: int) -> Profile:
    steps = np.linspace(-1, 1, points) * setting.options.reach
    direction = main.directions[0]
    losses, errors, right = line(setting, direction, steps)
    train_losses = train_errors = np.zeros(0)
    if setting.train_evaluator is not None:
        groups = list(setting.train_evaluator.points(setting.point, [direction], steps[:, None]))
        each = np.concatenate([np.asarray(group.losses) for group in groups])
        middle = each[len(steps) // 2]
        train_losses = each.mean(axis=1)
        with np.errstate(invalid="ignore"):
            train_errors = (each - middle).std(axis=1, ddof=1) / np.sqrt(each.shape[1])
    return Profile(steps, losses, errors, right, train_losses, train_errors)


def _shares(setting: Setting, drawn: Sequence[Drawn]) -> dict[str, float]:
    """Share of the path that each plane holds; the records are read one at a time."""
    history = setting.subject.history
    assert history is not None
    sums = dict.fromkeys((one.plane.id for one in drawn), 0.0)
    total = 0.0
    for record in range(len(history.steps)):
        way = difference(setting.parameters.take(history.arrays(record)), setting.point)
        length = dot(way, way)
        total += length
        for one in drawn:
            sums[one.plane.id] += share_held(one.directions, [way]) * length
    return {id_: value / total if total else 0.0 for id_, value in sums.items()}
