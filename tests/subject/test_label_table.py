"""Tables of labels: what they may look like, what is asked, refused, counted and named."""

import os

import pytest

from reportgen.errors import ConfigurationError, InputError, UnsafeInputError
from reportgen.subject.label_table import list_table


@pytest.fixture
def root(tmp_path):
    for name in ("a.png", "b.png", "sub/c.png", "Größe, groß.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def read(root, content, limit=100, **options):
    table = root / "labels.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list_table(table, root, limit=limit, seed=0, **options)


def rows(listing):
    return [(entry.name, entry.label) for entry in listing.entries]


def targets(listing):
    assert {entry.label for entry in listing.entries} == {None}
    return {entry.name: entry.targets for entry in listing.entries}


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
        '"a.png","cat"\n"b.png", "dog"\n\nsub/c.png,cat,\n',
        CLEAN.replace("a.png", "./a.png"),
        CLEAN.replace(",", ";"),
        CLEAN.replace(",", "\t"),
        CLEAN.replace(",", " | "),
        ("file;label\n" + CLEAN.replace(",", ";")).encode("utf-16"),
        "filename,class\n" + CLEAN,
        "Image_ID\tBreed\n" + CLEAN.replace(",", "\t"),
        "what it shows|where it lies\n" + "cat|a.png\ndog|b.png\ncat|sub/c.png\n",
        "id,filename,class\n7,a.png,cat\n9,b.png,dog\n9,sub/c.png,cat\n",
        "Unnamed: 0,path,label,split\n0,a.png,cat,x\n1,b.png,dog,x\n2,sub/c.png,cat,y\n",
        ",path,sort\n10,a.png,cat\n11,b.png,dog\n12,sub/c.png,cat\n",
        "0,a.png,cat\n1,b.png,dog\n2,sub/c.png,cat\n",
        "file,kind,empty\na.png,cat,\nb.png,dog,\nsub/c.png,cat,\n",
    ],
)
def test_every_way_to_write_the_same_table(root, content):
    listing = read(root, content)
    assert rows(listing) == CLEAN_ROWS
    assert listing.labels == ("cat", "dog")
    assert listing.found == {"cat": 2, "dog": 1}
    assert listing.skipped == ()


def test_a_file_may_be_called_file(root):
    (root / "file").write_bytes(b"x")
    assert rows(read(root, "file,label\nfile,cat\n")) == [("file", "cat")]
    assert rows(read(root, "file,sort\na.png,cat\n")) == [("a.png", "cat")]


def test_names_with_commas_and_umlauts(root):
    assert rows(read(root, '"Größe, groß.png",Öl\n')) == [("Größe, groß.png", "Öl")]
    assert rows(read(root, "Größe, groß.png;Öl\n")) == [("Größe, groß.png", "Öl")]


# What stands between the cells.


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("a.png;1,5\nb.png;2,5\n", [("a.png", "1,5"), ("b.png", "2,5")]),
        ("a.png\tcat, wild\nb.png\tdog, tame\n", [("a.png", "cat, wild"), ("b.png", "dog, tame")]),
        ("a.png,cat|in\nb.png,dog|out\n", [("a.png", "cat|in"), ("b.png", "dog|out")]),
        ("file,label\na.png,x;y\nb.png,z;y\n", [("a.png", "x;y"), ("b.png", "z;y")]),
    ],
)
def test_the_sign_that_divides_all_lines_and_leaves_names_of_files(root, content, found):
    assert rows(read(root, content)) == found


def test_signs_that_cannot_be_told_apart_are_asked(root):
    with pytest.raises(ConfigurationError, match="divided at comma and semicolon, and neither"):
        read(root, "x.png;1,5\ny.png;2,5\n")


@pytest.mark.parametrize("content", ["a.png\nb.png\n", "a.png cat\nb.png dog\n", "file\na.png\n"])
def test_a_table_of_one_cell_a_line(root, content):
    with pytest.raises(InputError, match=r"no row of two cells \(line 1: .* a semicolon, a tab or"):
        read(root, content)


