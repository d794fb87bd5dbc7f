"""Labels as written become positions in the order of the outputs; what does not fit is said."""

import re

import numpy as np
import pytest

from reportgen.errors import ConfigurationError
from reportgen.subject.labels import resolve_labels
from reportgen.subject.outputs import Output, Reading


def reading(task="softmax", units=3):
    return Reading(Output(0, "out", (None, units), None, "out"), task, "")


def names(*labels):
    return np.array(labels, dtype=object), tuple(sorted(set(labels)))


def resolve(labels, label_names=(), given=None, folders=(), **options):
    return resolve_labels(labels, label_names, reading(**options), given, folders)


def in_folders(*labels, empty=()):
    found, label_names = names(*labels)
    return {"labels": found, "label_names": label_names, "folders": sorted({*labels, *empty})}


def test_names_are_sorted_as_text():
    got = resolve(*names("dog", "cat", "emu", "cat"))
    assert got.classes == ("cat", "dog", "emu")
    assert got.values.tolist() == [1, 0, 2, 0]
    assert got.order == "labels sorted as text, as Keras does"


# Numbers, and folders of numbers.


@pytest.mark.parametrize("count", [3, 10, 12, 101])
@pytest.mark.parametrize("ending", ["", ".0"])
def test_whole_numbers_in_a_table_are_positions(count, ending):
    got = resolve(*names(*(f"{i}{ending}" for i in range(count))), units=count)
    assert got.values.tolist() == list(range(count))
    assert got.classes == tuple(map(str, range(count)))
    assert (got.order, got.notes) == ("labels are positions", ())


def test_some_of_the_positions_are_positions():
    got = resolve(*names("11", "2", "2.0", "0"), units=12)
    assert got.values.tolist() == [11, 2, 2, 0]
    assert got.notes == ("Samples of 3 of the 12 classes are there; none of: 1, 3, 4, 5, 6, ...",)


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        (("1", "2", "3"), [0, 1, 2]),
        (("3", "5", "8"), [0, 1, 2]),
        (("12", "10", "11"), [2, 0, 1]),
    ],
)
def test_other_numbers_are_sorted_where_text_and_numbers_agree(labels, values):
    got = resolve(*names(*labels))
    assert got.values.tolist() == values
    assert got.order == "labels sorted as text, as Keras does"


@pytest.mark.parametrize(
    ("labels", "count", "said"),
    [
        (
            range(1, 13),
            12,
            "12 whole numbers from 1 to 12, .* 12 classes have the positions 0 to 11",
        ),
        ((8, 9, 10), 3, "3 whole numbers from 8 to 10"),
        ((1, 3), 3, "2 whole numbers from 1 to 3"),
        ((0, 5, 100), 50, "3 whole numbers from 0 to 100"),
    ],
)
def test_numbers_whose_order_cannot_be_told_are_asked(labels, count, said):
    with pytest.raises(ConfigurationError, match=said + ".* --classes FILE: these numbers"):
        resolve(*names(*map(str, labels)), units=count)


def test_more_numbers_than_classes_are_no_order_to_ask_for():
    with pytest.raises(ConfigurationError, match=r"4 different labels .* only 3 classes"):
        resolve(*names("0", "1", "2", "3"))


def test_given_names_settle_numbers():
    numbers = tuple(map(str, range(1, 13)))
    assert resolve(*names("12", "1", "3.0"), given=numbers, units=12).values.tolist() == [11, 0, 2]
    # Positions, by names that are none.
    got = resolve(*names("2", "0"), given=("ant", "bee", "cow"))
    assert (got.values.tolist(), got.classes) == ([2, 0], ("ant", "bee", "cow"))
    # 0 could be a place, or a name that was forgotten.
    with pytest.raises(ConfigurationError, match="0 is not among the 3 classes"):
        resolve(*names("0", "1"), given=("1", "2", "3"))
    with pytest.raises(ConfigurationError, match="3 is not among the 3 classes"):
        resolve(*names("0", "3"), given=("0", "1", "2"))


NUMBERED = (
    "Folders named by numbers were sorted as text (0, 1, 10, ...), as Keras does. If the outputs "
    "are in the order of the numbers, give --classes."
)


def test_folders_named_by_numbers_are_sorted_as_text():
    got = resolve(**in_folders(*map(str, range(12))), units=12)
    assert got.classes[:5] == ("0", "1", "10", "11", "2")
    assert got.values[2] == 4  # the folder "2" is Keras' fifth class
    assert got.notes == (NUMBERED,)
    assert resolve(**in_folders(*map(str, range(3)))).notes == ()
    assert resolve(**in_folders("01", "02", "10")).notes == ()
    given = tuple(map(str, range(12)))
    got = resolve(**in_folders(*given), given=given, units=12)
    assert (got.values.tolist(), got.notes) == (list(range(12)), ())


