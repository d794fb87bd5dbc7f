"""Axes, cells, and planes that are kept in files."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import InputError, UsageError
from reportgen.landscape.grid import (
    CENSORED,
    INTERPOLATED,
    MEASURED,
    MISSING,
    NOT_FINITE,
    Grid,
    axis,
    empty,
    join,
    load,
    save,
    split,
)


@pytest.mark.parametrize("count", [2, 3, 10, 31, 50, 51])
@pytest.mark.parametrize("spacing", ["even", "cubic"])
def test_zero_is_always_among_the_coordinates(count, spacing):
    values = axis(1.5, count, spacing)
    assert (values == 0).sum() == 1
    assert (values[0], values[-1]) == (-1.5, 1.5)
    assert (np.diff(values) > 0).all()
    # Exactly one is added to an even count, none to an odd one.
    assert len(values) == count + (count % 2 == 0)
    np.testing.assert_allclose(values, -values[::-1], atol=1e-15)


def test_axis_labels_that_are_too_wide():
    """Coordinates are the points that are measured, not the borders of pixels."""
    np.testing.assert_allclose(axis(1.0, 5), [-1, -0.5, 0, 0.5, 1], atol=0)
    np.testing.assert_allclose(axis((-1.0, 3.0), 5), [-1, 0, 1, 2, 3], atol=0)
    np.testing.assert_allclose(np.diff(axis(1.0, 41)), 0.05, rtol=1e-12)
    # Zero lies between two points of this range.
    np.testing.assert_allclose(axis((-0.3, 1.0), 3), [-0.3, 0, 0.35, 1], atol=1e-15)
    np.testing.assert_allclose(axis((0.5, 1.0), 2), [0.5, 1.0], atol=0)


def test_the_articles_cubic_spacing():
    wanted = np.linspace(-1, 1, 30) ** 3 * 2.0
    values = axis(2.0, 30, "cubic")
    np.testing.assert_allclose(np.delete(values, 15), wanted, atol=1e-15)
    assert values[15] == 0.0


@pytest.mark.parametrize(("reach", "count"), [(1.0, 1), (0.0, 5), (-1.0, 5), ((2.0, 1.0), 5)])
def test_axes_without_a_width(reach, count):
    with pytest.raises(UsageError, match=r"grid: \d points from"):
        axis(reach, count)


def test_axes_swapped_on_a_grid_that_is_not_square():
    grid = empty(np.array([10.0, 20.0, 30.0]), np.array([-1.0, 0.0]))
    assert grid.loss.shape == grid.state.shape == (2, 3)
    assert grid.steps.tolist() == [[10, -1], [20, -1], [30, -1], [10, 0], [20, 0], [30, 0]]
    loss = np.array([[5.0, 4.0, 1.0], [2.0, 3.0, 6.0]])
    grid = replace(grid, loss=loss, state=np.zeros((2, 3), np.uint8))
    assert grid.lowest == (0, 2)
    assert empty(axis(1.0, 5), axis(1.0, 3)).centre == (1, 2)


def test_the_lowest_cell_was_measured():
    grid = example()
    assert grid.state[grid.lowest] == MEASURED
    known = np.where(grid.state == MEASURED, grid.loss, np.inf)
    assert grid.loss[grid.lowest] == known.min()
    assert empty(axis(1.0, 3), axis(1.0, 3)).lowest is None


def example(seed: int = 0) -> Grid:
    """7 x 5 cells in all states."""
    rng = np.random.default_rng(seed)
    x, y = axis(1.0, 5), axis(2.0, 7)
    state = rng.permutation(np.arange(35) % 5).reshape(7, 5).astype(np.uint8)
    loss = np.where(np.isin(state, (NOT_FINITE, MISSING)), np.nan, rng.uniform(1, 9, (7, 5)))
    values = [np.where(np.isnan(loss), np.nan, rng.random((7, 5))) for _ in range(3)]
    return Grid(x, y, loss, *values, state, 0.01)


def equal(a: Grid, b: Grid) -> bool:
    names = ("x", "y", "loss", "accuracy", "penalty", "error", "state")
    return all(np.array_equal(getattr(a, n), getattr(b, n), equal_nan=True) for n in names)


def test_states_are_counted():
    grid = example()
    for state in (MEASURED, INTERPOLATED, NOT_FINITE, CENSORED, MISSING):
        assert grid.count(state) == 7
    assert grid.settled.sum() == 21
    assert not grid.settled[np.isin(grid.state, (INTERPOLATED, MISSING))].any()


@pytest.mark.parametrize("parts", [1, 2, 3, 40])
def test_parts_cover_what_is_left_once(parts):
    grid = example()
    masks = split(grid, parts)
    assert len(masks) == parts
    np.testing.assert_array_equal(sum(m.astype(int) for m in masks), ~grid.settled)
    sizes = [m.sum() for m in masks]
    assert max(sizes) - min(sizes) <= 1
    fresh = split(empty(axis(1.0, 5), axis(1.0, 7)), 3)
    for mask in fresh:  # spread over the plane: every row has cells of every part
        assert mask.any(axis=1).all()


def test_parts_that_are_joined_are_the_whole():
    whole = example(1)
    whole = replace(
        whole,
        state=np.where(whole.settled, whole.state, MEASURED).astype(np.uint8),
        loss=np.where(whole.state == NOT_FINITE, np.nan, 1.5),
    )
    blank = empty(whole.x, whole.y)
    parts = []
    for mask in split(blank, 4):
        names = ("loss", "accuracy", "penalty", "error", "state")
        measured = {n: np.where(mask, getattr(whole, n), getattr(blank, n)) for n in names}
        parts.append(replace(blank, **measured))
    assert equal(join(parts), whole)
    assert equal(join(parts[::-1]), whole)
    missing = join(parts[:3])
    assert missing.count(MISSING) == split(blank, 4)[3].sum()


def test_what_one_part_settled_replaces_what_another_guessed():
    a, b = empty(axis(1.0, 3), axis(1.0, 3)), empty(axis(1.0, 3), axis(1.0, 3))
    a.loss[0, 0], a.state[0, 0] = 7.0, INTERPOLATED
    b.loss[0, 0], b.state[0, 0] = 5.0, MEASURED
    b.state[1, 1] = NOT_FINITE
    for joined in (join([a, b]), join([b, a])):
        assert (joined.loss[0, 0], joined.state[0, 0]) == (5.0, MEASURED)
        assert joined.state[1, 1] == NOT_FINITE
    assert (a.loss[0, 0], a.state[0, 0]) == (7.0, INTERPOLATED)


def test_parts_of_different_planes():
    with pytest.raises(UsageError, match="different axes"):
        join([empty(axis(1.0, 3), axis(1.0, 3)), empty(axis(1.0, 3), axis(2.0, 3))])


def test_a_plane_that_is_kept(tmp_path):
    grid = example()
    save(grid, tmp_path / "plane.npz", "abc")
    back = load(tmp_path / "plane.npz", "abc")
    assert equal(grid, back)
    assert back.off == grid.off
    assert back.state.dtype == np.uint8
    assert [path.name for path in tmp_path.iterdir()] == ["plane.npz"]


def test_a_plane_of_something_else_is_refused(tmp_path):
    save(example(), tmp_path / "plane.npz", "abc")
    with pytest.raises(InputError, match="of another model, other samples or another plane"):
        load(tmp_path / "plane.npz", "abd")


def damaged(kind: str, data: bytes) -> bytes:
    if kind == "cut in half":
        return data[: len(data) // 2]
    if kind == "last byte missing":
        return data[:-1]
    if kind == "empty":
        return b""
    if kind == "text":
        return b"no archive at all"
    if kind == "a flipped byte":
        place = len(data) // 3
        return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]
    stream = io.BytesIO()
    if kind == "a single array":
        np.save(stream, np.zeros(3))
    elif kind == "an object":
        np.savez(stream, loss=np.array([{"a": 1}], dtype=object), fingerprint=np.array('"abc"'))
    elif kind == "arrays missing":
        np.savez(stream, fingerprint=np.array(json.dumps("abc")), off=np.array(0.1))
    elif kind == "other arrays":
        np.savez(stream, fingerprint=np.array(json.dumps("abc")), off=np.array(0.1), z=np.zeros(2))
    else:
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("loss.npy", b"no array")
    return stream.getvalue()


KINDS = (
    "cut in half",
    "last byte missing",
    "empty",
    "text",
    "a flipped byte",
    "a single array",
    "an object",
    "arrays missing",
    "other arrays",
    "a broken member",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused(kind, tmp_path):
    path = tmp_path / "plane.npz"
    save(example(), path, "abc")
    path.write_bytes(damaged(kind, path.read_bytes()))
    with pytest.raises(InputError, match="Delete it and start anew"):
        load(path, "abc")


def test_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no saved plane"):
        load(tmp_path / "nothing.npz", "abc")


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("place", ["open", "replace"])
def test_a_crash_while_saving_leaves_the_old_file(error, place, tmp_path, monkeypatch):
    path = tmp_path / "plane.npz"
    old = example(0)
    save(old, path, "abc")

    def fail(*args, **kwargs):
        raise error

    with monkeypatch.context() as patch:
        if place == "open":
            patch.setattr("reportgen.landscape.grid.os.fsync", fail)
        else:
            patch.setattr(Path, "replace", fail)
        with pytest.raises(type(error)):
            save(example(1), path, "abc")
    assert equal(load(path, "abc"), old)
    assert [p.name for p in tmp_path.iterdir()] == ["plane.npz"]
    save(example(1), path, "abc")
    assert equal(load(path, "abc"), example(1))
