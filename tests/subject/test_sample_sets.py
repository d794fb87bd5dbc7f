"""Arrays and image files as samples: what fits, what is refused, what is left out and counted."""

import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from reportgen.errors import InputError
from reportgen.subject import samples
from reportgen.subject.images import Decoder
from reportgen.subject.label_table import list_table
from reportgen.subject.listing import list_folder
from reportgen.subject.sample_archive import read_archive
from reportgen.subject.samples import content_hashes, read_images, take_arrays

X = np.arange(6 * 4, dtype=np.float32).reshape(6, 2, 2, 1)
Y = np.array([0, 1, 0, 1, 0, 1])
SHAPE = (2, 2, 1)


def take(x, y=None, shape=SHAPE, limit=100, seed=0):
    return take_arrays(x, y, shape, limit=limit, seed=seed, origin="arrays")


def read(path, shape=SHAPE):
    return read_archive(path, shape, limit=100, seed=0)


def archive(path, **arrays):
    np.savez(path, **arrays)
    return path


def header_only(path, shape, dtype="<f4", version=1, data=b""):
    """An ``.npz`` whose ``x`` claims ``shape`` and brings ``data``."""
    claim = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    size = len(claim).to_bytes(2 if version == 1 else 4, "little")
    head = b"\x93NUMPY" + bytes([version, 0]) + size + claim
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", head + data)
    return path


# Archives.


def test_x_and_y_of_an_archive(tmp_path):
    got = read(archive(tmp_path / "a.npz", x=X, y=Y))
    np.testing.assert_array_equal(got.pixels, X)
    np.testing.assert_array_equal(got.labels, Y)
    assert got.names == ("#0", "#1", "#2", "#3", "#4", "#5")
    assert (got.found, got.skipped_count, got.label_names) == (6, 0, ())


def test_without_y_the_samples_have_no_labels(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=X)
    assert read(tmp_path / "a.npz").labels is None


def test_an_archive_without_x_says_what_it_holds(tmp_path):
    with pytest.raises(InputError, match=r"holds images, y; an array named x"):
        read(archive(tmp_path / "a.npz", images=X, y=Y))
    with pytest.raises(InputError, match="holds nothing"):
        read(archive(tmp_path / "b.npz"))


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("X", "Y"), "x=a['X'], y=a['Y']"),
        (("x_test", "y_test"), "x=a['x_test'], y=a['y_test']"),
        (("x_train", "y_train", "x_test", "y_test"), "x=a['x_test'], y=a['y_test']"),
        (("images", "labels"), "x=a['images'], y=a['labels']"),
        (("images", "y"), "x=a['images'], y=a['y']"),
        (("arr_0", "arr_1"), "x=a['arr_0'], y=a['arr_1']"),
        (("Data",), "x=a['Data']"),
    ],
)
def test_an_archive_without_x_is_offered_the_line_that_renames(tmp_path, names, line):
    path = archive(
        tmp_path / "a.npz", **{one: X if i % 2 == 0 else Y for i, one in enumerate(names)}
    )
    with pytest.raises(InputError) as caught:
        read(path)
    offer = f"Rename what is there: a = np.load('a.npz'); np.savez('samples.npz', {line})."
    assert str(caught.value) == (
        f"{path} holds {', '.join(names)}; an array named x (and y for labels) is needed. {offer}"
    )


def test_the_line_that_renames_makes_what_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read(archive(tmp_path / "a.npz", images=X, labels=Y))
    code = str(caught.value).partition("there: ")[2].removesuffix(".")
    exec(code, {"np": np})
    np.testing.assert_array_equal(read(tmp_path / "samples.npz").labels, Y)


def test_names_that_suggest_nothing_are_listed_and_no_line_is_offered(tmp_path):
    path = archive(tmp_path / "a.npz", **{f"part{i}": X for i in range(8)})
    with pytest.raises(InputError, match=r"part0, part1, .*part4 and 3 more; an .* is needed\.$"):
        read(path)


LABELS = ("labels", "label", "Y", "y_test", "y-train", "targets", "target", "Classes", "true_label")