@pytest.mark.parametrize("row", ['b.png,"dog\n', 'b.png,"dog" or wolf\n', 'b.png,"a""\n'])
def test_a_quote_that_does_not_end_swallows_no_rows(root, row):
    with pytest.raises(InputError, match=r"labels\.csv, line \d: "):
        read(root, "a.png,cat\n" * 3 + row + "sub/c.png,cat\n")


# The columns.


@pytest.mark.parametrize(
    ("content", "column"),
    [
        # The word decides between two columns of files.
        ("image,mask,label\na.png,b.png,cat\nb.png,a.png,dog\n", "image"),
        ("other,path,label\na.png,b.png,dog\nb.png,a.png,cat\n", "path"),
        # Both are the same file: there is nothing to decide.
        ("name,path,label\na.png,./a.png,cat\nb.png,./b.png,dog\n", "name"),
        # A label may be called like a file.
        ("what,label,age\na.png,x,3\nb.png,x,4\nsub/c.png,a.png,5\n", "what"),
        # None is there, but one looks like it.
        ("id,photo of it,label\n1,x.png,cat\n2,y.png,dog\n", "photo of it"),
        # Nothing at all: the word, else the first.
        ("label,id\ncat,x\ndog,y\n", "id"),
        ("one,two\ncat,x\ndog,y\n", "column 1"),
    ],
)
def test_the_column_of_the_files(root, content, column):
    try:
        (said,) = read(root, content).notes
    except InputError as error:
        said = str(error)
    assert f"read from {column!r}" in said


@pytest.mark.parametrize(
    "content",
    [
        "image,path,label\na.png,b.png,cat\nb.png,a.png,dog\n",
        "left,right,label\na.png,b.png,cat\nb.png,a.png,dog\n",
        "a.png,b.png,cat\nb.png,a.png,dog\n",
    ],
)
def test_two_columns_of_files_are_asked(root, content):
    with pytest.raises(ConfigurationError, match=r"several columns name files \('.*', '.*' in the"):
        read(root, content)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        # Names without suffix have a header all the same, and none where they have not.
        ("id,label\na,cat\nb,dog\n", [("a.png", "cat"), ("b.png", "dog")]),
        ("what,sort\na,cat\nb,dog\n", [("a.png", "cat"), ("b.png", "dog")]),
        ("a,cat\nb,dog\n", [("a.png", "cat"), ("b.png", "dog")]),
        # A first row that is no header: its label is one of the others, or a number like them.
        ("gone,cat\na,cat\nb,dog\n", [("a.png", "cat"), ("b.png", "dog")]),
        ("gone,1.5\na,2\nb,3\n", [("a.png", "2"), ("b.png", "3")]),
        ("gone.png,cat\na.png,dog\n", [("a.png", "dog")]),
        # A header over files of which few are there.
        ("id,label\nx,cat\ny,cat\nz,dog\na,dog\n", [("a.png", "dog")]),
    ],
)
def test_whether_the_first_row_is_a_header(root, content, found):
    listing = read(root, content)
    assert rows(listing) == found
    missing = [name for cause, name in listing.skipped if cause == "label file: file is missing"]
    assert not {"id", "what"} & set(missing)
    assert ("gone" in content) == any(name.startswith("gone") for name in missing)


@pytest.mark.parametrize(
    "word", ["label", "Labels", "CLASS", "class_name", "Class Name", "target", "y"]
)
def test_a_word_names_the_column_of_labels(root, word):
    listing = read(root, f"file,age,{word},split\na.png,3,cat,test\nb.png,4,dog,test\n")
    assert rows(listing) == [("a.png", "cat"), ("b.png", "dog")]
    assert listing.notes == (
        "Of the table, files were read from 'file' and labels from "
        f"{word!r}; not read: 'age', 'split'.",
    )


def test_a_y_beside_an_x_is_no_word_for_labels(root):
    content = "file,x,y,class\na.png,3,5,cat\nb.png,4,7,dog\n"
    assert rows(read(root, content)) == [("a.png", "cat"), ("b.png", "dog")]
    with pytest.raises(ConfigurationError, match="It could be 'x', 'y'"):
        read(root, "file,x,y\na.png,3,5\nb.png,4,7\n")


