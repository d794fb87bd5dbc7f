"""Small files that claim, or become, far more: refused within 300 MB, before it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reportgen.worker.process import LocalWorker

from .size_attacks import HDF5, pack, write

_BYTES = 300 * 2**20
# Large, and harmless: nothing of it is ever looked at.
HARMLESS = {"6,000 attributes"}


def judge(path: Path) -> bytes:
    """The hazards of a file, looked for with little memory; a MemoryError if that is not enough."""
    from reportgen.memory import memory_within
    from reportgen.subject.model_file import examine

    with memory_within(_BYTES):
        return json.dumps([str(hazard) for hazard in examine(path).hazards]).encode()


@pytest.fixture(scope="module")
def worker():
    folders = (str(Path(__file__).parent.parent.parent),)
    with LocalWorker(device="cpu", folders=folders) as worker:
        worker.submit(judge, Path(__file__)).exception()  # imported, before memory is counted
        yield worker


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> dict[str, Path]:
    """A network of two layers in both forms."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Input((8, 8, 1)),
        keras.layers.Conv2D(4, 3),
        keras.layers.Flatten(),
        keras.layers.Dense(2),
    ]
    model, folder = keras.Sequential(layers), tmp_path_factory.mktemp("honest")
    model.save(folder / "honest.h5")
    model.save(folder / "honest.keras")
    return {suffix: folder / f"honest.{suffix}" for suffix in ("h5", "keras")}


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("name", HDF5)
def test_a_size_attack_is_refused(worker, honest, tmp_path, name, form):
    make = write if form == "h5" else pack
    path = make(name, honest[form], tmp_path / f"attack.{form}")
    if path is None:
        pytest.skip("this is about the other form")
    assert json.loads(worker.submit(judge, honest[form]).result(timeout=60)) == []
    hazards = json.loads(worker.submit(judge, path).result(timeout=60))
    assert bool(hazards) == (name not in HARMLESS)