@pytest.mark.parametrize("kept", [Y, np.array(list("ababab")), np.array(list("ababab"), object)])
@pytest.mark.parametrize("name", LABELS)
def test_labels_under_another_name_are_not_passed_over(tmp_path, name, kept):
    path = archive(tmp_path / "a.npz", x=X, **{name: kept})
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path} holds no y, and {name!r} with 6 rows, as many as x. If these are the labels, save "
        "them as y: a = np.load('a.npz'); np.savez('samples.npz', x=a['x'], "
        f"y=a[{name!r}]). If not, leave them out."
    )


@pytest.mark.parametrize(
    "others",
    [
        {"labels": Y[:4]},
        {"classes": np.array(["ant", "bee"])},
        {"class_names": np.array(list("abcdef"))},
        {"y_pred": Y},
        {"ids": Y},
        {"label": np.array(3)},
    ],
)
def test_what_else_is_in_an_archive_is_named_and_not_read(tmp_path, others):
    got = read(archive(tmp_path / "a.npz", x=X, **others))
    assert got.labels is None
    assert got.notes == (f"a.npz: only x of it is read, not {', '.join(others)}",)


def test_beside_y_any_name_is_another_one(tmp_path):
    others = dict.fromkeys(("labels", "b", "c", "d", "e", "f", "g"), Y)
    got = read(archive(tmp_path / "a.npz", x=X, y=Y, **others))
    np.testing.assert_array_equal(got.labels, Y)
    assert got.notes == ("a.npz: only x and y of it is read, not labels, b, c, d, e and 2 more",)


class _Payload:
    def __reduce__(self):
        return os.mkdir, ("payload-was-run",)


