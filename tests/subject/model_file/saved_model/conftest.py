"""SavedModel folders that tf-keras writes, each once and when it is first asked for."""

import functools
import shutil

import pytest

from .models import BUILDERS, fill


@pytest.fixture(scope="session")
def saved(tf_keras, tmp_path_factory):
    """Folder and model, by name: ``saved("nested")``."""
    root = tmp_path_factory.mktemp("saved")

    @functools.cache
    def save(name):
        build, traces = BUILDERS[name]
        model = fill(build(tf_keras))
        model.save(root / name, save_format="tf", save_traces=traces)
        return root / name, model

    return save


@pytest.fixture(params=list(BUILDERS))
def written(request, saved):
    """Each folder in turn, and its model."""
    return saved(request.param)


@pytest.fixture(scope="session")
def folder(saved):
    """A folder to read only."""
    return saved("sequential")[0]


@pytest.fixture
def copy(folder, tmp_path):
    """A folder to change."""
    return shutil.copytree(folder, tmp_path / "copy")
