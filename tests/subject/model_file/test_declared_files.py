"""Declared shapes of whole networks, against what is built and against what real files store."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import h5py
import pytest

from reportgen.subject.model_file.declared import declare

# The others agree too, but take long to build.
APPLICATIONS = ["MobileNetV2", "EfficientNetB0", "NASNetMobile"]

APPLICATIONS_2 = ["MobileNet", "MobileNetV3Small"]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_counts_applications_of_keras_3(keras: Any, assert_declares: Any, name: str) -> None:
    model = getattr(keras.applications, name)(weights=None)
    assert_declares(model)


@pytest.mark.parametrize("name", APPLICATIONS_2)
def test_counts_applications_of_keras_2(tf_keras: Any, assert_declares: Any, name: str) -> None:
    model = getattr(tf_keras.applications, name)(weights=None)
    assert_declares(model)


def stored_hdf5(path: Path) -> tuple[Any, dict[str, list[tuple[int, ...]]]]:
    """Return the configuration and the shapes of the datasets of each layer."""
    with h5py.File(path) as file:
        shapes: dict[str, list[tuple[int, ...]]] = {name: [] for name in file["model_weights"]}

        def add(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                shapes[name.split("/")[0]].append(tuple(item.shape))

        file["model_weights"].visititems(add)
        return json.loads(file.attrs["model_config"]), shapes


@pytest.mark.real
def test_counts_real_files(real: Path) -> None:
    counted = 0
    for path in sorted((real / "models").rglob("*")):
        if not (path.is_file() and h5py.is_hdf5(path)):
            continue
        with h5py.File(path) as file:
            if "model_config" not in file.attrs:
                continue
        config, shapes = stored_hdf5(path)
        declared = declare(config)
        sizes = [math.prod(shape) for stored in shapes.values() for shape in stored]
        assert declared.parameters == sum(sizes), path
        for name, stored in shapes.items():
            if stored:
                assert sorted(declared.of(name) or []) == sorted(stored), (path, name)
        counted += 1
    assert counted >= 8
