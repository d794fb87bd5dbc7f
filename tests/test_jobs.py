"""What the worker does: parts and their joining, the guard of the weights, safe transport."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

import reportgen.battery
from reportgen.analyses.contract import Analysis, AnalysisOptions, Need, unmet
from reportgen.config import build_config
from reportgen.errors import WeightsChangedError
from reportgen.pipeline import _compute
from reportgen.report.blocks import Text
from reportgen.report.findings import Finding
from reportgen.report.sections import SectionBody
from reportgen.worker import jobs
from reportgen.worker.jobs import compute_job, pack_body, present_job, unpack_body
from reportgen.worker.process import InlineExecutor


class Part(AnalysisOptions):
    first: int = 0
    count: int = 10


class Stub:
    """A subject of which only the weights matter."""

    def __init__(self) -> None:
        self.weights = [1.0]

    def weights_hash(self) -> str:
        return str(self.weights)


def in_halves(options: Part, card: object) -> list[Part]:
    half = options.count // 2
    return [Part(first=0, count=half), Part(first=half, count=options.count - half)]


def numbers(subject: Stub, options: Part, rng: np.random.Generator) -> list[int]:
    return list(range(options.first, options.first + options.count))


def tell(result: list[int]) -> SectionBody:
    finding = Finding(id="a.b", level="note", title="Numbers", message=str(result))
    return SectionBody(
        (finding,), (Text(id="a-text", caption="c"),), ("m",), {"x": np.array(result)}
    )


def make(**changes: object) -> Analysis:
    settings = {
        "id": "counting",
        "title": "Counting",
        "why": "w",
        "shows": "s",
        "needs": frozenset(),
        "options": Part,
        "compute": numbers,
        "present": tell,
        "split": in_halves,
        "join": lambda parts: [number for part in parts for number in part],
    }
    return Analysis(**{**settings, **changes})


@pytest.fixture
def stub(monkeypatch):
    """A subject that is open already, and an analysis in place of the battery."""
    subject = Stub()
    monkeypatch.setattr(jobs, "_subject", lambda config, live: subject)

    def use(analysis: Analysis) -> Stub:
        monkeypatch.setattr(reportgen.battery, "find_analysis", lambda id_: analysis)
        return subject

    return use


def test_split_parts_are_computed_apart_and_joined_in_order(stub):
    analysis = make()
    stub(analysis)
    body, seconds, memory = _compute(
        InlineExecutor(), build_config({}), None, analysis, Part(), None
    )
    np.testing.assert_array_equal(body.arrays["x"], np.arange(10))
    assert body.findings[0].message == str(list(range(10)))
    assert seconds >= 0
    assert memory > 10_000_000  # bytes: no Python process is smaller


def test_the_seed_and_the_analysis_choose_the_numbers(stub):
    stub(make(compute=lambda subject, options, rng: rng.integers(1 << 40)))

    def draw(seed: int, name: str) -> int:
        packed = compute_job(build_config({"seed": seed}), None, name, Part())
        return int(pickle.loads(packed)[0])

    assert draw(1, "a") == draw(1, "a")
    assert len({draw(1, "a"), draw(2, "a"), draw(1, "b"), draw(1 + (1 << 32), "a")}) == 4


def test_an_analysis_that_changes_weights_is_refused(stub):
    def meddle(subject: Stub, options: Part, rng: np.random.Generator) -> list[int]:
        subject.weights[0] = 2.0
        return []

    stub(make(compute=meddle))
    with pytest.raises(WeightsChangedError, match="counting changed the model's weights"):
        compute_job(build_config({}), None, "counting", Part())


def test_changed_weights_are_told_even_after_an_error(stub):
    def break_down(subject: Stub, options: Part, rng: np.random.Generator) -> list[int]:
        subject.weights[0] = 2.0
        raise ZeroDivisionError

    stub(make(compute=break_down))
    with pytest.raises(WeightsChangedError):
        compute_job(build_config({}), None, "counting", Part())


def test_the_parent_never_unpickles_what_comes_back():
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return pytest.fail, ("unpickled",)

    buffer = io.BytesIO()
    np.savez(buffer, __json__=np.array([Trap()], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        unpack_body(buffer.getvalue())


def test_a_section_travels_whole():
    body = tell([1, 2])
    again, seconds, memory = unpack_body(pack_body(body, 1.5, 7))
    assert (again.findings, again.blocks, again.method) == (body.findings, body.blocks, ("m",))
    assert (seconds, memory) == (1.5, 7)


def test_one_part_needs_no_join(stub):
    stub(make(split=None, join=None))
    part = compute_job(build_config({}), None, "counting", Part(count=3))
    body, _, _ = unpack_body(present_job("counting", [part]))
    np.testing.assert_array_equal(body.arrays["x"], [0, 1, 2])


@pytest.mark.parametrize(
    ("need", "change"),
    [
        (Need.LABELS, {"labelled": False}),
        (Need.IMAGES, {"input_kind": "vector"}),
    ],
)
def test_needs_are_read_from_the_card(need, change):
    from reportgen.report.cards import SubjectCard

    met = {"labelled": True, "input_kind": "image"}
    rest = {
        "name": "m",
        "file_format": "f",
        "sha256": None,
        "size_bytes": None,
        "keras_version": None,
        "task": "softmax",
        "task_reason": "r",
        "input_shape": (8, 8, 1),
        "outputs": (),
        "parameters": 1,
        "layers": 1,
        "conv_layers": 1,
        "samples": 1,
        "samples_found": 1,
        "split": "test",
        "preprocessing": "none",
        "resize": "none",
    }
    assert unmet(frozenset(Need), SubjectCard(**rest, **met)) == []
    assert unmet(frozenset(Need), SubjectCard(**rest, **{**met, **change})) == [need]
