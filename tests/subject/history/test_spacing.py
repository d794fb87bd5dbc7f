"""Which moments are kept: bounded and even, for any length of training."""

import numpy as np
import pytest

from reportgen.errors import UsageError
from reportgen.subject.history import HistoryWriter, read_history
from reportgen.subject.history.spacing import Spacing
from reportgen.subject.history.thinning import ThinningWriter


class Paper:
    """A writer that keeps its records in memory: a thousand trainings in a second."""

    def __init__(self):
        self.steps = ()
        self.written = 0

    def retain(self, steps):
        kept = {id(step) for step in steps}
        self.steps = tuple(step for step in self.steps if id(step) in kept)

    def append(self, epoch, weights, metrics, *, step=None):
        from reportgen.subject.history import HistoryStep

        self.steps = (*self.steps, HistoryStep(epoch, f"{self.written}.npz", metrics, step))
        self.written += 1


def train(steps, *, every, keep, stride=1, paper=None):
    """Record a training of ``steps`` steps, as the recorder does."""
    history = ThinningWriter(paper or Paper(), every, keep)
    history.append(0, 0, {}, {})
    for step in range(stride, steps + 1, stride):
        if history.is_due(step / 10, step):
            history.append(step / 10, step, {}, {})
        assert len(history.steps) <= keep
        assert history.steps[0].step == 0
        assert step - history.steps[-1].step < max(2 * every, 4 * step / keep)
    if history.steps[-1].step != steps:
        history.append(steps / 10, steps, {}, {})
    return [step.step for step in history.steps]


@pytest.mark.parametrize("keep", [2, 3, 7, 8, 64])
def test_a_training_of_any_length_is_bounded_and_even(keep):
    for steps in [*range(1, 130), *range(130, 1001, 37), 1000]:
        kept = train(steps, every=1, keep=keep)
        assert len(kept) <= keep
        assert (kept[0], kept[-1]) == (0, steps)
        gaps = np.diff(kept)
        assert gaps.max() <= 2 * gaps.min(), kept
        # Thinned no more than it must be.
        assert len(kept) >= min(steps, (keep - 1) // 2) + 1


@pytest.mark.parametrize(("every", "stride"), [(3, 2), (10, 9), (10, 6), (100, 64), (5, 32)])
def test_steps_that_come_in_executions_are_even_too(every, stride):
    for executions in range(1, 200, 7):
        kept = train(executions * stride, every=every, keep=16, stride=stride)
        assert len(kept) <= 16
        assert (kept[0], kept[-1]) == (0, executions * stride)
        if len(kept) > 8:
            gaps = np.diff(kept)
            assert gaps.max() <= 3 * gaps.min(), kept


def test_ever_fewer_records_are_written():
    paper = Paper()
    train(1000, every=1, keep=8, paper=paper)
    assert paper.written < 8 + 4 * np.log2(1000 / 8) + 2


@pytest.mark.parametrize("first", range(1, 60))
def test_a_resumed_training_finds_its_spacing(first):
    """Killed at any moment and taken up again, it is as even as if it had run through."""
    paper = Paper()
    history = ThinningWriter(paper, 1, 8)
    history.append(0, 0, {}, {})
    for step in range(1, first + 1):
        if history.is_due(step, step):
            history.append(step, step, {}, {})
    history = ThinningWriter(paper, 1, 8)
    history.go_on_from(first)
    for step in range(first + 1, 121):
        if history.is_due(step, step):
            history.append(step, step, {}, {})
    assert [step.step for step in history.steps] == list(range(0, 121, 16))


def test_the_disk_holds_what_the_index_names(tmp_path):
    history = ThinningWriter(HistoryWriter(tmp_path / "h"), "epoch", 4)
    weights = {"w": np.zeros(3, np.float32)}
    for epoch in range(30):
        if history.is_due(epoch, None):
            weights["w"][:] = epoch
            history.append(epoch, None, weights, {"loss": float(epoch)})
    read = read_history(tmp_path / "h")
    assert [step.epoch for step in read.steps] == [0, 8, 16, 24]
    for index, step in enumerate(read.steps):
        assert (read.arrays(index)[0] == step.epoch).all()
    files = {path.name for path in (tmp_path / "h").iterdir()}
    assert files == {"history.json", *(step.file for step in read.steps)}


@pytest.mark.parametrize("every", [0, -1, 2.5, "batch", True, None])
def test_an_interval_that_is_none_is_refused(every):
    with pytest.raises(UsageError, match=r"every: "):
        ThinningWriter(Paper(), every, 64)


@pytest.mark.parametrize("keep", [1, 0, None, "all", True])
def test_fewer_than_two_records_are_refused(keep):
    with pytest.raises(UsageError, match=r"keep: .*the least is 2"):
        Spacing(1, keep)