def test_some_folders_named_by_numbers():
    got = resolve(**in_folders("7", "2"), units=10)
    assert got.values.tolist() == [7, 2]
    with pytest.raises(
        ConfigurationError, match=r"of 2 of the 11 classes .* \(2, 7\)\. Keras sorts"
    ):
        resolve(**in_folders("7", "2"), units=11)
    given = tuple(map(str, range(11)))
    assert resolve(**in_folders("7", "2"), given=given, units=11).values.tolist() == [7, 2]
    # A number that names a folder is a name: its place is not known.
    with pytest.raises(ConfigurationError, match=r"0, 1 are not among"):
        resolve(**in_folders("0", "1"), given=("ant", "bee", "cow"))


@pytest.mark.parametrize(
    ("labels", "empty", "count", "classes", "values", "notes"),
    [
        (
            "bd",
            "ac",
            4,
            "abcd",
            [1, 3],
            ("Samples of 2 of the 4 classes are there; none of: a, c.",),
        ),
        (
            "bd",
            "ac",
            2,
            "bd",
            [0, 1],
            ("Folders without an image were not counted as classes: a, c.",),
        ),
        (
            "abc",
            ["__MACOSX"],
            3,
            "abc",
            [0, 1, 2],
            ("Folders without an image were not counted as classes: __MACOSX.",),
        ),
        ("ac", "b", 3, "abc", [0, 2], ("Samples of 2 of the 3 classes are there; none of: b.",)),
    ],
)
def test_empty_folders(labels, empty, count, classes, values, notes):
    got = resolve(**in_folders(*labels, empty=empty), units=count)
    assert (got.classes, got.values.tolist(), got.notes) == (tuple(classes), values, notes)


def test_empty_folders_that_do_not_help():
    with pytest.raises(
        ConfigurationError, match=r"2 different labels are there \(a, b\), but .* 5 cl"
    ):
        resolve(**in_folders("a", "b", empty="cd"), units=5)


# Classes that are not there, and names that are nearly the same.


@pytest.mark.parametrize(
    ("labels", "given", "note"),
    [
        (names("b"), "abc", "Samples of 1 of the 3 classes are there; none of: a, c."),
        ((np.array([2, 0]),), None, "Samples of 2 of the 3 classes are there; none of: class 1."),
        ((np.eye(3)[[1]],), "xyz", "Samples of 1 of the 3 classes are there; none of: x, z."),
        (names("2", "0"), None, "Samples of 2 of the 3 classes are there; none of: 1."),
    ],
)
def test_classes_without_samples_are_named(labels, given, note):
    assert resolve(*labels, given=tuple(given) if given else None).notes == (note,)


def test_of_classes_that_were_not_drawn_there_are_samples():
    assert resolve(np.array(["b"], dtype=object), ("a", "b", "c")).notes == ()


@pytest.mark.parametrize(
    ("label", "nearest"),
    [
        ("Golden Retriever", "golden_retriever"),
        ("GOLDEN-RETRIEVER", "golden_retriever"),
        ("pug ", "pug"),
        ("beagel", "beagle"),
    ],
)
def test_names_that_are_nearly_the_same_are_not_guessed(label, nearest):
    with pytest.raises(ConfigurationError, match=rf"Did you mean '{nearest}'\? Spell labels and"):
        resolve(*names(label), given=("beagle", "golden_retriever", "pug"))


# Several columns of a table.


COLUMNS = ("rain", "snow", "wind")


def test_columns_are_targets_as_y_of_an_archive_is():
    got = resolve(np.array([[1, 1, 0], [0, 0, 1]]), COLUMNS, task="independent")
    assert (got.values, got.classes, got.order) == (None, COLUMNS, "columns of the table")
    assert "several classes a sample" in got.unscored
    got = resolve(np.array([[0, 1, 0], [0, 0, 1]]), COLUMNS)
    assert (got.values.tolist(), got.classes) == ([1, 2], COLUMNS)
    got = resolve(np.array([[0, 1, 0]]), COLUMNS, given=("a", "b", "c"))
    assert (got.classes, got.order) == (("a", "b", "c"), "as given by --classes")
    got = resolve(np.array([[0.5, 2.0]]), ("x", "y"), task="regression", units=2)
    assert got.values.tolist() == [[0.5, 2.0]]


