"""Train the parabola sample: a 1-64-64-64-1 network fitted to noisy points of y = x^2.

    python samples/parabola/train.py

The smallest model with a loss landscape worth looking at: four dense layers, one number in,
one number out, mean squared error. The noise is planted: it is Gaussian with a standard
deviation of 0.05, so no model can have a test error much below 0.0025, and an error below
that on the training points is noise learnt by heart. There are no images and no classes:
an audit must say so and do the rest.

Writes model.keras, data/test.npz and history/ beside this file.
"""

# ruff: noqa: E402  (the environment is set before TensorFlow reads it)
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # runs from a checkout that is not installed

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from reportgen.subject.recorder import WeightRecorder

SEED = 7
EPOCHS = 24
NOISE = 0.05


def noisy_parabola(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points x ``(n, 1)`` in -1..1 and y ``(n,)`` = x^2 + noise, both float32."""
    x = rng.uniform(-1, 1, (count, 1))
    y = x[:, 0] ** 2 + rng.normal(0, NOISE, count)
    return x.astype(np.float32), y.astype(np.float32)


def build_model() -> keras.Model:
    """8 513 parameters; one number in, one number out."""
    model = keras.Sequential(
        [
            keras.Input((1,), name="x"),
            layers.Dense(64, activation="relu", name="hidden_1"),
            layers.Dense(64, activation="relu", name="hidden_2"),
            layers.Dense(64, activation="relu", name="hidden_3"),
            layers.Dense(1, name="y"),
        ],
        name="parabola",
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mean_squared_error")
    return model


def main() -> None:
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(SEED)
    train, validation, test = (noisy_parabola(count, rng) for count in (800, 200, 300))
    model = build_model()
    print(f"parabola: {model.count_params()} parameters, {len(train[1])} training points")

    # The recorder refuses to mix two trainings, so an older one makes room first.
    shutil.rmtree(HERE / "history", ignore_errors=True)
    model.fit(
        *train,
        validation_data=validation,
        epochs=EPOCHS,
        batch_size=32,
        callbacks=[WeightRecorder(HERE / "history", float16=True)],
        verbose=2,
    )
    model.save(HERE / "model.keras")
    (HERE / "data").mkdir(exist_ok=True)
    np.savez_compressed(HERE / "data" / "test.npz", x=test[0], y=test[1])
    error = model.evaluate(*test, verbose=0)
    print(f"parabola: test mean squared error {error:.5f}, of which noise {NOISE**2:.5f}")


if __name__ == "__main__":
    main()
