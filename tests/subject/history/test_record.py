"""One record: exact to the stated bound, read one array at a time."""

import zipfile

import numpy as np
import pytest

from reportgen.errors import InputError, UsageError
from reportgen.subject.history import HistoryWriter, read_history

RNG = np.random.default_rng(0)
START = {
    "a/kernel": RNG.normal(size=(40, 30)).astype(np.float32),
    "a/bias": np.zeros(30, np.float32),
    "count": np.array(7),
}


def record(folder, *moments, **options):
    writer = HistoryWriter(folder, **options)
    for step, weights in enumerate(moments):
        writer.append(step, weights, {}, step=step)
    return read_history(folder)


def moved(scale, seed=1):
    rng = np.random.default_rng(seed)
    return {
        name: (w + scale * rng.normal(size=w.shape)).astype(w.dtype)
        if w.dtype.kind == "f"
        else w + seed
        for name, w in START.items()
    }


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e7, 1e30])
def test_differences_are_exact_to_their_bound(tmp_path, scale):
    now = moved(scale)
    history = record(tmp_path / "h", START, now, float16="differences")
    assert history.steps[1].base == history.steps[0].file
    for start, exact, first, read in zip(
        START.values(), now.values(), history.arrays(0), history.arrays(1), strict=True
    ):
        np.testing.assert_array_equal(first, start)  # the first record is whole
        assert read.dtype == first.dtype
        movement = np.abs(exact.astype(np.float64) - start)
        bound = np.maximum(2.0**-11 * movement, 2.0**-39 * movement.max(initial=0))
        # Beside the bound, float32 rounds twice: the difference, and the sum.
        rounding = 2.0**-24 * (movement + np.abs(exact))
        assert (np.abs(read - exact.astype(np.float64)) <= bound + rounding).all()


def test_differences_are_far_more_exact_than_halves(tmp_path):
    now = moved(1e-3)["a/kernel"]
    history = record(tmp_path / "d", START, moved(1e-3), float16="differences")
    halves = record(tmp_path / "h", START, moved(1e-3), float16=True)
    errors = [np.abs(h.arrays(1, [0])[0] - now).max() for h in (history, halves)]
    assert errors[0] < errors[1] / 200
    sizes = [(h.directory / h.steps[1].file).stat().st_size for h in (history, halves)]
    assert sizes[0] < 1.2 * sizes[1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 1])
def test_diverged_weights_are_kept_as_they_are(tmp_path, value, where):
    moments = [{"w": np.array([1.0, 2.0], np.float32)} for _ in range(3)]
    moments[where] = {"w": np.array([value, 2.5], np.float32)}
    history = record(tmp_path / "h", *moments, float16="differences")
    for index, moment in enumerate(moments):
        np.testing.assert_array_equal(history.arrays(index)[0], moment["w"])


def test_half_precision_weights_differ_in_full(tmp_path):
    start = {"w": np.array([1.0, 60000.0], np.float16)}
    now = {"w": np.array([1.5, -60000.0], np.float16)}
    history = record(tmp_path / "h", start, now, float16="differences")
    np.testing.assert_allclose(history.arrays(1)[0], [1.5, -60000.0], rtol=2**-10)


def test_another_network_is_refused_for_differences(tmp_path):
    writer = HistoryWriter(tmp_path / "h", float16="differences")
    writer.append(0, START, {})
    with pytest.raises(UsageError, match="has 2 weights, the first record 3"):
        writer.append(1, dict(list(START.items())[:2]), {})
    with pytest.raises(UsageError, match=r"a/bias has the shape \(3,\), in the first record"):
        writer.append(1, START | {"a/bias": np.zeros(3, np.float32)}, {})
    assert [step.epoch for step in read_history(tmp_path / "h").steps] == [0]


@pytest.mark.parametrize("float16", [False, True, "differences"])
def test_only_what_is_asked_for_is_read(tmp_path, monkeypatch, float16):
    history = record(tmp_path / "h", START, moved(0.1), float16=float16)
    whole = history.arrays(1)
    read = np.lib.format.read_array
    shapes = []

    def watch(stream, **options):
        array = read(stream, **options)
        shapes.append(array.shape)
        return array

    monkeypatch.setattr(np.lib.format, "read_array", watch)
    assert history.shapes == ((40, 30), (30,), ())
    assert shapes == []
    (bias,) = history.arrays(1, [1])
    np.testing.assert_array_equal(bias, whole[1])
    # Differences take their exponents, and the array that they differ from.
    assert (40, 30) not in shapes
    assert shapes.count((30,)) == (2 if float16 == "differences" else 1)
    backwards = history.arrays(1, (2, 0))
    assert [a.shape for a in backwards] == [(), (40, 30)]
    assert history.arrays(-1, []) == []


def test_a_place_that_is_not_there_is_named(tmp_path):
    history = record(tmp_path / "h", START)
    for position in (3, -1):
        with pytest.raises(InputError, match=f"holds 3 arrays, none at position {position}"):
            history.arrays(0, [position])
    with pytest.raises(IndexError):
        history.arrays(1)


def test_a_header_that_claims_more_than_there_is(tmp_path, monkeypatch):
    """Before NumPy makes room for it."""
    history = record(tmp_path / "h", START)
    path = tmp_path / "h" / "step-0000.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("w.npy", "w") as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f4", "fortran_order": False, "shape": (2**38,)}
        )
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("read"))
    for read in (lambda: history.arrays(0), lambda: history.shapes):
        with pytest.raises(InputError, match="claims more numbers than it has"):
            read()


@pytest.mark.parametrize("exponents", [np.zeros(2, np.int16), np.zeros((3, 1), np.int16), "text"])
def test_damaged_differences_are_an_input_error(tmp_path, exponents):
    history = record(tmp_path / "h", START, moved(0.1), float16="differences")
    half = {name: np.zeros(w.shape, np.float16) for name, w in START.items()}
    np.savez(tmp_path / "h" / "step-0001.npz", **half, exponents=exponents)
    with pytest.raises(InputError, match=r"step-0001\.npz: truncated or damaged"):
        history.arrays(1)


def test_exponents_beyond_all_numbers_do_no_harm(tmp_path):
    history = record(tmp_path / "h", START, moved(0.1), float16="differences")
    half = {name: np.ones(w.shape, np.float16) for name, w in START.items()}
    np.savez(tmp_path / "h" / "step-0001.npz", **half, e=np.full(3, 30000, np.int16))
    assert np.isinf(history.arrays(1)[0]).all()
