"""A network, or a layer, may be called anything: it is audited all the same, and nothing runs."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reportgen.config import build_config
from reportgen.pipeline import run_audit
from reportgen.worker.process import LocalWorker

NAMES = ["_m", "<b>x</b>", "-x", "__x", ".x", "ü✓", "a/b", "a>b/", "\ud800", "::error::"]
NAMES += ["\x1b[31mred"]


@pytest.fixture(scope="module")
def net(tmp_path_factory) -> Path:
    import keras

    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Input((8, 8, 1)),
        keras.layers.Conv2D(2, 3, name="layer"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax"),
    ]
    folder = tmp_path_factory.mktemp("net")
    keras.Sequential(layers, name="net").save(folder / "net.keras")
    x = np.random.default_rng(0).random((12, 8, 8, 1), np.float32)
    np.savez(folder / "samples.npz", x=x, y=np.arange(12) % 3)
    return folder


@pytest.fixture(scope="module")
def worker():
    with LocalWorker(device="cpu") as worker:
        yield worker


@pytest.mark.parametrize("whose", ["net", "layer"])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_any_name_is_audited(net, worker, tmp_path, name, whose):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(net / "net.keras") as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            if member == "config.json":
                content = content.replace(json.dumps(whose).encode(), json.dumps(name).encode())
            new.writestr(member, content)
    options = {"weights": {"shown_layers": 1, "spectra_work": 1.0}}
    settings = {"model": path, "data": net / "samples.npz", "only": "overview,weights"}
    config = build_config({**settings, "options": options, "preset": "quick"})
    report, _ = run_audit(config, executor=worker)
    sections = {section.id: section.status for section in report.sections}
    assert (sections["overview"], sections["weights"]) == ("done", "done")
    if whose == "net" and name[0] in "_<-\x1bü\ud800:":
        assert any("root_name" in said for said in report.subject.repairs)