def test_pickles_are_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "a.npz", x=X, y=np.array([_Payload()] * 6, object))
    with pytest.raises(InputError, match="'y': it holds Python objects"):
        read(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", x=np.array([_Payload()] * 6, object), y=Y)
    with pytest.raises(InputError, match="'x': it holds Python objects"):
        read(tmp_path / "a.npz")
    assert not (tmp_path / "payload-was-run").exists()


@pytest.mark.parametrize(
    "other", [[_Payload()] * 6, [{"a": 1}], np.array(["2020-01-01"] * 6, "M8[D]")]
)
def test_what_is_not_read_spoils_nothing_and_is_not_run(tmp_path, monkeypatch, other):
    monkeypatch.chdir(tmp_path)
    kept = other if isinstance(other, np.ndarray) else np.array(other, object)
    got = read(archive(tmp_path / "a.npz", meta=kept, x=X, y=Y))
    np.testing.assert_array_equal(got.labels, Y)
    assert got.notes == ("a.npz: only x and y of it is read, not meta",)
    with pytest.raises(InputError, match="'labels' with 6 rows"):
        read(archive(tmp_path / "b.npz", labels=np.resize(kept, 6), x=X))
    assert not (tmp_path / "payload-was-run").exists()


def test_only_x_and_y_are_opened(tmp_path):
    path = archive(tmp_path / "a.npz", x=X, y=Y)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("meta.npy", b"no array at all")
        file.writestr("labels.npy", b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little"))
        file.writestr("readme.txt", "of the archive")
    got = read(path)
    np.testing.assert_array_equal(got.pixels, X)
    assert got.notes == ("a.npz: only x and y of it is read, not meta, labels, readme.txt",)


def test_a_damaged_array_with_a_name_of_labels_is_one_that_is_not_read(tmp_path):
    path = archive(tmp_path / "a.npz", x=X)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("labels.npy", b"no array at all")
    assert read(path).notes == ("a.npz: only x of it is read, not labels",)


def test_a_single_array_is_told_how_to_become_an_archive(tmp_path):
    np.save(tmp_path / "s.npy", X)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "s.npy")
    assert str(caught.value) == (
        f"{tmp_path / 's.npy'} cannot be read as .npz of plain arrays: it is one array (.npy). "
        "Save it with its labels: np.savez('samples.npz', x=np.load('s.npy'), y=labels)."
    )


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_huge_claim_is_refused_before_memory_is_taken(tmp_path, monkeypatch, version):
    path = header_only(tmp_path / "a.npz", (2**40, 32, 32, 3), version=version)
    monkeypatch.setattr(np, "load", None)  # would allocate
    with pytest.raises(InputError, match=r"claims shape .* not so many|no plain numbers"):
        read(path)


def test_a_claim_beyond_what_the_file_holds(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read as \.npz"):
        read(header_only(tmp_path / "a.npz", (100, 2, 2, 1), data=b"\0" * 16))


def test_a_header_of_many_megabytes_is_not_read(tmp_path):
    long = b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b" " * 2**20
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", long)
    with pytest.raises(InputError, match=r"cannot be read as \.npz"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut", b"\x93NUMPY\x01\x00"])
def test_files_that_are_no_archive(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz cannot be read as \.npz of plain arrays"):
        read(tmp_path / "a.npz")


def test_an_archive_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "none.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_flipped_bytes_raise_nothing_but_input_errors(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, x=X, y=Y)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    outcomes = {"read": 0, "refused": 0}
    for cut in range(300):
        damaged = whole.copy()
        damaged[rng.integers(0, len(whole), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes()[: len(whole) - (cut if cut < 100 else 0)])
        try:
            read(path)
            outcomes["read"] += 1
        except InputError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 100  # every truncation at the least


# Arrays.


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (X, Y[:5], r"x has 6 rows, y has shape \(5,\)"),
        (X, np.array(3), r"y has shape \(\)"),
        (X[:, :, :1], None, r"samples of shape \(2, 1, 1\), the model takes \(2, 2, 1\)"),
        (X[:0], None, "x is empty"),
        (np.float32(3), None, "x is empty"),
        (X.astype(complex), None, "x holds complex64; numbers|x holds complex128; numbers"),
        (X.astype(str), None, "x holds <U"),
        (X, np.zeros(6, "M8[s]"), "y holds datetime64"),
        (X, np.array([["a", "b"]] * 6), r"y holds text of shape \(6, 2\); one name a sample is"),
        (X, np.array([["a", 1]] * 6, object), r"y holds text of shape \(6, 2\)"),
        (np.full_like(X, np.nan), None, "no usable sample among 6 rows"),
    ],
)
def test_arrays_that_do_not_fit(x, y, said):
    with pytest.raises(InputError, match=said):
        take(x, y)


def test_a_channel_axis_of_one_is_added_or_dropped():
    np.testing.assert_array_equal(take(X[..., 0]).pixels, X)
    np.testing.assert_array_equal(take(X, shape=(2, 2)).pixels, X[..., 0])


def test_rows_with_nan_are_left_out_and_counted():
    x, y = X.copy(), Y.astype(np.float64)
    x[1, 0, 0, 0], x[4, 1, 1, 0], y[3] = np.nan, -np.inf, np.nan
    got = take(x, y)
    assert got.names == ("#0", "#2", "#5")
    assert got.found == 6
    (row,) = got.skipped
    assert (row.cause, row.count, row.examples) == (
        "NaN or infinity in the sample or its label",
        3,
        ("#1",),
    )


def test_nan_is_found_beyond_the_first_thousand_rows():
    x = np.zeros((2500, 1), np.float32)
    x[2400] = np.nan
    assert take(x, shape=(1,)).skipped_count == 1


@pytest.mark.parametrize(
    "y", [np.array(list("bacabc")), np.array(list("bacabc"), "S"), np.array(list("bacabc"), object)]
)
def test_text_labels(y):
    got = take(X, y)
    assert got.labels.tolist() == list("bacabc")
    assert got.label_names == ("a", "b", "c")


@pytest.mark.parametrize("kind", ["U", "S", object])
def test_spaces_around_text_labels_are_no_part_of_them(kind):
    got = take(X, np.array(["ant ", "ant", " bee", "bee\n", "a b", "ant"], kind), limit=4)
    assert got.label_names == ("a b", "ant", "bee")
    assert len(got) == 4


def test_text_labels_that_are_not_utf8():
    assert take(X, np.array([b"\xff", b"\xc3\xa9"] * 3)).label_names == ("\\xff", "é")


def test_numbers_that_travel_as_objects_stay_numbers():
    got = take(X, Y.astype(object))
    assert got.labels.dtype == np.int64
    assert got.label_names == ()
    one_hot = take(X, np.eye(2)[Y].astype(object)).labels
    assert one_hot.dtype == np.float64
    np.testing.assert_array_equal(one_hot, np.eye(2)[Y])
    assert take(X, np.array([2**70, 1] * 3, object)).label_names == ("1", str(2**70))


def test_one_hot_and_float_labels_stay_as_they_are():
    one_hot = np.eye(2)[Y]
    np.testing.assert_array_equal(take(X, one_hot).labels, one_hot)
    np.testing.assert_array_equal(take(X, Y * 0.5).labels, Y * 0.5)
    for y in (Y, Y.astype(str).astype(object), np.array(list("ababab"))):  # a column is a vector
        np.testing.assert_array_equal(take(X, y[:, None]).labels, take(X, y).labels)
        np.testing.assert_array_equal(take(X, y[:, None, None]).labels, take(X, y).labels)


def test_the_draw_of_rows_is_balanced_and_seeded():
    x, y = np.arange(1000.0)[:, None], np.array([0] * 900 + [1] * 90 + [2] * 10)
    got = take(x, y, (1,), limit=60)
    assert np.bincount(got.labels).tolist() == [25, 25, 10]
    np.testing.assert_array_equal(y[got.pixels[:, 0].astype(int)], got.labels)
    assert got.names == take(x, y, (1,), limit=60).names
    assert got.names != take(x, y, (1,), limit=60, seed=1).names
    assert len(take(x, None, (1,), limit=60)) == 60


# Image files.


def images(root, count):
    (root / "a").mkdir()
    for i in range(count):
        Image.new("L", (2, 2), i).save(root / "a" / f"{i}.png")
    return list_folder(root, limit=100, seed=0)


@pytest.mark.parametrize("limit", [samples._IN_MEMORY_BYTES, 11])
def test_pixels_in_memory_and_beyond_the_limit_are_the_same(tmp_path, monkeypatch, limit):
    listing = images(tmp_path, 3)
    (tmp_path / "a" / "1.png").write_bytes(b"")
    monkeypatch.setattr(samples, "_IN_MEMORY_BYTES", limit)
    got = read_images(listing, Decoder((2, 2), 1))
    assert isinstance(got.pixels, np.memmap) == (limit == 11)
    assert got.pixels[:, 0, 0, 0].tolist() == [0, 2]
    assert (got.names, got.labels.tolist()) == (("a/0.png", "a/2.png"), ["a", "a"])
    assert got.sizes.tolist() == [[2, 2], [2, 2]]
    assert [(s.cause, s.count, s.examples) for s in got.skipped] == [
        ("empty file (0 bytes)", 1, ("a/1.png",))
    ]


def test_labels_of_a_table_with_several_columns(tmp_path):
    images(tmp_path, 3)
    table = tmp_path / "labels.csv"
    table.write_text("file,ant,bee\na/0.png,1,1\na/1.png,0,0\na/2.png,0,1\n")
    got = read_images(list_table(table, tmp_path, limit=9, seed=0), Decoder((2, 2), 1))
    assert (got.names, got.label_names) == (("a/0.png", "a/1.png", "a/2.png"), ("ant", "bee"))
    assert got.labels.dtype == np.int64
    assert got.labels.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert (got.found, got.folders) == (3, ())
    assert "'ant', 'bee' were taken for the outputs" in got.notes[0]
    table.write_text("file,x,y\na/0.png,1.5,2.0\na/2.png,0.5,-1.0\na/1.png,,1\n")
    got = read_images(list_table(table, tmp_path, limit=9, seed=0), Decoder((2, 2), 1))
    assert got.labels.dtype == np.float64
    assert got.labels.tolist() == [[1.5, 2.0], [0.5, -1.0]]


def test_folders_travel_with_the_samples(tmp_path):
    images(tmp_path, 1)
    (tmp_path / "b").mkdir()
    got = read_images(list_folder(tmp_path, limit=9, seed=0), Decoder((2, 2), 1))
    assert (got.label_names, got.folders) == (("a",), ("a", "b"))


def test_what_was_converted_or_ignored_is_noted(tmp_path):
    listing = images(tmp_path, 3)
    (tmp_path / "a" / "notes.txt").touch()
    listing = list_folder(tmp_path, limit=100, seed=0)
    assert read_images(listing, Decoder((2, 2), 3)).notes == (
        "3 converted: grey to colour",
        "1 files are not images by name and were ignored",
    )


def test_not_one_image_could_be_read(tmp_path):
    listing = images(tmp_path, 2)
    for name in "01":
        (tmp_path / "a" / f"{name}.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"None of 2 images .*empty file \(0 bytes\): 2"):
        read_images(listing, Decoder((2, 2), 1))


def test_hashes_are_equal_for_equal_samples_only():
    first, second, third = content_hashes(np.array([[1, 2], [2, 1], [1, 2]], np.uint8))
    assert first == third != second
