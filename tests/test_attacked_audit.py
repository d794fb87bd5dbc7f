"""What a stranger found in an hour, in a folder of their own making; all of it is mended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from reportgen.config import load_config
from reportgen.errors import ConfigurationError, InputError, ReportgenError, UnsafeInputError
from reportgen.memory import memory_within
from reportgen.subject.history import read_history
from reportgen.subject.model_file import examine
from reportgen.subject.model_file.configuration import parse
from reportgen.subject.sample_archive import read_archive
from reportgen.subject.user_code import load_named
from reportgen.worker.isolation import clean_environment
from reportgen.worker.process import LocalWorker
from reportgen.worker.search_path import installation_folders

COMMAND = str(Path(sys.executable).with_name("reportgen"))
HERE = (str(Path(__file__).parent),)


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


# Settings.

LONG = "." + ".".join("a" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        f'[audit]\nmodel = "m.keras"\nname{LONG} = 1\n',
        f"[audit]\nx = {{ a{LONG} = 1 }}\n",
        f"[audit{LONG}]\n",
        '[audit]\n"a"' + ' . "b"' * 1000 + " = 1\n",
        "[audit]\nseed = " + "9" * 5000,
        "[audit]\nname = 0x" + "F" * 6000,
        "[audit]\ninput_size = 0x" + "F" * 6000,
        "[audit]\ntime_limit = 0x" + "F" * 6000,
        "[audit]\nmax_samples = 0x" + "F" * 6000,
        '[audit]\nmodel = "' + "a" * 5000 + '"',
        '[audit]\nimages = "' + "a/" * 10_000 + '"',
        "[audit]\narchitecture = '/etc/hostname'",
        "[audit]\narchitecture = 'net/work'",
        "[audit]\nonly = " + "[" * 5000 + "]" * 5000,
    ],
)
def test_settings_that_no_person_writes_are_refused_with_little_memory(
    tmp_path: Path, text: str
) -> None:
    from reportgen.subject.listing import list_folder

    (tmp_path / "audit.toml").write_text(text)

    def read() -> None:
        config = load_config(tmp_path, {})
        if config.model:
            examine(config.model)
        list_folder(config.images or tmp_path / "none", limit=1, seed=0)

    with pytest.raises((ConfigurationError, InputError)), memory_within(300 * 2**20):
        read()


def test_settings_with_many_dots_in_words_are_read(tmp_path: Path) -> None:
    names = ", ".join(f'"a.b.c.{i}"' for i in range(200))
    (tmp_path / "audit.toml").write_text(f"[audit]\nclasses = [{names}]\nname = 'v1.2.3.4'\n")
    assert len(load_config(tmp_path, {}).classes or ()) == 200


def test_the_usual_folder_is_not_a_strangers_link(tmp_path: Path, samples: Path) -> None:
    folder, precious = tmp_path / "folder", tmp_path / "precious"
    for path in (folder, precious):
        path.mkdir()
    (folder / "report").symlink_to(precious)
    done = run("audit", samples / "parabola", "--only", "overview", cwd=folder)
    assert (done.returncode, os.listdir(precious)) == (2, [])
    assert "--out report" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["folder", "precious"]


# Code that the user names.


def name_installed(target: str) -> bytes:
    load_named(target, "custom_objects")
    return json.dumps(sys.path).encode()


def test_naming_an_installed_module_lets_none_of_the_folder_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("jax", "pandas", "lz4", "simplejson", "numpy"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (tmp_path / "mine.py").write_text("def net():\n    return 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    with LocalWorker(device="cpu", folders=HERE) as worker:
        path = json.loads(worker.submit(name_installed, "numpy:abs").result())
        assert str(tmp_path) not in path
        path = json.loads(worker.submit(name_installed, "mine:net").result())
        assert path[-1] == str(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_packages_in_folders_of_their_own_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("absl_py-2.0.dist-info", "odd-1.egg-info"):
        (tmp_path / name.partition("-")[0] / name).mkdir(parents=True)
    folders = [str(path) for path in sorted(tmp_path.iterdir())]
    monkeypatch.setattr(sys, "path", [*sys.path, *folders])
    assert installation_folders()[-2:] == folders


def test_a_working_directory_that_is_gone(tmp_path: Path, samples: Path) -> None:
    (tmp_path / "gone").mkdir()
    script = f"cd {tmp_path}/gone && rmdir {tmp_path}/gone && exec {COMMAND} inspect "
    command = ["sh", "-c", script + str(samples / "digits/model.keras")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# Model files.


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras

    layers = [keras.layers.Input((4,)), keras.layers.Dense(2)]
    path = tmp_path_factory.mktemp("honest") / "model.h5"
    keras.Sequential(layers).save(path)
    return path


def test_a_chunk_that_goes_on_behind_its_end_is_refused(honest: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(honest.read_bytes())
    assert not examine(path).hazards
    with h5py.File(path, "a") as file:
        made = file.create_dataset("extra", (10,), np.uint8, chunks=(10,), compression="gzip")
        made.id.write_direct_chunk((0,), zlib.compress(bytes(64 * 2**20), 9))
    assert "more than they unpack to" in str(examine(path).hazards[0])


@pytest.mark.parametrize("kind", ["gzip", "lzf", None])
def test_honest_chunks_of_noise_are_accepted(honest: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(honest.read_bytes())
    noise = np.random.default_rng(0).integers(0, 256, 900, np.uint8)
    with h5py.File(path, "a") as file:
        file.create_dataset("small", data=noise[:3], chunks=(3,), compression=kind)
        file.create_dataset("noise", data=noise, chunks=(100,), compression=kind, shuffle=True)
    assert not [hazard for hazard in examine(path).hazards if "chunks" in str(hazard)]


@pytest.mark.parametrize("part", ["{},", "[],", '{"a":[]},', "1.5,"])
def test_a_configuration_of_millions_of_parts_is_refused_before_it_is_parsed(part: str) -> None:
    text = "[" + part * (60 * 2**20 // len(part)) + "0]"
    with memory_within(200 * 2**20), pytest.raises(UnsafeInputError, match="holds more than"):
        parse(text, "It")


def test_a_saved_model_of_a_million_graphs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01" + b"\x12\x00" * 10**6)
    with memory_within(200 * 2**20):
        assert "parts" in str(examine(tmp_path).hazards[0])


def test_a_link_in_a_saved_model_is_not_hashed(tmp_path: Path) -> None:
    hashes = set()
    for secret in ("hunter2", "hunter3"):
        folder = tmp_path / secret
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
        (tmp_path / "pin").write_text(secret)
        (folder / "variables/x").symlink_to("../../pin")
        hashes.add(examine(folder).sha256)
    assert len(hashes) == 1


def test_a_large_file_that_is_no_model_is_not_hashed(tmp_path: Path) -> None:
    with (tmp_path / "m.keras").open("wb") as stream:
        stream.truncate(60 * 2**30)
    with pytest.raises(InputError):
        examine(tmp_path / "m.keras")


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        examine(tmp_path / ("x" * 300))


# Samples and histories.


def test_labels_that_are_no_text(tmp_path: Path) -> None:
    x = np.zeros((2, 3), np.float32)
    labels = np.array([0x61, 0x110005], np.uint32).view("<U1")
    np.savez(tmp_path / "a.npz", x=x, y=labels)
    with pytest.raises(InputError, match="cannot be read"):
        read_archive(tmp_path / "a.npz", (3,), limit=9, seed=0)
    np.savez(tmp_path / "b.npz", x=x, y=np.array([0x61, 0xD800], np.uint32).view("<U1"))
    found = read_archive(tmp_path / "b.npz", (3,), limit=9, seed=0)
    assert found.label_names == ("\\ud800", "a")


@pytest.mark.parametrize("change", [{"epoch": 10**400}, {"file": "a" * 5000 + ".npz"}])
def test_a_history_of_absurd_values_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    step = {"epoch": 0, "file": "a.npz", "metrics": {}, **change}
    (tmp_path / "history.json").write_text(json.dumps({"format_version": 2, "steps": [step]}))
    with pytest.raises(ReportgenError):
        read_history(tmp_path)


# What reaches a terminal, and what reaches the worker.


@pytest.mark.parametrize(
    "words", [["inspect", "a", "b\n::error::x\x1b[31m"], ["\x1b]0;x\x07"], ["audit", "--\x1b[2J"]]
)
def test_what_is_typed_wrong_is_told_without_what_steers_a_terminal(
    tmp_path: Path, words: list[str]
) -> None:
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "Error: " in done.stderr
    assert "\x1b" not in done.stderr
    assert not [line for line in done.stderr.splitlines() if line.startswith("::")]


@pytest.mark.parametrize(
    "name",
    "TF_PW REPORTGEN_DB_PWD OMP_AUTH TF_CLI_CONFIG_FILE KERAS_PASS MKL_CRED".split(),
)
def test_secrets_by_other_names_go(name: str) -> None:
    assert clean_environment({name: "hush", "TF_PASSES": "3"}) == {"TF_PASSES": "3"}


def send_rubbish(what: str) -> bytes:
    """As code that the user let run could."""
    for descriptor in range(3, 12):
        try:
            os.write(descriptor, bytes.fromhex(what))
        except OSError:
            continue
    return b"x"


@pytest.mark.parametrize(
    "what",
    ["52" + "ff" * 8, "4502000000000000005b5d", "5002000000000000007b7d", "00" * 9],
)
def test_a_worker_that_sends_rubbish_is_ended_at_once(what: str) -> None:
    with LocalWorker(device="cpu", folders=HERE, listener=lambda *told: None) as worker:
        future = worker.submit(send_rubbish, what)
        with pytest.raises(ReportgenError, match=r"no answer|WorkerError|worker"):
            future.result(timeout=30)
