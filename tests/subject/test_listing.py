"""Which files are samples: folders and tables, the balanced draw, and what is left out by name."""

import os
from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import ConfigurationError, InputError
from reportgen.subject.listing import BalancedDraw, Entry, list_folder, share_evenly


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def names(listing):
    return [entry.name for entry in listing.entries]


def folder(root, limit=100, classes=None):
    return list_folder(root, limit=limit, seed=0, classes=classes)


# Folders.


def test_a_folder_is_a_class(tmp_path):
    listing = folder(make(tmp_path, "cat/1.png", "cat/deep/2.JPG", "dog/3.jpeg", "empty/notes.txt"))
    assert [(e.name, e.label) for e in listing.entries] == [
        ("cat/1.png", "cat"),
        ("cat/deep/2.JPG", "cat"),
        ("dog/3.jpeg", "dog"),
    ]
    assert listing.labels == ("cat", "dog")
    assert listing.folders == ("cat", "dog", "empty")
    assert listing.found == {"cat": 2, "dog": 1}
    assert listing.ignored == 1
    assert listing.skipped == ()


def test_a_flat_folder_has_no_labels(tmp_path):
    listing = folder(make(tmp_path, "b.png", "a.png", "readme.md"))
    assert [(e.name, e.label) for e in listing.entries] == [("a.png", None), ("b.png", None)]
    assert listing.labels == ()
    assert listing.ignored == 1


def test_hidden_files_and_folders_are_not_samples(tmp_path):
    make(tmp_path, "cat/1.png", "cat/._1.png", "cat/.cache/2.png", ".git/3.png")
    assert names(folder(tmp_path)) == ["cat/1.png"]
    assert folder(tmp_path).ignored == 0


def test_an_image_beside_class_folders_is_named(tmp_path):
    listing = folder(make(tmp_path, "cat/1.png", "stray.png", "LICENSE"))
    assert names(listing) == ["cat/1.png"]
    assert listing.skipped == (("image outside of the class folders", "stray.png"),)


@pytest.mark.parametrize("junk", ["@eaDir", "__MACOSX", "_gsdata_", "$RECYCLE.BIN"])
def test_folders_of_systems_are_no_classes(tmp_path, junk):
    root = make(tmp_path, "ant/1.png", "bee/1.png", f"{junk}/ant/1.png")
    assert folder(root).labels == ("ant", "bee")


def test_a_folder_without_images_beside_images_is_no_class(tmp_path):
    listing = folder(make(tmp_path, "1.png", "2.png", "out/log.txt"))
    assert (names(listing), listing.labels, listing.folders) == (["1.png", "2.png"], (), ())


def test_a_link_that_leads_back_is_no_class(tmp_path):
    root = make(tmp_path / "images", "cat/1.png", "dog/2.png")
    (root / "again").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "cat" / "round").symlink_to(root / "cat")
    (root / "self").symlink_to(root / "self")
    listing = folder(root)
    assert names(listing) == ["cat/1.png", "dog/2.png"]
    assert set(listing.skipped) == {
        ("link back to a folder above", "above"),
        ("link back to a folder above", "again"),
        ("link to a folder", "cat/round"),
    }
    assert sum(listing.skipped_counts.values()) == 3


def test_a_flat_folder_with_a_loop(tmp_path):
    make(tmp_path, "1.png")
    (tmp_path / "again").symlink_to(tmp_path)
    assert names(folder(tmp_path)) == ["1.png"]
    assert folder(tmp_path).skipped == (("link back to a folder above", "again"),)


def test_a_link_is_followed_below_the_folder_and_no_further(tmp_path):
    make(tmp_path, "store/1.png", "images/dog/2.png", "images/dog/3.png", "images/dog/4.png")
    images = tmp_path / "images"
    (images / "cat").symlink_to(tmp_path / "store")
    (images / "wolf").symlink_to("dog")
    (images / "dog/5.png").symlink_to("2.png")
    (images / "dog/6.png").symlink_to(tmp_path / "store/1.png")
    (images / "dog/7.png").symlink_to("../../store/1.png")
    (images / "dog/8.png").symlink_to("8.png")
    found = folder(images)
    assert [name for name in names(found) if name.startswith("dog")] == [
        "dog/2.png",
        "dog/3.png",
        "dog/4.png",
        "dog/5.png",
    ]
    assert found.skipped_counts["link out of the folder"] == 1 + 2 * 3  # of dog and of wolf
    assert ("link out of the folder", "cat") in found.skipped
    assert found.found["cat"] == 0


def test_a_folder_that_is_a_link_itself_was_named_by_the_user(tmp_path):
    make(tmp_path, "store/cat/1.png", "store/dog/2.png")
    (tmp_path / "images").symlink_to("store")
    assert names(folder(tmp_path / "images")) == ["cat/1.png", "dog/2.png"]


def test_names_that_are_not_utf8_can_be_written(tmp_path):
    raw = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(raw)
    Path(os.fsdecode(raw + b"/\xff.png")).write_bytes(b"x")
    (entry,) = folder(tmp_path).entries
    assert (entry.name, entry.label) == ("caf\\xe9/\\xff.png", "caf\\xe9")
    assert entry.path.read_bytes() == b"x"
    assert folder(tmp_path).labels == ("caf\\xe9",)


