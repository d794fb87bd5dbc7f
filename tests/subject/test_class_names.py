"""Files of class names: one a line, or the JSON that Keras and others write."""

import json

import pytest

from reportgen.errors import InputError
from reportgen.subject.class_names import read_class_names


def write(tmp_path, content):
    path = tmp_path / "classes.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "cat\ndog\n",
        "\ufeffcat\r\n dog \r\n\r\n",
        "0 cat\n1 dog",
        "0\tcat\n1\tdog",
        "1 cat\n2 dog",
        "1,dog\n0,cat",
        "dog,1\ncat,0",
        "cat 0\ndog 1",
        "1: dog\n0: cat\n",
        "0;cat\n1;dog",
        "0=cat\n1=dog",
        "0. cat\n1. dog",
        "0) cat\n1) dog",
        "00 cat\n01 dog",
        "- cat\n- dog",
        '"cat",\n"dog",',
        '0: "cat"\n1: "dog"',
        "# of the zoo\nclass\ncat\ndog",
    ],
)
def test_files_of_names(tmp_path, content):
    assert read_class_names(write(tmp_path, content)) == ("cat", "dog")


@pytest.mark.parametrize(
    "lines",
    [
        ["2 cats", "3 dogs"],
        ["0 cats", "2 dogs"],
        ["boeing 737", "boeing 747"],
        ["- cat", "dog"],
        ["1", "0"],
        ["007", "001"],
        ["#1", "#2"],
        ["class 0", "class 1"],
    ],
)
def test_numbers_that_do_not_count_belong_to_the_name(tmp_path, lines):
    assert read_class_names(write(tmp_path, "\n".join(lines))) == tuple(lines)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("cat\ncat\n", "names a class twice"),
        ("cat".encode("utf-16"), "is not UTF-8 text"),
        ("cat".encode("utf-16-le"), "NUL"),
    ],
)
def test_files_of_names_that_cannot_be_used(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        read_class_names(write(tmp_path, content))


def test_a_file_of_names_that_is_not_there_or_too_large(tmp_path, monkeypatch):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_class_names(path)
    monkeypatch.setattr("reportgen.subject.class_names._MAX_BYTES", 3)
    with pytest.raises(InputError, match="it is larger than"):
        read_class_names(write(tmp_path, "cats"))


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (["cat", "dog"], ("cat", "dog")),
        ([" 1", "0"], ("1", "0")),
        ({"0": "cat", "1": "dog"}, ("cat", "dog")),
        ({"1": "dog", "0": "cat"}, ("cat", "dog")),
        ({"cat": 0, "dog": 1}, ("cat", "dog")),
        ({"dog": 1, "cat": 0}, ("cat", "dog")),
        ({"0": 1, "1": 0}, ("1", "0")),
        ({"0": "1", "1": "0"}, ("1", "0")),
        ({str(i): f"c{i}" for i in range(12)}, tuple(f"c{i}" for i in range(12))),
        ({"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}, ("tench", "goldfish")),
        ([["n1", "tench"], ["n2", "goldfish"]], ("tench", "goldfish")),
        # ImageNet has two cranes.
        (
            {"0": ["n2", "crane"], "1": ["n3", "crane"], "2": ["n4", "maillot"]},
            ("crane (n2)", "crane (n3)", "maillot"),
        ),
        (["\ud800"], ("\\ud800",)),
    ],
)
@pytest.mark.parametrize("before", ["", "\ufeff", "\n  "])
def test_json_of_names(tmp_path, content, names, before):
    assert read_class_names(write(tmp_path, before + json.dumps(content))) == names


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('["cat", "dog"', "begins like JSON and is not valid JSON"),
        ("[unknown]\ncat\n", "begins like JSON and is not valid JSON"),
        ('["cat", 7]', "'7' is no name of a class"),
        ('["cat", NaN]', "'nan' is no name of a class"),
        ('["cat", null]', "'None' is no name of a class"),
        ('["cat", " "]', "is no name of a class"),
        ('["cat", ["n1", 2]]', "'cat' is no name of a class"),
        ('[["n1", "cat"], []]', r"'\[\]' is no name"),
        ('[[["cat"]]]', "is no name of a class"),
        ('["cat", "cat"]', r"names a class twice \('cat'\)"),
        ('{"0": "cat", "2": "dog"}', "has no class at position 1. 2 classes need"),
        ('{"1": "cat", "2": "dog"}', "has no class at position 0"),
        ('{"cat": 0, "dog": 0}', "has 2 classes at position 0"),
        ('{"cat": 1, "dog": 2}', "has no class at position 0"),
        ('{"cat": -1, "dog": 0}', "has no class at position 1"),
        ('{"0": "cat", "0": "dog"}', "has '0' twice"),
        ('{"cat": 0, "cat": 1}', "has 'cat' twice"),
        ('{"cat": true, "dog": false}', "'cat' is no position"),
        ('{"cat": 0.0, "dog": 1.0}', "'cat' is no position"),
        ('{"0": "cat", "00": "dog"}', "has 2 classes at position 0"),
        ('{"classes": ["cat", "dog"]}', "'classes' is no position"),
        ('{"0": {"name": "cat"}}', "is no name of a class"),
        ('{"0": NaN}', "'nan' is no name"),
        ('{"cat": ' + "9" * 5000 + "}", "is not valid JSON"),
        ('{"' + "9" * 5000 + '": "cat"}', "is no position"),
        ("[" * 300 + "]" * 300, "nested deeper than 200 levels"),
        ("[" * 100_000, "nested deeper than 200 levels"),
    ],
)
def test_json_that_does_not_name_the_outputs(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        read_class_names(write(tmp_path, content))


def test_json_of_too_many_values(tmp_path, monkeypatch):
    monkeypatch.setattr("reportgen.subject.model_file.configuration.MAX_NODES", 9)
    with pytest.raises(InputError, match="holds more than 9 values"):
        read_class_names(write(tmp_path, json.dumps(list(map(str, range(20))))))
