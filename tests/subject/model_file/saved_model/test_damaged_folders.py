"""SavedModel folders that lack a part or whose bytes have changed: told, or read as written."""

import os
import random
import shutil

import numpy as np
import pytest

from reportgen.errors import InputError, UnsafeInputError
from reportgen.subject.model_file.saved_model.folder import (
    read_arrays,
    read_saved_model,
    read_signatures,
)


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("variables", "without its variables. Copy the whole folder"),
        ("variables/variables.index", "without its variables. Copy the whole folder"),
        ("variables/variables.data-00000-of-00001", "without its file variables.data-00000"),
        ("saved_model.pb", "has no saved_model.pb"),
    ],
)
def test_a_missing_part_is_named(copy, missing, says):
    part = copy / missing
    shutil.rmtree(part) if part.is_dir() else part.unlink()
    with pytest.raises(InputError, match=says):
        read_saved_model(copy)


def test_an_empty_graph_is_told(copy):
    (copy / "saved_model.pb").write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        read_saved_model(copy)


def test_changed_weights_are_told(copy):
    data = copy / "variables" / "variables.data-00000-of-00001"
    keys = [array.key for array in read_saved_model(copy).arrays]
    raw = bytearray(data.read_bytes())
    raw[:] = bytes(len(raw) // 2) + raw[len(raw) // 2 :]
    data.write_bytes(raw)
    with pytest.raises(InputError, match="have changed"):
        list(read_arrays(copy, keys))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_does_not_hang(copy):
    (copy / "saved_model.pb").unlink()
    os.mkfifo(copy / "saved_model.pb")
    with pytest.raises(InputError, match="no regular file"):
        read_saved_model(copy)


def read_all(path):
    content = read_saved_model(path)
    read_signatures(path)
    return list(read_arrays(path, [array.key for array in content.arrays]))


def test_flipped_and_truncated_files_are_read_or_told(copy):
    """Only the two errors; and no other value than the one that was written."""
    generator = random.Random(8)
    expected = {key: value.copy() for key, value in read_all(copy)}
    files = [
        copy / "saved_model.pb",
        copy / "keras_metadata.pb",
        *sorted((copy / "variables").iterdir()),
    ]
    outcomes = {"read": 0, "told": 0}
    for trial in range(200):
        file = files[trial % len(files)]
        original = file.read_bytes()
        changed = bytearray(original)
        if trial % 5 == 0:
            del changed[generator.randrange(len(changed)) :]
        else:
            changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
        file.write_bytes(changed)
        try:
            for key, value in read_all(copy):
                np.testing.assert_array_equal(value, expected[key])
            outcomes["read"] += 1
        except (InputError, UnsafeInputError):
            outcomes["told"] += 1
        file.write_bytes(original)
    assert min(outcomes.values()) > 20, outcomes


@pytest.mark.real
def test_a_real_folder_without_variables_says_so(real):
    with pytest.raises(InputError, match=r"without its variables\. Copy the whole folder again\."):
        read_saved_model(real / "models" / "NEG_savedmodel_no_variables")
