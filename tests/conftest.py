"""Shared by all tests: quiet TensorFlow, tiers, the shipped samples, the real files."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the worker has it
os.environ.pop("SOURCE_DATE_EPOCH", None)
# Two workers, and the processes that they start, share two cores: threads would only get in
# each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")

import pytest

from .kept import PRODUCT, keep
from .tiers import UNIT, group_of, holds_tier, is_other_form, place_of, tier_of

CLI = (sys.executable, "-c", "from reportgen.cli import main; main()")
ROOT = Path(__file__).resolve().parent.parent
HEAVY = frozenset({"tensorflow", "keras", "tf_keras"})
_SECONDS = "reportgen/seconds"
_SPENT = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of the long matrices is run."""
    parser.addoption(
        "--all", action="store_true", help="The long matrices too, which take an hour."
    )
    parser.addoption(
        "--damages",
        type=int,
        default=None,
        metavar="N",
        help="Damaged copies a format: 60, and 2,000 with --all.",
    )


# The unit tier.


class NoTensorFlow:
    """Refuses TensorFlow and Keras, whoever asks for them."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.split(".")[0] in HEAVY:
            raise ImportError(f"{name}: the tier `unit` is run without TensorFlow")


def is_unit_alone(config: pytest.Config) -> bool:
    """Whether only tests without TensorFlow were asked for: ``-m unit``."""
    return bool(config.option.markexpr == UNIT)


def pytest_configure(config: pytest.Config) -> None:
    if is_unit_alone(config):
        sys.meta_path.insert(0, NoTensorFlow())  # type: ignore[arg-type]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Alone, the unit tier does not even read the files of the others: they import Keras."""
    if is_unit_alone(config) and collection_path.is_relative_to(ROOT / "tests"):
        path = collection_path.relative_to(ROOT).as_posix()
        if collection_path.is_dir() or collection_path.name.startswith("test_"):
            return not holds_tier(path, UNIT) or None
    return None


# Marks, groups and order.


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = pytest.mark.skip(reason="of the long matrices, which scripts/test --all runs")
    for item in items:
        path = path_of(item.nodeid)
        item.add_marker(tier_of(path))
        if is_other_form(item):
            item.add_marker("matrix")
        if item.get_closest_marker("matrix") and not config.getoption("--all"):
            item.add_marker(left_out)
    if hasattr(config, "workerinput"):  # both workers read the same, and sort alike
        seconds = config.cache.get(_SECONDS, {}) if getattr(config, "cache", None) else {}
        items.sort(key=lambda item: place_of(path_of(item.nodeid), seconds))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep the garbage collector off what is there for good: TensorFlow, the tests themselves.

    A full collection walks over all of it and takes 0.2 s; `keras.utils.clear_session`, which many
    tests call, makes one each time.
    """
    _trace_only()
    gc.collect()
    gc.freeze()
    # Tracing a network makes objects by the hundred thousand, and hardly any cycles among them.
    gc.set_threshold(50_000, 20, 50)


def _trace_only() -> None:
    """Keep TensorFlow from rewriting each graph: a third of the time, for graphs that run once.

    Only in the tests' own processes. Commands and workers that tests start rewrite, as users' do.
    """
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """By the groups of `tiers`. The marker of pytest-xdist 3.8 does nothing under pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByGroup(config, log)


def path_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


# What was spent, and on what.


