"""Folders that are parts of the data, or a level above the classes, and no classes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from reportgen.errors import ConfigurationError
from reportgen.subject.images import SUFFIXES
from reportgen.text import common_start

_TRAINING = ("train", "training")
_OTHERS = ("test", "testing", "val", "valid", "validation", "eval", "dev", "holdout")
_UNLABELLED = ("pred", "prediction", "predictions", "unlabeled", "unlabelled")
# Such as test1, val2017, training_set and train_images.
_SPLIT = re.compile(
    rf"({'|'.join((*_TRAINING, *_OTHERS, *_UNLABELLED))})"
    r"([ _-]?(set|data|dataset|images?|imgs?|pictures|samples|split))?[ _-]?[0-9]*"
)
_NUMBERED = re.compile(r"(fold|split|batch|part)([ _-]*[0-9]+|[ _-]+[a-z])")
_PARTS = re.compile(r"images?|imgs?|pictures|photos|masks?|labels?|annotations?|segmentations?")
_SHOWN = 3


def refuse_splits(root: Path, names: Sequence[str], option: str) -> None:
    """Refuse folders below ``root`` that cannot be meant as classes.

    Args:
        names: of the folders that would be the classes.
        option: what ``root`` was given with: ``--images`` or ``--train``.

    Raises:
        ConfigurationError: all with images have names of splits, or two have names of different
            ones; or of parts of a collection, such as images and masks; or they hold the same
            folders of images, or there is one that holds only folders. Says which path to give.
    """
    word = _words_of(names)
    splits = [name for name in names if word[name]]
    kinds = {word[name] in _TRAINING for name in splits if has_image(root / name)}
    others = [name for name in names if name not in splits and has_image(root / name)]
    if splits and (not others or len(kinds) > 1):
        what = "which are splits and not classes" if len(splits) > 1 else "a split and not a class"
        raise _refuse(root, splits, what, option)
    if others and not splits and all(_PARTS.fullmatch(name.lower()) for name in others):
        what = "parts of a collection" if len(others) > 1 else "a part of a collection"
        raise _refuse(root, others, f"by name {what} and not classes", option)
    if len(names) == 1:
        _refuse_level(root, names[0], option)
    if shared := _find_shared(root, names):
        what = f"which all hold the same folders ({_some(shared)})"
        raise _refuse(root, names, what, option)


def _words_of(names: Sequence[str]) -> dict[str, str]:
    """By name, the word for a split that it begins with; "" if it is no name of one.

    What all names begin with is left aside: ``seg_train`` and ``seg_test``.
    """
    shared = re.match(r".*[ _-]|", common_start(names))
    skip = shared.end() if shared and len(names) > 1 else 0
    found = {name: _split_of(name) for name in names}
    return found if any(found.values()) else {name: _split_of(name[skip:]) for name in names}


def _split_of(name: str) -> str:
    found = _SPLIT.fullmatch(name.lower()) or _NUMBERED.fullmatch(name.lower())
    return found[1] if found else ""


def _refuse(root: Path, names: Sequence[str], what: str, option: str) -> ConfigurationError:
    known = {word: name for name, word in reversed(_words_of(names).items())}
    # An audit is most often of data that was not trained on.
    best = (*_TRAINING, *_OTHERS) if option == "--train" else (*_OTHERS, *_TRAINING)
    proposed = next((known[split] for split in best if split in known), names[-1])
    if not known.keys() - {""}:
        proposed = next((name for name in names if name.lower().startswith("im")), proposed)
    path = root / proposed
    if _look_into(path) == ([proposed], False):  # test_set/test_set, as archives unpack
        path /= proposed
    one = "Give one of them" if len(names) > 1 else "Give it"
    return ConfigurationError(
        f"'{root}' holds {_some(names)}, {what}. {one}: {option} {path}. If they are "
        "classes, name all of them with --classes FILE."
    )


def _refuse_level(root: Path, name: str, option: str) -> None:
    """A single folder of nothing but folders is a level too many."""
    folders, images = _look_into(root / name)
    if folders and not images and any(has_image(root / name / inner) for inner in folders):
        raise ConfigurationError(
            f"'{root}' holds one folder, {name}/, and that holds only folders "
            f"({_some(folders)}). If those are the classes: {option} {root / name}. If {name} is "
            "one, name all classes with --classes FILE."
        )


def _find_shared(root: Path, names: Sequence[str]) -> list[str]:
    """Names of the folders of images that two folders or more all hold; empty ones aside."""
    shared: set[str] = set()
    holders = 0
    for name in names:
        folders, images = _look_into(root / name)
        held = {inner for inner in folders if has_image(root / name / inner)}
        if not held and not images:
            continue
        shared = shared & held if holders else held
        holders += 1
        if len(shared) < 2:
            return []
    return sorted(shared) if holders > 1 else []


def _look_into(folder: Path) -> tuple[list[str], bool]:
    """The folders in ``folder``, sorted, and whether there are images beside them."""
    folders, images = [], False
    for entry in _scan(folder):
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
        images = images or is_image(entry.name)
    return sorted(folders), images


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except OSError:  # what cannot be listed holds nothing for us
        return


def has_image(folder: Path) -> bool:
    """Whether there is an image by name at any depth; no link to a folder is followed."""
    for _, folders, files in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if any(is_image(name) for name in files):
            return True
    return False


def is_image(name: str) -> bool:
    """Whether a file of that name is taken for an image."""
    return not name.startswith(".") and PurePath(name).suffix.lower() in SUFFIXES


def _some(names: Sequence[str]) -> str:
    shown = [f"{name[:40]}/" for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        return ", ".join([*shown, "..."])
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)
