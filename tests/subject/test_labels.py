"""Labels as written become positions in the order of the outputs; what does not fit is said."""

import numpy as np
import pytest

from reportgen.errors import ConfigurationError, InputError
from reportgen.subject.labels import read_class_names, resolve_labels
from reportgen.subject.outputs import Output, Reading


def reading(task="softmax", units=3):
    return Reading(Output(0, "out", (None, units), None, "out"), task, "")


def names(*labels):
    return np.array(labels, dtype=object), tuple(sorted(set(labels)))


def resolve(labels, label_names=(), given=None, **options):
    return resolve_labels(labels, label_names, reading(**options), given)


def test_names_are_sorted_as_text():
    got = resolve(*names("dog", "cat", "emu", "cat"))
    assert got.classes == ("cat", "dog", "emu")
    assert got.values.tolist() == [1, 0, 2, 0]
    assert got.order == "labels sorted as text, as Keras does"


def test_twelve_folders_named_by_numbers_are_sorted_as_text_too():
    got = resolve(*names(*map(str, range(12))), units=12)
    assert got.classes[:4] == ("0", "1", "10", "11")
    assert got.values[2] == 4  # the folder "2" is Keras' fifth class


def test_long_names_are_shortened_after_they_were_matched():
    long = ["x" * 500 + end for end in "ab"]
    got = resolve(*names(long[1], long[0], "c"))
    assert got.values.tolist() == [2, 1, 0]
    assert got.classes == ("c", "x" * 200 + "… (class 1)", "x" * 200 + "… (class 2)")


def test_given_names_decide_the_order():
    got = resolve(*names("dog", "cat"), given=("dog", "emu", "cat"))
    assert got.values.tolist() == [0, 2]
    assert got.order == "as given by --classes"


def test_some_positions_written_as_text_are_positions():
    got = resolve(*names("2", "0"))
    assert got.values.tolist() == [2, 0]
    assert got.classes == ("0", "1", "2")


@pytest.mark.parametrize("text", ["3", "007", "-1", "٢", "9" * 5000])
def test_text_that_only_looks_like_a_position(text):
    with pytest.raises(
        ConfigurationError, match=r"2 different labels are there .* distinguishes 3 classes"
    ):
        resolve(*names("0", text))


def test_unknown_labels_are_named():
    with pytest.raises(ConfigurationError, match=r"labels: yak is not among the 3 classes \(a, b"):
        resolve(*names("a", "yak"), given=("a", "b", "c"))
    many = names(*(f"n{i}" for i in range(9)))
    with pytest.raises(ConfigurationError, match=r"n0, n1, n2, n3, n4, \.\.\. are not among"):
        resolve(*many, given=("a", "b", "c"))


def test_numbers_of_classes_that_differ_are_told():
    with pytest.raises(
        ConfigurationError, match=r"2 different labels are there \(a, b\), but .* 3 classes"
    ):
        resolve(*names("a", "b"))
    with pytest.raises(ConfigurationError, match="2 names, but the model distinguishes 3 classes"):
        resolve(None, given=("a", "b"))
    with pytest.raises(ConfigurationError, match="a name stands twice"):
        resolve(None, given=("a", "b", "a"))


@pytest.mark.parametrize(
    "labels",
    [
        np.array([2, 0, 1]),
        np.array([2, 0, 1], np.uint8),
        np.array([2.0, 0.0, 1.0]),
        np.eye(3)[[2, 0, 1]],
        np.eye(3, dtype=bool)[[2, 0, 1]],
    ],
)
def test_positions_and_one_hot_rows(labels):
    got = resolve(labels)
    assert got.values.tolist() == [2, 0, 1]
    assert got.values.dtype == np.int64
    assert got.classes == ("class 0", "class 1", "class 2")


@pytest.mark.parametrize("task", ["binary", "binary_logit"])
def test_one_unit_has_two_classes(task):
    got = resolve(*names("no", "yes", "no"), task=task, units=1)
    assert (got.classes, got.values.tolist()) == (("no", "yes"), [0, 1, 0])
    assert resolve(np.array([True, False]), task=task, units=1).values.tolist() == [1, 0]


@pytest.mark.parametrize("labels", [[[1, 1, 0]], [[0, 0, 0]]])
def test_several_classes_a_sample_are_not_scored_and_say_so(labels):
    got = resolve(np.array(labels))
    assert got.values is None
    assert len(got.classes) == 3
    assert "several classes a sample" in got.unscored


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.array([0, 3]), "positions from 0 to 3"),
        (np.array([-1, 0]), "positions from -1 to 0"),
        (np.array([0.5, 1]), "holds fractions"),
        (np.array([1e300, 1]), "holds fractions"),
        (np.eye(4)[:2], r"y has shape \(2, 4\)"),
        (np.array([[0.2, 0.5, 0.3]]), r"y has shape \(1, 3\)"),
        (np.zeros((2, 3, 1)), "holds fractions"),
    ],
)
def test_positions_that_cannot_be(labels, said):
    with pytest.raises(ConfigurationError, match=said):
        resolve(labels)


def test_no_labels():
    got = resolve(None)
    assert (got.values, got.classes, got.order) == (
        None,
        ("class 0", "class 1", "class 2"),
        "numbered",
    )
    assert resolve(None, given=("x", "y", "z")).classes == ("x", "y", "z")


def test_numbers_for_regression():
    got = resolve(np.array([1, 2]), task="regression", units=1)
    assert got.values.tolist() == [[1.0], [2.0]]
    assert got.classes == ()
    assert resolve(*names("1.5", "-2"), task="regression", units=1).values[0, 0] == 1.5
    with pytest.raises(ConfigurationError, match="'cat' is not a number"):
        resolve(*names("cat"), task="regression", units=1)
    with pytest.raises(ConfigurationError, match=r"targets of shape \(2, 1\), the model gives 3"):
        resolve(np.array([1.0, 2.0]), task="regression", units=3)
    assert resolve(None, task="regression").values is None


def test_an_output_that_is_no_answer_has_no_classes():
    assert resolve(np.array([0, 1]), task="other").values is None


# The file of names.


def write(tmp_path, content):
    path = tmp_path / "classes.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content", ["cat\ndog\n", "\ufeffcat\r\n dog \r\n\r\n", "0 cat\n1 dog", "0\tcat\n1\tdog"]
)
def test_files_of_names(tmp_path, content):
    assert read_class_names(write(tmp_path, content)) == ("cat", "dog")


def test_numbers_that_do_not_count_belong_to_the_name(tmp_path):
    assert read_class_names(write(tmp_path, "1 cat\n2 dog")) == ("1 cat", "2 dog")


@pytest.mark.parametrize(
    ("content", "said"),
    [("cat\ncat\n", "names a class twice"), ("cat".encode("utf-16"), "is not UTF-8 text")],
)
def test_files_of_names_that_cannot_be_used(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        read_class_names(write(tmp_path, content))


def test_a_file_of_names_that_is_not_there_or_too_large(tmp_path, monkeypatch):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_class_names(path)
    monkeypatch.setattr("reportgen.subject.labels._MAX_NAMES_BYTES", 3)
    with pytest.raises(InputError, match="it is larger than"):
        read_class_names(write(tmp_path, "cats"))