MARKS = "filename,rain,snow,wind\na.png,1,1,0\nb.png,0,0,1\nsub/c.png,0,0,0\n"
MARKED = {"a.png": (1, 1, 0), "b.png": (0, 0, 1), "sub/c.png": (0, 0, 0)}


@pytest.mark.parametrize(
    "content",
    [
        MARKS,
        "file,rain,snow,wind\na.png,1.0,1,0\nb.png,0.0,0,1\nsub/c.png,0.0,0,0\n",
        MARKS.replace(",", ";").replace("1", "True").replace("0", "false"),
        ",filename,rain,snow,wind\n5,a.png,1,1,0\n6,b.png,0,0,1\n7,sub/c.png,0,0,0\n",
        "a.png,1,1,0\nb.png,0,0,1\nsub/c.png,0,0,0\n",
    ],
)
def test_columns_of_0_and_1_are_several_targets(root, content):
    listing = read(root, content)
    assert targets(listing) == MARKED
    assert all(type(mark) is int for row in targets(listing).values() for mark in row)
    header = "rain" in content
    assert listing.labels == (
        ("rain", "snow", "wind") if header else ("column 2", "column 3", "column 4")
    )
    assert any("were taken for the outputs in this order" in note for note in listing.notes)


def test_two_rows_of_marks_do_not_count_the_rows(root):
    listing = read(root, "file,ant,bee\na.png,0,1\nb.png,1,0\n")
    assert targets(listing) == {"a.png": (0, 1), "b.png": (1, 0)}


def test_columns_named_by_digits(root):
    listing = read(root, "filename,0,1,2\na.png,1,0,0\nb.png,0,1,1\n")
    assert listing.labels == ("0", "1", "2")
    assert targets(listing) == {"a.png": (1, 0, 0), "b.png": (0, 1, 1)}


def test_class_names_order_the_columns(root):
    listing = read(root, MARKS, classes=("wind", "rain", "snow"))
    assert listing.labels == ("wind", "rain", "snow")
    assert targets(listing) == {"a.png": (0, 1, 1), "b.png": (1, 0, 0), "sub/c.png": (0, 0, 0)}
    assert listing.notes == ()
    others = read(root, MARKS, classes=("Regen", "Schnee", "Sturm"))
    assert targets(others) == MARKED
    assert "'rain', 'snow', 'wind' were taken for the outputs" in others.notes[0]


@pytest.mark.parametrize(
    ("classes", "guess"),
    [
        (("Rain", "Snow", "Wind"), "'rain' is not .* Did you mean 'Rain'"),
        (("rain", "snow", "storm"), "'wind' is not among the classes"),
        (("rain ", "drizzle", "gale"), "'rain' is not .* Did you mean"),
    ],
)
def test_columns_that_are_partly_the_classes_are_asked(root, classes, guess):
    with pytest.raises(ConfigurationError, match=f"column {guess}"):
        read(root, MARKS, classes=classes)


@pytest.mark.parametrize(
    ("content", "names", "found"),
    [
        (
            "file,x,y\na.png,0.5,1.25\nb.png,2.0,-3e1\n",
            ("x", "y"),
            {"a.png": (0.5, 1.25), "b.png": (2.0, -30.0)},
        ),
        (
            "file,length,width\na.png,12.0,3.5\nb.png,13.0,.5\n",
            ("length", "width"),
            {"a.png": (12.0, 3.5), "b.png": (13.0, 0.5)},
        ),
        (
            "0,a.png,1.5,2.5\n1,b.png,3.5,4.5\n2,sub/c.png,0.,1.\n",
            ("column 3", "column 4"),
            {"a.png": (1.5, 2.5), "b.png": (3.5, 4.5), "sub/c.png": (0.0, 1.0)},
        ),
    ],
)
def test_columns_of_fractions_are_targets(root, content, names, found):
    listing = read(root, content)
    assert (targets(listing), listing.labels) == (found, names)
    assert all(type(value) is float for row in targets(listing).values() for value in row)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("file,sort,age\na.png,cat,1\nb.png,dog,7\n", "'sort', 'age'"),
        ("file,class,label\na.png,0,1\nb.png,1,1\n", "'class', 'label'"),
        ("file,genus,rain,snow\na.png,x,1,0\nb.png,y,0,1\n", "'genus', 'rain', 'snow'"),
        ("file,age,weight\na.png,1,0.5\nb.png,7,0.5\n", "'age', 'weight'"),
        ("a.png,cat,test\nb.png,dog,test\n", "'column 2', 'column 3'"),
    ],
)
def test_labels_that_could_be_in_several_columns_are_asked(root, content, columns):
    with pytest.raises(ConfigurationError) as asked:
        read(root, content)
    first = columns.split(", ")[0]
    assert f"which column holds the labels? It could be {columns}. Say it" in str(asked.value)
    assert f"such as --label-column {first}" in str(asked.value)


