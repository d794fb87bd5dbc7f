"""Writing a history that is whole at every moment, and going on with it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import OutputError, UsageError
from reportgen.subject.history import HistoryWriter, read_history
from reportgen.subject.history.thinning import ThinningWriter


class Killed(BaseException):
    """Nobody catches it, as nobody catches a SIGKILL."""


def weights(epoch):
    return {"w": np.full(4, epoch, np.float32), "v": np.full((2, 2), -epoch, np.float32)}


def record(folder, epochs, *, keep=4, **options):
    history = ThinningWriter(HistoryWriter(folder, **options), "epoch", keep)
    for epoch in epochs:
        if history.is_due(epoch, 10 * epoch):
            history.append(epoch, 10 * epoch, weights(epoch), {"loss": float(epoch)})
    return history


def check(folder):
    """Whatever happened: the history reads, and every record is what its row says."""
    history = read_history(folder)
    for index, step in enumerate(history.steps):
        for name, array in weights(step.epoch).items():
            np.testing.assert_array_equal(history.weights(index)[name], array)
    return [step.epoch for step in history.steps]


@pytest.mark.parametrize("float16", [False, "differences"])
@pytest.mark.parametrize("call", ["replace", "unlink", "fsync"])
def test_killed_at_any_call_the_history_reads_and_goes_on(tmp_path, monkeypatch, call, float16):
    """Every write, rename and deletion of a thinning training, and of one that goes on."""
    home = os if call == "fsync" else Path
    real = getattr(home, call)
    for deadline in range(3, 60):
        folder = tmp_path / f"{deadline}"
        left = deadline

        def strike(*arguments, **options):
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            return real(*arguments, **options)

        monkeypatch.setattr(home, call, strike)
        try:
            record(folder, range(12), float16=float16)
        except Killed:
            killed = True
        else:
            killed = False
        monkeypatch.setattr(home, call, real)
        if not (folder / "history.json").exists():
            continue
        before = check(folder)
        if not killed:
            break
        assert before[0] == 0
        writer = ThinningWriter(HistoryWriter(folder, float16=float16, resume=True), "epoch", 4)
        writer.go_on_from(before[-1])
        for epoch in range(before[-1] + 1, 17):
            if writer.is_due(epoch, 10 * epoch):
                writer.append(epoch, 10 * epoch, weights(epoch), {})
        assert check(folder) == [0, 8, 16]
        names = {step.file for step in read_history(folder).steps}
        assert {path.name for path in folder.iterdir()} == {"history.json", *names}
    assert not killed, "the training has more calls than were tried"
    assert deadline > 5


def test_going_on_drops_what_came_after(tmp_path):
    record(tmp_path / "h", range(6), keep=64)
    writer = HistoryWriter(tmp_path / "h", resume=True)
    history = ThinningWriter(writer, "epoch", 64)
    history.go_on_from(3)
    # On the disk nothing has changed yet.
    assert check(tmp_path / "h") == [0, 1, 2, 3, 4, 5]
    for epoch in (4, 5):
        history.append(epoch, 10 * epoch, weights(epoch), {})
    assert check(tmp_path / "h") == [0, 1, 2, 3, 4, 5]
    steps = read_history(tmp_path / "h").steps
    assert [step.step for step in steps] == [0, 10, 20, 30, 40, 50]
    # No file that an index named was ever written again.
    assert [step.file for step in steps[4:]] == ["step-0006.npz", "step-0007.npz"]
    assert len(list((tmp_path / "h").glob("*.npz"))) == 6


def test_going_on_from_the_start_keeps_the_first_record_only(tmp_path):
    record(tmp_path / "h", range(4), keep=64)
    history = ThinningWriter(HistoryWriter(tmp_path / "h", resume=True), "epoch", 64)
    history.go_on_from(0)
    history.append(1, 10, weights(1), {})
    assert check(tmp_path / "h") == [0, 1]


def test_going_on_with_nothing_is_beginning(tmp_path):
    writer = HistoryWriter(tmp_path / "h", resume=True)
    assert (writer.steps, writer.shapes) == ((), ())
    writer.append(0, weights(0), {})
    assert check(tmp_path / "h") == [0]
    assert writer.shapes == ((4,), (2, 2))


def test_files_of_others_stay(tmp_path):
    folder = tmp_path / "h"
    folder.mkdir()
    others = {"notes.txt", "step-77.npz", "step-0009.npz.bak"}
    for name in others | {"step-0009.npz"}:
        (folder / name).touch()
    record(folder, range(20))
    record(folder, range(20, 40), resume=True)
    assert others <= {path.name for path in folder.iterdir()}


def test_what_a_kill_left_goes_when_the_training_goes_on(tmp_path):
    folder = tmp_path / "h"
    record(folder, range(3))
    for name in ("step-0099.npz", ".step-0003.npz.tmp", ".history.json.tmp"):
        (folder / name).touch()
    writer = HistoryWriter(folder, resume=True)
    assert (folder / "step-0099.npz").exists()  # until something is written
    writer.append(3, weights(3), {}, step=30)
    names = {step.file for step in read_history(folder).steps}
    assert {path.name for path in folder.iterdir()} == {"history.json", *names}


def test_a_history_of_version_1_goes_on(tmp_path):
    record(tmp_path / "h", range(3))
    path = tmp_path / "h" / "history.json"
    index = json.loads(path.read_text())
    rows = [{key: row[key] for key in ("epoch", "file", "metrics")} for row in index["steps"]]
    path.write_text(json.dumps({"format_version": 1, "steps": rows}))
    assert [step.step for step in read_history(tmp_path / "h").steps] == [None, None, None]
    history = ThinningWriter(HistoryWriter(tmp_path / "h", resume=True), "epoch", 64)
    history.go_on_from(2)
    history.append(3, None, weights(3), {})
    assert check(tmp_path / "h") == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="does not count steps"):
        ThinningWriter(HistoryWriter(tmp_path / "h", resume=True), 5, 64).go_on_from(2)


def test_the_first_record_never_goes_alone(tmp_path):
    record(tmp_path / "h", range(3))
    writer = HistoryWriter(tmp_path / "h", resume=True)
    with pytest.raises(UsageError, match="first record"):
        writer.retain(writer.steps[1:])


def test_without_being_asked_nothing_goes_on(tmp_path):
    record(tmp_path / "h", range(2))
    with pytest.raises(UsageError, match="resume=True"):
        HistoryWriter(tmp_path / "h")


def test_a_moment_before_the_last_is_a_second_training(tmp_path):
    writer = HistoryWriter(tmp_path / "h")
    writer.append(0, weights(0), {}, step=0)
    writer.append(0.5, weights(1), {}, step=5)
    for epoch, step in ((0.4, 6), (0.5, 4), (0.5, None)):
        with pytest.raises(UsageError, match="cannot follow"):
            writer.append(epoch, weights(2), {}, step=step)
    writer.append(0.5, weights(2), {}, step=5)  # earlier weights were put back
    assert [step.epoch for step in read_history(tmp_path / "h").steps] == [0, 0.5, 0.5]


def test_an_index_with_a_strange_base_is_refused(tmp_path):
    from reportgen.errors import InputError

    record(tmp_path / "h", range(3), float16="differences")
    path = tmp_path / "h" / "history.json"
    for row, base in ((2, "step-0001.npz"), (2, "../step-0000.npz"), (0, "step-0000.npz")):
        index = json.loads(path.read_text())
        index["steps"][row]["base"] = base
        path.write_text(json.dumps(index))
        with pytest.raises(InputError, match="not the first record"):
            read_history(tmp_path / "h")
        index["steps"][row]["base"] = None if row == 0 else "step-0000.npz"
        path.write_text(json.dumps(index))


def test_a_precision_that_is_none_is_refused(tmp_path):
    for given in ("full", 16, None):
        with pytest.raises(UsageError, match=r"float16: .* is none of False, True, 'differences'"):
            HistoryWriter(tmp_path / "h", float16=given)


def test_a_disk_that_refuses_the_deletion_is_an_output_error(tmp_path, monkeypatch):
    real = Path.unlink

    def refuse(path, missing_ok=False):
        if path.name == "step-0001.npz":
            raise PermissionError(13, "Permission denied")
        return real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match=r"step-0001\.npz: .*Permission denied"):
        record(tmp_path / "h", range(12))
    check(tmp_path / "h")