def _spent() -> float:
    """CPU seconds of this process and of all that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    before, now = item.session.stash.get(_SPENT, 0.0), _spent()
    item.session.stash[_SPENT] = now
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    report.user_properties = [*report.user_properties, ("cpu_seconds", now - before)]


def pytest_sessionstart(session: pytest.Session) -> None:
    session.stash[_SPENT] = _spent()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Counts and CPU time by tier, by file where it took long, and what was left out."""
    reports = [
        report
        for kind in ("passed", "failed", "error", "skipped", "")
        for report in terminalreporter.stats.get(kind, [])
        if hasattr(report, "user_properties")
    ]
    counts: Counter[str] = Counter()
    tiers: defaultdict[str, float] = defaultdict(float)
    files: defaultdict[str, float] = defaultdict(float)
    tests: defaultdict[str, float] = defaultdict(float)
    seconds: defaultdict[str, float] = defaultdict(float)
    for report in reports:
        path = path_of(report.nodeid)
        cpu = sum(v for k, v in report.user_properties if k == "cpu_seconds")
        counts[tier_of(path)] += report.when == "call"
        tiers[tier_of(path)] += cpu
        files[path] += cpu
        tests[report.nodeid] += cpu
        seconds[path] += report.duration
    if not reports:
        return
    terminalreporter.section("tiers")
    for tier, cpu in sorted(tiers.items()):
        terminalreporter.write_line(f"{tier}: {counts[tier]} tests, {cpu:.0f} s of CPU")
    for spent in (files, tests):
        terminalreporter.write_line("")
        for name, cpu in sorted(spent.items(), key=lambda row: -row[1])[:25]:
            terminalreporter.write_line(f"{cpu:8.1f} s of CPU  {name}")
    matrix = [r for r in reports if r.skipped and "of the long matrices" in str(r.longrepr)]
    if matrix:
        terminalreporter.write_line(f"left out: {len(matrix)} tests of the long matrices")
    for line in (*_told(reports), *_tell_refusals(reports)):
        terminalreporter.write_line(line)
    if getattr(config, "cache", None) and not hasattr(config, "workerinput"):
        known = config.cache.get(_SECONDS, {})
        config.cache.set(_SECONDS, {**known, **{p: round(s, 1) for p, s in seconds.items()}})


def _told(reports: Sequence[Any]) -> list[str]:
    """What tests recorded to be told at the end, on whichever worker; see ``record_property``."""
    called = [report for report in reports if report.when == "call"]
    return [str(v) for report in called for k, v in report.user_properties if k == "told"]


def _tell_refusals(reports: Sequence[Any]) -> Iterator[str]:
    """What hostile files cost the command, as their tests recorded it on whichever worker."""
    called = [report for report in reports if report.when == "call"]
    tried = [v for report in called for k, v in report.user_properties if k == "hostile"]
    if tried:
        slowest, largest = (max(tried, key=lambda row, i=i: row[i]) for i in (1, 2))
        yield (
            f"hostile files through the command: {len(tried)}; slowest refusal "
            f"{slowest[1]:.1f} s ({slowest[0]}), largest {largest[2] / 1e6:.0f} MB ({largest[0]})"
        )


# Fixtures.


@pytest.fixture(scope="session")
def shelf(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what is kept between workers and runs, see `keep`."""
    if getattr(pytestconfig, "cache", None):  # not under -p no:cacheprovider
        return Path(pytestconfig.cache.mkdir("reportgen"))
    base = tmp_path_factory.getbasetemp()
    return (base.parent if hasattr(pytestconfig, "workerinput") else base) / "kept"


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of shipped samples."""
    return ROOT / "samples"


@pytest.fixture(scope="session")
def digits(samples: Path, shelf: Path) -> Path:
    """The folder of a quick audit of the digits, with its page; nobody writes into it."""
    settings = ["--preset", "quick", "--format", "html,json", "--quiet"]

    def audit(folder: Path) -> None:
        out = folder / "report"
        command = [*CLI, "audit", str(samples / "digits"), "--out", str(out), *settings]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr

    return keep(shelf, "digits", audit, *PRODUCT, Path(__file__)) / "report"


@pytest.fixture(scope="session")
def tiny() -> dict[str, dict[str, Any]]:
    """Options of every analysis with which a whole audit takes seconds."""
    from reportgen.battery import BATTERY

    return {analysis.id: dict(analysis.options.tiny) for analysis in BATTERY}


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real models and images; tests that want it skip where it is absent."""
    folder = Path(os.environ.get("REPORTGEN_REAL", ROOT.parent / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip("the collection of real models and images is not here")
    return folder