@pytest.mark.parametrize(
    "content",
    [
        "Unnamed: 0,file\n0,a.png\n1,b.png\n",
        "file,\na.png,x\nb.png,y\n",
        "image,mask\na.png,b.png\nb.png,a.png\n",
    ],
)
def test_numbers_of_rows_and_other_files_are_no_labels(root, content):
    with pytest.raises(ConfigurationError, match=r"no column could be told .* --label-column"):
        read(root, content)


SEVERAL = "Unnamed: 0,file,sort,age,rain\n0,a.png,cat,2,1\n1,b.png,dog,1.5,0\n"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("sort",), [("a.png", "cat"), ("b.png", "dog")]),
        (("age",), [("b.png", "1.5"), ("a.png", "2")]),
        (("Unnamed: 0",), [("a.png", "0"), ("b.png", "1")]),
        (("sort", "sort"), [("a.png", "cat"), ("b.png", "dog")]),
    ],
)
def test_a_column_that_was_asked_for(root, asked, found):
    assert rows(read(root, SEVERAL, label_columns=asked)) == found


def test_several_columns_that_were_asked_for(root):
    listing = read(root, SEVERAL, label_columns=("rain", "age"))
    assert targets(listing) == {"a.png": (1.0, 2.0), "b.png": (0.0, 1.5)}
    assert listing.labels == ("rain", "age")
    marks = read(root, "file,split,b,a\na.png,x,0,1\nb.png,x,1,1\n", label_columns=("a", "b"))
    assert targets(marks) == {"a.png": (1, 0), "b.png": (1, 1)}
    with pytest.raises(InputError, match=r"line 2: 'cat' in column 'sort' is not a number"):
        read(root, SEVERAL, label_columns=("sort", "age"))


def test_a_column_without_a_name_goes_by_its_place(root):
    listing = read(root, "a.png,cat,test\nb.png,dog,test\n", label_columns=("column 2",))
    assert rows(listing) == [("a.png", "cat"), ("b.png", "dog")]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("srot", "has no column 'srot'. Did you mean 'sort'?"),
        ("Sort", "has no column 'Sort'. Did you mean 'sort'?"),
        ("zebra", "has no column 'zebra'. It has 'Unnamed: 0', 'file', 'sort', 'age', 'rain'."),
        ("file", "'file' of .* names the files"),
    ],
)
def test_columns_that_are_not_there(root, asked, said):
    with pytest.raises(ConfigurationError, match=f"label_column: .*{said}".replace("?", "[?]")):
        read(root, SEVERAL, label_columns=(asked,))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file,label\na.png,cat,test\nb.png,dog,test\n", "the first line names 2 columns"),
        ("file,rain,rain\na.png,1,0\nb.png,0,1\n", "two columns have the same name"),
        ("a.png" + ",0" * 20_001 + "\n", "has 20002 columns; at most 20000"),
    ],
)
def test_columns_that_cannot_be_told_apart(root, content, said):
    with pytest.raises(InputError, match=said):
        read(root, content)