@pytest.mark.parametrize("labels", [[[1, 0]], [[0.5, 0.25]], [[1, 0, 0, 0]]])
def test_columns_that_do_not_fit_the_classes(labels):
    labels = np.array(labels)
    columns = tuple("abcd"[: labels.shape[1]])
    with pytest.raises(ConfigurationError, match=r"columns \(a, b.* were read, .*--label-column"):
        resolve(labels, columns)


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


@pytest.mark.parametrize("text", ["007", "1.5", "٢", "9" * 5000])
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


# Labels that are hardly what they seem (the right reading by hand; see `doubtful_labels`).


@pytest.mark.parametrize("text", ["1.", "+1", "1.0e0", "1.000", "1"])
def test_whole_numbers_however_they_are_written(text):
    assert resolve(*names(text, "0", "2")).values.tolist() == [1, 0, 2]


def test_decimal_commas():
    assert resolve(*names("1,0", "0,0", "2,0")).values.tolist() == [1, 0, 2]
    with pytest.raises(ConfigurationError, match="several labels in one cell"):
        resolve(*names("1,0", "0", "2,0"))


def test_minus_one_and_one_are_two_classes():
    assert resolve(*names("1", "-1"), units=2).values.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("ant", "nan", "bee"), "'nan' usually stands where a label is missing"),
        (("ant", "None", "bee"), "'None' usually stands"),
        (("?", "ant", "bee"), "'?' usually stands"),
        (("0", "1", "-1"), "-1 is no position"),
        (("Bee", "ant", "bee"), "'Bee' and 'bee' differ in their spelling only"),
        (("sea lion", "sea-lion", "yak"), "differ in their spelling only"),
        (("e\u0301bee", "\u00e9bee", "yak"), "differ in their spelling only"),
        (("bee", "bee\u200b", "yak"), "differ in their spelling only"),
        (("ant|bee", "bee|cat", "ant|cat"), "several labels in one cell"),
        (("ant;bee", "bee", "ant"), "several labels in one cell"),
        (("0 1", "1 2", "0 2"), "several labels in one cell"),
        (("ant, bee", "bee", "ant"), "several labels in one cell"),
        (("[1, 0, 0]", "[0, 1, 0]", "[0, 0, 1]"), "several labels in one cell"),
        (("100", "010", "001"), "several labels in one cell"),
        (("1", "2"), "no 0. Do they count from 1"),
        (("2.5", "10.5", "3.5"), "another order as text than as numbers"),
    ],
)
def test_labels_that_could_be_something_else_are_asked(labels, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        resolve(*names(*labels))


@pytest.mark.parametrize(
    "labels",
    [
        ("a", "A", "b"),  # letters are classes of their own
        ("tench, Tinca tinca", "goldfish, Carassius auratus", "great white shark, white shark"),
        ("sea lion", "sea otter", "yak"),
        ("apple|red", "pear|green", "plum|blue"),
        ("00", "01", "10"),
        ("boeing 737", "boeing 747", "airbus 320"),
    ],
)
def test_labels_that_only_look_alike_are_classes(labels):
    got = resolve(*names(*labels))
    assert got.classes == tuple(sorted(labels))


@pytest.mark.parametrize("labels", [("ant", "nan", "none"), ("Bee", "bee", "ant|bee")])
def test_what_is_named_as_a_class_is_one(labels):
    assert resolve(*names(*labels), given=labels).classes == labels


def test_accents_are_the_same_however_they_are_stored():
    got = resolve(*names("e\u0301bee", "ant"), given=("ant", "\u00e9bee", "yak"))
    assert got.values.tolist() == [1, 0]


def test_numbers_in_names_are_told_where_text_has_another_order():
    labels = [f"class_{i}" for i in range(12)]
    got = resolve(*names(*labels), units=12)
    assert got.classes[:3] == ("class_0", "class_1", "class_10")
    assert any("sorted as text (class_0, class_1, class_10, ...)" in note for note in got.notes)


def test_positions_that_begin_with_one_are_noted():
    got = resolve(np.array([1, 2, 1]))
    assert got.notes[-1] == "The positions in y begin with 1. If they count from 1, give y - 1."


def test_folders_that_count_from_one_are_asked_about():
    with pytest.raises(ConfigurationError, match=r"no 0\. Do they count from 1"):
        resolve(**in_folders("1", "2"))


def test_a_number_among_the_names_of_classes_may_be_meant():
    with pytest.raises(ConfigurationError, match="1 is not among the 3 classes"):
        resolve(*names("0", "1"), given=("ant", "0", "bee"))


def test_long_numbers_are_told_apart():
    labels = ("9007199254740992", "9007199254740993", "9007199254740994")
    assert resolve(*names(*labels)).classes == labels
