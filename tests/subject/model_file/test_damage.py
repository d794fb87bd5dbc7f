"""Seeded byte flips and truncations of every format, through the real worker.

60 of each by default, spread evenly over the file; 2,000 anywhere with ``--all``, or as many as
``--damages`` says. Whatever is damaged, the answer is the model or one of our refusals, in bounded
time: never a bug, never a hang.
"""

import shutil
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from reportgen.config import build_config
from reportgen.errors import InputError, UnsafeInputError, WorkerDiedError
from reportgen.worker.jobs import load_job, screen_job
from reportgen.worker.process import LocalWorker

from ...kept import keep

# A damaged file that is read takes milliseconds; this is for a busy machine, and for a worker
# that was ended and has to import TensorFlow again.
_SECONDS = 60.0
_FEW, _MANY = 60, 2000
_FORMATS = ("keras", "h5", "saved_model")


@pytest.fixture(scope="module")
def originals(shelf):
    """One small convolutional model in each format."""
    folder = keep(shelf, "originals", save_originals, Path(__file__))
    return {name: next(folder.glob(f"{name}*")) for name in _FORMATS}


def save_originals(folder):
    import keras
    import tf_keras

    def stack(library):
        layers = library.layers
        return library.Sequential(
            [
                layers.InputLayer(shape=(8, 8, 3))
                if library is keras
                else layers.InputLayer(input_shape=(8, 8, 3)),
                layers.Conv2D(4, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.Dense(3, activation="softmax"),
            ]
        )

    keras.utils.set_random_seed(0)
    stack(keras).save(folder / "keras.keras")
    stack(keras).save(folder / "h5.h5")
    stack(tf_keras).save(folder / "saved_model", save_format="tf")


def damage(
    original: Path, target: Path, rng: np.random.Generator, stratum: float | None = None
) -> None:
    """A copy with a few bytes changed, or cut off; in a folder, one of its files.

    stratum: where in the file, from 0 to 1, the damage begins; None for anywhere.
    """
    if original.is_dir():
        shutil.copytree(original, target, dirs_exist_ok=True)
        files = sorted(path for path in target.rglob("*") if path.is_file())
        victim = files[rng.integers(len(files))]
    else:
        victim = target
        shutil.copyfile(original, target)
    data = np.fromfile(victim, np.uint8)
    if len(data) and rng.random() < 0.2:
        data = data[: rng.integers(len(data))]
    elif len(data):
        # Half of the damage in the first kilobytes, where the structure of most formats is.
        end = len(data) if rng.random() < 0.5 else min(len(data), 4096)
        places = rng.integers(0, end, rng.integers(1, 9))
        if stratum is not None:
            places[0] = int(stratum * len(data))
        data[places] ^= rng.integers(1, 256, len(places), dtype=np.uint8)
    data.tofile(victim)


def try_all(original: Path, folder: Path, seeds: range, strata: int) -> Counter[str]:
    """What became of each damaged copy; strata: parts of the file that take turns, 0 for none."""
    outcomes: Counter[str] = Counter()
    kind = zlib.crc32(original.stem.encode())
    with LocalWorker(device="cpu") as worker:
        for seed in seeds:
            target = folder / f"{seed}{original.suffix}"
            stratum = (seed % strata) / strata if strata else None
            damage(original, target, np.random.default_rng([kind, seed]), stratum)
            outcomes[try_one(worker, target, seed)] += 1
            shutil.rmtree(target) if target.is_dir() else target.unlink()
    return outcomes


def try_one(worker: LocalWorker, target: Path, seed: int) -> str:
    config = build_config({"model": target})
    try:
        for job in (screen_job, load_job):
            worker.submit(job, config).result(timeout=_SECONDS)
    except (InputError, UnsafeInputError) as error:
        return type(error).__name__ + (" in several lines" if "\n" in str(error) else "")
    except TimeoutError:  # in the product too: the worker is ended, the file is called damaged
        worker.kill()
        return "ended at the time limit"
    except WorkerDiedError:
        return "the library crashed"
    except Exception as error:
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    return "opened"


@pytest.mark.parametrize("name", _FORMATS)
def test_damaged_files_are_opened_or_refused(name, originals, tmp_path, request, record_property):
    every = request.config.getoption("--all")
    count = request.config.getoption("--damages") or (_MANY if every else _FEW)
    strata = 0 if count >= _MANY else count
    outcomes = try_all(originals[name], tmp_path, range(count), strata)
    said = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    record_property("told", f"{count} damaged {name} files: {said}")
    assert outcomes.total() == count
    assert outcomes["InputError"] > count / 10  # the damage is real
    # Ending the process is the last resort, not the way it works.
    last = outcomes["ended at the time limit"] + outcomes["the library crashed"]
    assert last <= max(1, count / 100)