def test_a_row_of_too_many_cells_is_not_cut(root):
    listing = read(root, "file,label\na.png,cat\nb.png,dog, tame\nsub/c.png,cat\n")
    assert rows(listing) == [("a.png", "cat"), ("sub/c.png", "cat")]
    assert listing.skipped == (
        ("label file: more cells in the row than there are columns", "line 3"),
    )


# The names.


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("sub\\c.png", "sub/c.png"),
        (".\\sub\\c.png", "sub/c.png"),
        ("pictures/a.png", "a.png"),
        ("pictures\\sub\\c.png", "sub/c.png"),
        ("data/pictures/a.png", "a.png"),
        ("./pictures/sub/c.png", "sub/c.png"),
        ("a", "a.png"),
        ("sub/c", "sub/c.png"),
        ("pictures/sub\\c", "sub/c.png"),
        ("dotted.name", "dotted.name.jpeg"),
    ],
)
def test_names_as_tables_have_them(tmp_path, written, name):
    root = tmp_path / "data/pictures"
    for one in ("a.png", "sub/c.png", "dotted.name.jpeg", "dotted.txt"):
        (root / one).parent.mkdir(parents=True, exist_ok=True)
        (root / one).write_bytes(b"x")
    listing = read_beside(root, f"{written},cat\n")
    assert rows(listing) == [(name, "cat")]
    assert listing.entries[0].path == root / name
    assert any("have no suffix" in note for note in listing.notes) == (not written.endswith("g"))


def read_beside(root, content):
    table = root.parent / "labels.csv"
    table.write_text(content)
    return list_table(table, root, limit=99, seed=0)


