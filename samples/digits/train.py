"""Train the digits sample: a small, healthy convnet on real handwriting.

    python samples/digits/train.py

Nothing is planted here: this is the model an audit should find little wrong with. The data
are the 1797 handwritten digits of scikit-learn (8x8 pixels, 17 grey levels, stored as 0..255),
split by class into 70 % training, 10 % validation and 20 % test; the test part is shipped.
The network has what reports must cope with: a fused ReLU, a batch normalisation with its
activation as a layer of its own, a residual connection, pooling and dropout.

Writes model.keras, classes.txt, data/test.npz and history/ beside this file.
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
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from reportgen.subject.recorder import WeightRecorder

SEED = 7
EPOCHS = 12


def load_splits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images ``(n, 8, 8, 1)`` uint8 and labels ``(n,)`` int64 of train, validation and test."""
    digits = load_digits()
    # 16 is full ink and becomes 255.
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    labels = digits.target.astype(np.int64)
    x, x_test, y, y_test = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=SEED
    )
    x_train, x_val, y_train, y_val = train_test_split(
        x, y, test_size=0.125, stratify=y, random_state=SEED
    )
    return {"train": (x_train, y_train), "validation": (x_val, y_val), "test": (x_test, y_test)}


def build_model() -> keras.Model:
    """About 25 000 parameters; takes pixels in 0..1, returns ten probabilities."""
    he = {"kernel_initializer": "he_normal"}
    relu = {"activation": "relu", **he}
    pixels = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(16, 3, padding="same", name="strokes", **relu)(pixels)
    x = layers.Conv2D(24, 3, padding="same", use_bias=False, name="corners", **he)(x)
    # The default momentum of 0.99 would still average in the first epochs when training ends.
    x = layers.BatchNormalization(momentum=0.9, name="corners_norm")(x)
    x = layers.Activation("relu", name="corners_relu")(x)
    detour = layers.Conv2D(24, 3, padding="same", name="detour", **relu)(x)
    x = layers.Add(name="residual")([x, detour])
    x = layers.MaxPooling2D(name="pool_1")(x)
    x = layers.Conv2D(32, 3, padding="same", name="shapes", **relu)(x)
    x = layers.MaxPooling2D(name="pool_2")(x)
    x = layers.Flatten(name="flatten")(x)
    # Without it, all inputs of the dense layer are positive and a quarter of its units is dead.
    x = layers.BatchNormalization(momentum=0.9, name="flatten_norm")(x)
    x = layers.Dense(64, name="mix", **relu)(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    scores = layers.Dense(10, activation="softmax", name="digit")(x)
    model = keras.Model(pixels, scores, name="digits")
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def main() -> None:
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    splits = load_splits()
    inputs = {name: (x.astype(np.float32) / 255, y) for name, (x, y) in splits.items()}
    model = build_model()
    print(f"digits: {model.count_params()} parameters, {len(splits['train'][1])} training images")

    # The recorder refuses to mix two trainings, so an older one makes room first.
    shutil.rmtree(HERE / "history", ignore_errors=True)
    model.fit(
        *inputs["train"],
        validation_data=inputs["validation"],
        epochs=EPOCHS,
        batch_size=32,
        callbacks=[WeightRecorder(HERE / "history", float16=True)],
        verbose=2,
    )
    model.save(HERE / "model.keras")
    x_test, y_test = splits["test"]
    (HERE / "data").mkdir(exist_ok=True)
    np.savez_compressed(HERE / "data" / "test.npz", x=x_test, y=y_test)
    (HERE / "classes.txt").write_text("".join(f"{digit}\n" for digit in range(10)))
    loss, accuracy = model.evaluate(*inputs["test"], verbose=0)
    print(f"digits: test accuracy {accuracy:.4f}, test loss {loss:.4f} ({len(y_test)} images)")


if __name__ == "__main__":
    main()
