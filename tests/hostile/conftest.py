"""The collection, written once; its files tried once; and the counts, told at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from .case import Case
from .trial import Outcome, commands_of, find_faults, open_files, try_files, write_collection
from .trial import write_images as _write_images

_LINES = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every fourth hostile file, and at least six of a row, unless all are asked for."""
    if config.getoption("--all-hostile"):
        return
    seen: Counter[str] = Counter()
    left_out = []
    for item in items:
        case = getattr(getattr(item, "callspec", None), "params", {}).get("case")
        if isinstance(case, Case) and not case.benign:
            seen[case.row] += 1
            if seen[case.row] > 6 and seen[case.row] % 4:
                left_out.append(item)
    items[:] = [item for item in items if item not in left_out]
    if left_out:
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all files."""
    root = tmp_path_factory.mktemp("hostile")
    write_collection(root)
    _write_images(root / "images")
    return root


@pytest.fixture(scope="session")
def selected(request: pytest.FixtureRequest) -> list[Case]:
    """The cases that the chosen tests ask for: trying all takes minutes."""
    asked = {}
    for item in request.session.items:
        case = getattr(getattr(item, "callspec", None), "params", {}).get("case")
        if isinstance(case, Case):
            asked[case.name] = case
    return list(asked.values())


@pytest.fixture(scope="session")
def outcomes(
    collection: Path, selected: list[Case], pytestconfig: pytest.Config
) -> dict[str, Outcome]:
    """What the real command did with each file, by ``command name``."""
    found = try_files(collection, selected)
    pytestconfig.stash[_LINES] = list(_summarise(selected, found))
    return found


@pytest.fixture(scope="session")
def opened(collection: Path, selected: list[Case]) -> dict[str, str]:
    """What is wrong with each honest file once it is open: "" or a sentence."""
    return open_files(collection, [case for case in selected if case.benign])


def _summarise(cases: list[Case], outcomes: dict[str, Outcome]) -> Iterator[str]:
    hostile = [case for case in cases if not case.benign]
    twins = [case for case in cases if case.benign]
    good = {case.name for case in cases if not _faults(case, outcomes)}
    tried = [
        outcomes[f"{command} {case.name}"] for case in hostile for command in commands_of(case)
    ]
    if tried:
        # Refused as unsafe: what can only be found out by building needs TensorFlow, and ends in 4.
        refusals = [outcome for outcome in tried if outcome.code == 3] or tried
        slowest = max(refusals, key=lambda outcome: outcome.seconds)
        largest = max(refusals, key=lambda outcome: outcome.peak_bytes)
        yield (
            f"hostile files: {len(hostile)} tried, "
            f"{sum(case.name in good for case in hostile)} as expected, "
            f"{sum(outcome.canary for outcome in tried)} canaries, "
            f"{sum('Traceback' in outcome.said for outcome in tried)} tracebacks"
        )
        yield (
            f"refusals: slowest {slowest.seconds:.1f} s ({slowest.key}), "
            f"largest {largest.peak_bytes / 1e6:.0f} MB ({largest.key})"
        )
    if twins:
        accepted = sum(case.name in good for case in twins)
        yield f"benign twins: {len(twins)} tried, {accepted} accepted"


def _faults(case: Case, outcomes: dict[str, Outcome]) -> list[str]:
    return [
        fault
        for command in commands_of(case)
        for fault in find_faults(case, command, outcomes[f"{command} {case.name}"])
    ]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for line in config.stash.get(_LINES, []):
        terminalreporter.write_line(line)