def test_folders_that_hold_no_sample(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no images \(0 other files\)"):
        folder(tmp_path)
    with pytest.raises(InputError, match=r"holds no images \(2 other files\)"):
        folder(make(tmp_path, "a.txt", "b.csv"))


def test_too_many_folders_are_not_classes(tmp_path, monkeypatch):
    monkeypatch.setattr("reportgen.subject.listing.MAX_CLASSES", 2)
    with pytest.raises(InputError, match="has 3 folders; at most 2"):
        folder(make(tmp_path, "a/1.png", "b/1.png", "c/1.png"))


def test_three_thousand_files_and_a_limit_of_fifty(tmp_path):
    for label, count in (("a", 2960), ("b", 30), ("c", 10)):
        (tmp_path / label).mkdir()
        for i in range(count):
            (tmp_path / label / f"{i}.png").touch()
    listing = folder(tmp_path, limit=50)
    drawn = [entry.label for entry in listing.entries]
    assert [drawn.count(label) for label in "abc"] == [20, 20, 10]
    assert listing.found == {"a": 2960, "b": 30, "c": 10}


# Folders that are no classes.


@pytest.mark.parametrize(
    ("files", "said", "path"),
    [
        (
            "train/a/1.png train/b/1.png val/a/1.png val/b/1.png",
            "holds train/ and val/, which",
            "val",
        ),
        ("train/1.png val/1.png empty/x.txt", "holds train/ and val/, which are splits", "val"),
        ("train/1.png test/1.png", "holds test/ and train/, which are splits and not", "test"),
        ("Training/1.png Validation/1.png TEST/1.png", "TEST/, Training/ and Validation/", "TEST"),
        ("fold_1/1.png fold_2/1.png", "holds fold_1/ and fold_2/, which are splits", "fold_2"),
        ("split 0/1.png split 1/1.png dev/1.png", "dev/, split 0/ and split 1/", "dev"),
        ("test/1.png", "holds test/, a split and not a class. Give it", "test"),
        ("train/a/1.png train/b/1.png", "holds train/, a split and not a class", "train"),
        (
            "training_set/training_set/a/1.png test_set/test_set/a/1.png",
            "holds test_set/ and training_set/, which are splits",
            "test_set/test_set",
        ),
        ("train/1.png test1/1.png", "holds test1/ and train/, which are splits", "test1"),
        ("train/1.png val/1.png pred/1.png", "pred/, train/ and val/, which are splits", "val"),
        ("train/1.png val/1.png bus/1.png", "holds train/ and val/, which are splits", "val"),
        ("seg_train/a/1.png seg_test/a/1.png seg_pred/1.png", "which are splits", "seg_test"),
        ("train2017/1.png val2017/1.png", "holds train2017/ and val2017/, which", "val2017"),
        ("train_images/1.png test_images/1.png", "which are splits", "test_images"),
        ("fold_a/1.png fold_b/1.png", "holds fold_a/ and fold_b/, which are splits", "fold_b"),
        ("batch1/a/1.png batch1/b/1.png batch2/b/1.png", "which are splits", "batch2"),
        ("images/1.png masks/1.png", "images/ and masks/, by name parts of", "images"),
        ("images/1.png annotations/x.txt", "holds images/, by name a part of", "images"),
        # By what they hold, whatever they are called.
        (
            "monday/a/1.png monday/b/1.png tuesday/a/1.png tuesday/b/deep/1.png",
            r"monday/ and tuesday/, which all hold the same folders \(a/ and b/\)",
            "tuesday",
        ),
        (
            "train/a/1.png train/b/1.png more/a/1.png more/b/1.png more/c/1.png notes/x.txt",
            r"which all hold the same folders \(a/ and b/\)",
            "train",
        ),
        # One folder too high.
        (
            "dataset/a/1.png dataset/b/1.png dataset/readme.md",
            "holds one folder, dataset/",
            "dataset",
        ),
        ("dataset/only/1.png", r"that holds only folders \(only/\)", "dataset"),
    ],
)
def test_folders_that_are_no_classes_are_asked_about(tmp_path, files, said, path):
    root = make(tmp_path / "data", *files.replace("split ", "split#").split())
    for odd in root.glob("split#*"):
        odd.rename(root / odd.name.replace("#", " "))
    with pytest.raises(ConfigurationError, match=said) as refused:
        folder(root)
    assert f"--images {root / path}. If" in str(refused.value)
    classes = tuple(sorted(os.listdir(root)))
    assert folder(root, classes=classes).folders == classes
    assert folder(root, classes=(*classes, "another")).folders == classes
    with pytest.raises(ConfigurationError, match=said):
        folder(root, classes=(*classes[1:], "another"))


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ("train/a/1.png val/a/1.png", "train"),
        ("one/a/1.png one/b/1.png two/a/1.png two/b/1.png", "two"),
        ("dataset/a/1.png dataset/b/1.png", "dataset"),
    ],
)
def test_of_training_samples_those_of_training_are_proposed(tmp_path, files, path):
    root = make(tmp_path, *files.split())
    with pytest.raises(ConfigurationError, match=f"--train {root / path}\\. If"):
        list_folder(root, limit=9, seed=0, option="--train")


