"""Checkpoints in the order of training, by their names."""

import pytest

from reportgen.subject.history.checkpoint_names import list_checkpoints, sort_names


@pytest.mark.parametrize(
    ("names", "epochs"),
    [
        (["1.keras", "2.keras", "10.keras"], (1, 2, 10)),
        (["ckpt-01-0.90.keras", "ckpt-02-0.12.keras", "ckpt-10-0.40.keras"], (1, 2, 10)),
        (["model.2.weights.h5", "model.9.weights.h5", "model.10.weights.h5"], (2, 9, 10)),
        (["weights.epoch_0.weights.h5", "weights.epoch_2.weights.h5"], (0, 2)),
        (["run7-epoch1.keras", "run7-epoch2.keras", "run7-epoch11.keras"], (1, 2, 11)),
        (["e1-s100.keras", "e1-s200.keras", "e2-s300.keras"], (100, 200, 300)),
        (["e1-s1.keras", "e1-s2.keras", "e2-s1.keras"], None),
        (["only.keras"], None),
        (["net5.keras"], (5,)),
    ],
)
def test_numbers_are_compared_as_numbers(names, epochs):
    for given in (names, names[::-1], sorted(names)):
        order = sort_names(given)
        assert order.names == tuple(names)
        assert order.epochs == (epochs or tuple(range(len(names))))
        assert order.numbered == (epochs is not None)
        assert order.left_out == ()


def test_a_name_of_another_build_has_no_place():
    order = sort_names(["best.keras", "2.keras", "10.keras", "1.weights.h5"])
    assert order.names == ("2.keras", "10.keras")
    assert order.left_out == ("1.weights.h5", "best.keras")


def test_names_that_are_no_numbers_to_python_do_no_harm():
    names = [f"{'9' * 200}-{n}.keras" for n in (1, 2)] + ["²-٣.keras"]
    assert sort_names(names).epochs == (1, 2)


def test_hidden_files_and_others_are_no_checkpoints(tmp_path):
    for name in ("1.keras", "2.WEIGHTS.H5", "3.hdf5", "._1.keras", ".4.keras", "log.csv", "5.npz"):
        (tmp_path / name).touch()
    assert list_checkpoints(tmp_path) == ("1.keras", "2.WEIGHTS.H5", "3.hdf5")
    assert list_checkpoints(tmp_path / "none") == ()