def test_a_name_that_is_there_as_it_is_written_goes_first(tmp_path):
    root = tmp_path / "pictures"
    for name in ("pictures/a.png", "a.png", "sub\\c.png", "sub/c.png", "bare", "bare.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    listing = read_beside(root, "pictures/a.png,x\nsub\\c.png,x\nbare,x\n")
    assert {entry.name for entry in listing.entries} == {"pictures/a.png", "sub\\c.png", "bare"}


def test_absolute_names_below_the_folder_are_relative_ones(tmp_path):
    root = tmp_path / "store"
    (root / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png"):
        (root / name).write_bytes(b"x")
    (tmp_path / "link").symlink_to("store")
    content = f"{root}/a.png,x\n{tmp_path}/link/b.png,y\n{root}/./sub/c,z\n"
    for named in (root, tmp_path / "link"):
        assert rows(read_beside(named, content)) == [
            ("a.png", "x"),
            ("b.png", "y"),
            ("sub/c.png", "z"),
        ]
    for outside in (f"{tmp_path}/a.png", f"{root}/../a.png", f"{tmp_path}/storey/a.png"):
        with pytest.raises(UnsafeInputError, match=r"line 2: .* points outside the image folder"):
            read_beside(root, f"a.png,x\n{outside},x\n")


def test_a_name_without_suffix_of_several_images_is_left_out(root):
    for name in ("a.jpg", "c.txt", ".a.gif"):
        (root / name).write_bytes(b"x")
    listing = read(root, "id,label\na,cat\nb,dog\nc,cat\n")
    assert rows(listing) == [("b.png", "dog")]
    assert set(listing.skipped) == {
        ("label file: several images of that name, without a suffix", "a"),
        ("label file: file is missing", "c"),
    }
    assert listing.notes == (
        "1 names in the table have no suffix; the one image of that name was taken.",
    )


def test_the_same_file_under_two_names_is_one_sample(root):
    listing = read(root, f"a.png,cat\n./a.png,cat\na,cat\n{root.name}/b.png,cat\nb.png,dog\n")
    assert rows(listing) == [("a.png", "cat")]
    assert listing.skipped_counts == {
        "label file: repeated row": 2,
        "label file: conflicting labels": 1,
    }


def test_names_without_suffix_list_a_folder_once_and_none_outside(tmp_path, monkeypatch):
    root = tmp_path / "images"
    (root / "sub").mkdir(parents=True)
    for i in range(30):
        (root / f"sub/{i}.png").write_bytes(b"x")
    (root / "out.png").symlink_to("../secret.png")
    (root / "way").symlink_to("..")
    (tmp_path / "secret.png").write_bytes(b"x")
    listed, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(str(path)) or listdir(path))
    rows = "".join(f"sub/{i},cat\n" for i in range(30))
    listing = read_beside(root, rows + "way/secret,cat\nout,cat\n")
    assert len(listing.entries) == 30
    assert listing.skipped_counts == {"link out of the folder": 2}
    assert sorted(listed) == [f"{root}", f"{root}/sub"]


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
        list_table(root / "none.csv", root, limit=1, seed=0)
    with pytest.raises(InputError, match="it is a folder, not a regular file"):
        list_table(root, root, limit=1, seed=0)


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


# What a stranger's tables had, each read wrongly once without a word.


@pytest.mark.parametrize(
    "content",
    [
        "# of the zoo, 2020\nfile,label\n" + CLEAN,
        "# of the zoo\n" + CLEAN,
        "file,label\na.png,cat\nfile,label\nb.png,dog\nsub/c.png,cat\n",
        "file,label\n" + CLEAN + "total,3\n",
        "file,label\na.png,cat\n# the dogs, below\nb.png,dog\nsub/c.png,cat\n",
        "sep=;\nfile;label\n" + CLEAN.replace(",", ";"),
    ],
)
def test_remarks_headers_and_sums_are_no_labels(root, content):
    listing = read(root, content)
    assert rows(listing) == CLEAN_ROWS
    assert listing.labels == ("cat", "dog")


def test_a_file_that_is_only_missing_has_a_label(root):
    assert read(root, CLEAN + "gone.png,yak\n").labels == ("cat", "dog", "yak")


def test_a_column_that_numbers_the_labels_in_another_order_is_asked_about(root):
    table = "file,class_id,class_name\na.png,1,cat\nb.png,0,dog\nsub/c.png,1,cat\n"
    with pytest.raises(ConfigurationError, match=r"'class_id' numbers the labels \(0 dog, 1 cat"):
        read(root, table)
    assert read(root, table, classes=("dog", "cat")).labels == ("cat", "dog")
    assert read(root, table, label_columns=("class_id",)).labels == ("0", "1")
    alike = table.replace(",1,", ",2,").replace(",0,", ",3,")
    assert read(root, alike).labels == ("cat", "dog")  # a code of its own
    same = table.replace(",1,", ",x,").replace(",0,", ",1,").replace(",x,", ",0,")
    assert read(root, same).labels == ("cat", "dog")


def test_one_hot_columns_are_seen_before_words_for_labels(root):
    table = "file,background,other,target\na.png,1,0,0\nb.png,0,1,0\nsub/c.png,0,0,1\n"
    found = targets(read(root, table))
    assert found == {"a.png": (1, 0, 0), "b.png": (0, 1, 0), "sub/c.png": (0, 0, 1)}
    flagged = "file,label,is_old\na.png,1,1\nb.png,0,0\nsub/c.png,1,0\n"
    assert read(root, flagged).labels == ("0", "1")
    several = "file,genus,family,species\na.png,1,1,0\nb.png,0,1,1\nsub/c.png,1,0,1\n"
    with pytest.raises(ConfigurationError, match="which column holds the labels"):
        read(root, several)


def test_one_hot_columns_go_by_their_numbers_or_by_the_classes(root):
    table = "file,2,0,1\na.png,1,0,0\nb.png,0,1,0\nsub/c.png,0,0,1\n"
    assert targets(read(root, table))["a.png"] == (0, 0, 1)
    table = "file,is_cat,is_dog,is_yak\na.png,1,0,0\nb.png,0,1,0\nsub/c.png,0,0,1\n"
    assert targets(read(root, table, classes=("yak", "cat", "dog")))["a.png"] == (0, 1, 0)


def test_accents_in_names_of_files_may_be_stored_in_either_way(root):
    (root / "e\u0301.png").write_bytes(b"x")
    assert rows(read(root, "file,label\n\u00e9.png,cat\n")) == [("e\u0301.png", "cat")]