@pytest.mark.parametrize(
    "files",
    [
        "train/1.png bus/1.png car/1.png",
        "cat/1.png cat/left/1.png dog/left/1.png dog/2.png",
        "cat/left/1.png cat/right/1.png dog/left/1.png dog/3.png",
        "cat/left/1.png cat/right/x.txt dog/left/1.png dog/right/1.png",
        "cat/left/1.png cat/right/1.png dog/x.txt mouse/1.png",
        "cat/1.png cat/deep/1.png cat/deeper/1.png",
        "fold/1.png split/1.png",
        "tester/1.png trains/1.png",
        "batch/1.png parts/1.png",
        "bullet_train/1.png steam_train/1.png",
        "model_a/1.png model_b/1.png",
        "images/1.png cat/1.png",
    ],
)
def test_folders_that_may_be_classes(tmp_path, files):
    found = folder(make(tmp_path, *files.split()))
    assert len(found.entries) == files.count(".png")


def test_a_link_to_the_same_folders_is_not_followed_to_look_for_splits(tmp_path):
    root = make(tmp_path / "data", "one/a/1.png", "one/b/1.png", "two/1.png")
    make(tmp_path / "store", "a/1.png", "b/1.png")
    for name in "ab":
        (root / "two" / name).symlink_to(tmp_path / "store" / name)
    assert names(folder(root)) == ["one/a/1.png", "one/b/1.png", "two/1.png"]


# The draw.


@pytest.mark.parametrize(
    ("available", "limit", "quotas"),
    [
        ({"a": 10, "b": 10}, 6, {"a": 3, "b": 3}),
        ({"a": 1, "b": 10, "c": 10}, 9, {"a": 1, "b": 4, "c": 4}),
        ({"a": 1, "b": 2, "c": 100}, 50, {"a": 1, "b": 2, "c": 47}),
        ({"a": 5, "b": 5, "c": 5}, 7, {"a": 2, "b": 2, "c": 3}),
        ({"a": 2, "b": 3}, 100, {"a": 2, "b": 3}),
        ({"a": 9, "b": 9, "c": 9}, 2, {"a": 0, "b": 1, "c": 1}),
        ({}, 5, {}),
    ],
)
def test_shares_by_hand(available, limit, quotas):
    assert share_evenly(available, limit) == quotas


def draw(entries, limit, seed=0, classes=3):
    kept = BalancedDraw(limit, seed, classes)
    for entry in entries:
        kept.offer(entry)
    return kept


def entries_of(**counts):
    return [
        Entry(Path(f"/r/{label}/{i}.png"), f"{label}/{i}.png", label)
        for label, count in counts.items()
        for i in range(count)
    ]


def test_the_draw_does_not_depend_on_the_order_of_listing():
    offers = entries_of(a=200, b=40, c=7)
    first = draw(offers, 60).entries()
    rng = np.random.default_rng(0)
    for _ in range(20):
        shuffled = [offers[i] for i in rng.permutation(len(offers))]
        assert draw(shuffled, 60).entries() == first


def test_the_seed_decides_the_draw():
    offers = entries_of(a=200)
    drawn = {seed: draw(offers, 20, seed).entries() for seed in (0, 1, 2**62)}
    assert drawn[0] == draw(offers, 20, 0).entries()
    assert len({tuple(entries) for entries in drawn.values()}) == 3


def test_leftovers_of_small_classes_go_to_large_ones():
    labels = [entry.label for entry in draw(entries_of(a=200, b=5, c=1), 60).entries()]
    assert [labels.count(label) for label in "abc"] == [54, 5, 1]


def test_every_file_has_the_same_chance():
    offers = entries_of(a=10)
    counts = dict.fromkeys((entry.name for entry in offers), 0)
    for seed in range(400):
        for entry in draw(offers, 5, seed).entries():
            counts[entry.name] += 1
    # Binomial(400, 1/2): 200 with a deviation of 10; five of them.
    assert all(abs(count - 200) < 50 for count in counts.values())


def test_the_same_name_twice_needs_no_order_of_paths():
    twin = [Entry(Path(f"/{side}/a.png"), "a.png", None) for side in "lr"]
    assert len(draw(twin * 2, 2).entries()) == 2


@pytest.mark.parametrize(
    ("classes", "offers", "most"), [(1, 100_000, 50), (3, 100_000, 150), (200, 1_000_000, 800)]
)
def test_memory_holds_the_draw_not_the_folder(classes, offers, most):
    kept, path = BalancedDraw(50, 0, classes), Path("x")
    labels = [str(i) for i in range(classes)]
    for i in range(offers):
        kept.offer(Entry(path, f"{i}.png", labels[i % classes]))
    assert sum(kept.found.values()) == offers
    assert sum(len(heap) for heap in kept._heaps.values()) == most
    assert len(kept.entries()) == 50
