"""What the findings on activations point at: the flagged layers, as bars and as a table."""

from __future__ import annotations

from reportgen.analyses.feature_maps.compute import FeatureMapsResult
from reportgen.report.blocks import Bars, Block, Table

_MOST_BARS = 40


def evidence_blocks(result: FeatureMapsResult) -> list[Block]:
    """What the findings of this section point at."""
    blocks: list[Block] = []
    if result.problems.dead:
        blocks.append(_dead_bars(result))
    flagged = _flag_table(result)
    return [*blocks, flagged] if flagged else blocks


def _dead_bars(result: FeatureMapsResult) -> Bars:
    dead = result.problems.dead
    shown = dead[:_MOST_BARS]
    rest = f" {len(dead) - len(shown)} more layers are in the table." * (len(dead) > len(shown))
    return Bars(
        id="feature_maps-dead",
        title="Channels that never change",
        caption=(
            f"By layer, over all {result.census.samples:,} samples. A long orange bar is a layer "
            "that could be smaller without changing any answer given here." + rest
        ),
        alt=f"Bars of constant and responding channels in {len(shown)} layers.",
        names=tuple(problem.address for problem in shown),
        series=("respond", "never change"),
        values=(
            tuple(float(problem.of - len(problem.channels)) for problem in shown),
            tuple(float(len(problem.channels)) for problem in shown),
        ),
        value_label="channels",
    )


def _flag_table(result: FeatureMapsResult) -> Table | None:
    problems = result.problems
    kinds = (
        ("NaN or infinity", problems.non_finite),
        ("never changes", problems.dead),
        ("saturated", problems.saturated),
    )
    rows = tuple(
        (
            kind,
            p.address,
            len(p.channels) or None,
            p.of,
            _numbers(p.channels),
            "; ".join(filter(None, (p.remark, p.effect))),
        )
        for kind, group in kinds
        for p in group
    )
    if not rows:
        return None
    return Table(
        id="feature_maps-flags",
        title="Flagged layers",
        caption=f"Over all {result.census.samples:,} samples; numbers of channels from 0.",
        header=("Check", "Layer", "Channels", "Of", "Which", "Remark"),
        rows=rows,
    )


def _numbers(channels: tuple[int, ...], most: int = 40) -> str:
    more = f", … ({len(channels) - most} more)" if len(channels) > most else ""
    return ", ".join(map(str, channels[:most])) + more
