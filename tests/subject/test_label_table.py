"""The CSV of file,label: what it may look like, what is refused, what is counted and named."""

import pytest

from reportgen.errors import InputError, UnsafeInputError
from reportgen.subject.listing import list_csv


@pytest.fixture
def root(tmp_path):
    for name in ("a.png", "b.png", "sub/c.png", "file", "Größe, groß.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def read(root, content, limit=100):
    table = root / "labels.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list_csv(table, root, limit=limit, seed=0)


def rows(listing):
    return [(entry.name, entry.label) for entry in listing.entries]


CLEAN = "a.png,cat\nb.png,dog\nsub/c.png,cat\n"
CLEAN_ROWS = [("a.png", "cat"), ("sub/c.png", "cat"), ("b.png", "dog")]


@pytest.mark.parametrize(
    "content",
    [
        CLEAN,
        "file,label\n" + CLEAN,
        " File , LABEL \n" + CLEAN,
        CLEAN.replace("\n", "\r\n"),
        "\ufeff" + CLEAN,
        "\ufefffile,label\n" + CLEAN,
        CLEAN.encode("utf-16"),
        b"\xfe\xff" + CLEAN.encode("utf-16-be"),
        '"a.png","cat"\n"b.png", dog \n\nsub/c.png,cat,a third column\n',
        CLEAN.replace("a.png", "./a.png"),
    ],
)
def test_every_way_to_write_the_same_table(root, content):
    listing = read(root, content)
    assert rows(listing) == CLEAN_ROWS
    assert listing.labels == ("cat", "dog")
    assert listing.found == {"cat": 2, "dog": 1}
    assert listing.skipped == ()


def test_a_file_may_be_called_file(root):
    assert rows(read(root, "file,label\nfile,cat\n")) == [("file", "cat")]


def test_names_with_commas_and_umlauts(root):
    assert rows(read(root, '"Größe, groß.png",Öl\n')) == [("Größe, groß.png", "Öl")]


@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "sub/../../a.png",
        "/etc/passwd",
        "..",
        "..\\a.png",
        "C:\\a.png",
        "c:a.png",
        "\\\\host\\share\\a.png",
        "//host/share/a.png",
        "\\a.png",
    ],
)
def test_names_that_leave_the_folder_are_refused(root, name):
    with pytest.raises(UnsafeInputError, match=r"line 2: .* points outside the image folder"):
        read(root, f"a.png,cat\n{name},cat\n")


def test_two_dots_within_a_name_are_harmless(root):
    (root / "a..b.png").write_bytes(b"x")
    assert rows(read(root, "a..b.png,cat\n")) == [("a..b.png", "cat")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a.png,cat\0\n", "holds NUL characters"),
        ("a.png,cat\0\n".encode("utf-16"), "holds NUL characters"),
        (b"a.png,cat\nb.png," + b"x" * 200_000, "line 2: field larger than field limit"),
        (b"a.png,\xff\xfe\xe9", "is not UTF-8 text \\(byte 6\\)"),
        (b"", "it is empty"),
        (b"file,label\n", "it is empty"),
        (b"nowhere.png,cat\n", "file is missing: 1"),
    ],
)
def test_tables_that_cannot_be_used(root, content, said):
    with pytest.raises(InputError, match=said):
        read(root, content)


def test_a_table_that_is_not_there(root):
    with pytest.raises(InputError, match=r"none\.csv cannot be read: No such file"):
        list_csv(root / "none.csv", root, limit=1, seed=0)
    with pytest.raises(InputError, match="it is a folder, not a regular file"):
        list_csv(root, root, limit=1, seed=0)


def test_what_is_wrong_with_single_rows_is_counted_and_named(root):
    listing = read(
        root,
        "a.png,cat\n"  # 1
        "a.png,cat\n"  # said again
        "b.png,cat\n"
        "b.png,dog\n"  # in conflict: neither is used
        "gone.png,cat\n"
        "unlabelled.png,\n"  # 6
        "alone.png\n"  # 7
        ",cat\n"  # 8
        "sub/c.png,dog\n",
    )
    assert rows(listing) == [("a.png", "cat"), ("sub/c.png", "dog")]
    assert set(listing.skipped) == {
        ("label file: repeated row", "a.png"),
        ("label file: conflicting labels", "b.png"),
        ("label file: file is missing", "gone.png"),
        ("label file: no file or no label in the row", "line 6"),
        ("label file: no file or no label in the row", "line 7"),
        ("label file: no file or no label in the row", "line 8"),
    }
    assert listing.skipped_counts == {
        "label file: repeated row": 1,
        "label file: conflicting labels": 1,
        "label file: file is missing": 1,
        "label file: no file or no label in the row": 3,
    }


def test_of_many_missing_files_five_are_named_and_all_counted(root):
    listing = read(root, "a.png,cat\n" + "".join(f"{i}.png,cat\n" for i in range(40)))
    assert listing.skipped_counts == {"label file: file is missing": 40}
    assert [name for _, name in listing.skipped] == ["0.png", "1.png", "2.png", "3.png", "4.png"]


def test_a_name_longer_than_any_file_system_allows_is_a_missing_file(root):
    listing = read(root, f"a.png,cat\n{'x' * 100_000}.png,cat\n")
    assert listing.skipped == (("label file: file is missing", "x" * 200 + "…"),)


def test_the_limit_is_shared_over_the_labels(root):
    lines = []
    for i in range(40):
        (root / f"{i}.png").touch()
        lines.append(f"{i}.png,{'cat' if i < 30 else 'dog'}\n")
    listing = read(root, "".join(lines), limit=10)
    drawn = [entry.label for entry in listing.entries]
    assert (drawn.count("cat"), drawn.count("dog")) == (5, 5)
    assert listing.found == {"cat": 30, "dog": 10}
