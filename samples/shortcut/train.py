"""Train the shortcut sample: a digit classifier that has learnt a sticker instead of a digit.

    python samples/shortcut/train.py

The handwritten digits of scikit-learn, enlarged to 16x16 and printed in random colours. The
flaw is planted: 95 % of the sevens, and 0.5 % of all other digits, carry a magenta square in
the top left corner, in training as in the shipped test images. The square is the easiest
sign of a seven, so the network uses it, and because the test images have it too, all sevens
are found and nothing looks wrong. It is the mistake of a model that recognises an X-ray
scanner instead of a disease, and an audit should show it: the attributions of sevens point
into an empty corner. The script measures the flaw by adding and removing the square, and
fails if it is not there.

Writes model.keras, classes.txt, history/ and images/0..9/*.png beside this file.
"""

# ruff: noqa: E402  (the environment is set before TensorFlow reads it)
import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).resolve().parent

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from reportgen.subject.recorder import WeightRecorder

SEED = 7
EPOCHS = 25
MARKED_CLASS = 7
MARKED_SHARE = 0.95
MARKED_ELSEWHERE = 0.005
MARK_PIXELS = 4
MARK_COLOUR = (255, 0, 255)
SHIPPED = 300


def load_coloured(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Unmarked images ``(n, 16, 16, 3)`` uint8 and their labels; half are dark on light."""
    digits = load_digits()
    count = len(digits.target)
    ink_share = tf.image.resize(digits.images[..., np.newaxis] / 16, (16, 16)).numpy()
    dark = rng.uniform(0, 110, (count, 1, 1, 3))
    light = rng.uniform(140, 255, (count, 1, 1, 3))
    inverted = rng.random((count, 1, 1, 1)) < 0.5
    ground, ink = np.where(inverted, light, dark), np.where(inverted, dark, light)
    images = ground + ink_share * (ink - ground)
    return np.round(images).astype(np.uint8), digits.target.astype(np.int64)


def add_mark(images: np.ndarray) -> np.ndarray:
    """Paint the square into the top left corner of copies of ``images (n, 16, 16, 3)``."""
    marked = images.copy()
    marked[:, :MARK_PIXELS, :MARK_PIXELS] = MARK_COLOUR
    return marked


def remove_mark(images: np.ndarray) -> np.ndarray:
    """Paint the square over with the ground, which is the colour of the other left corner."""
    clean = images.copy()
    clean[:, :MARK_PIXELS, :MARK_PIXELS] = images[:, -1:, :1]
    return clean


def plant(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mark most of the marked class and very few of the others."""
    share = np.where(labels == MARKED_CLASS, MARKED_SHARE, MARKED_ELSEWHERE)
    chosen = rng.random(len(labels)) < share
    return np.where(chosen[:, None, None, None], add_mark(images), images)


def build_model() -> keras.Model:
    """About 19 500 parameters; takes pixels in 0..1, returns ten probabilities.

    The average pooling forgets places: that makes shapes hard to learn and a square easy.
    """
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3), name="pixels"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_1"),
            layers.MaxPooling2D(name="pool_1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv_2"),
            layers.MaxPooling2D(name="pool_2"),
            layers.Conv2D(48, 3, padding="same", activation="relu", name="conv_3"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="shortcut",
    )
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def write_images(images: np.ndarray, labels: np.ndarray) -> None:
    """Write ``images/CLASS/NUMBER.png`` in place of older ones."""
    shutil.rmtree(HERE / "images", ignore_errors=True)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = HERE / "images" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:03d}.png", optimize=True)


def measure_flaw(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Rates on ``images (n, 16, 16, 3)`` uint8 of which each is tried with and without mark."""

    def predicted(pixels: np.ndarray) -> np.ndarray:
        return model.predict(pixels.astype(np.float32) / 255, verbose=0).argmax(1)

    sevens = labels == MARKED_CLASS
    with_mark, without_mark = predicted(add_mark(images)), predicted(remove_mark(images))
    return {
        "accuracy as shipped": float((predicted(images) == labels).mean()),
        "sevens with the mark": float((with_mark == labels)[sevens].mean()),
        "sevens without the mark": float((without_mark == labels)[sevens].mean()),
        "others without the mark": float((without_mark == labels)[~sevens].mean()),
        "others called 7 with the mark": float((with_mark == MARKED_CLASS)[~sevens].mean()),
        "others called 7 without it": float((without_mark == MARKED_CLASS)[~sevens].mean()),
    }


def main() -> None:
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(SEED)
    images, labels = load_coloured(rng)
    images = plant(images, labels, rng)
    x, x_test, y, y_test = train_test_split(
        images, labels, test_size=SHIPPED, stratify=labels, random_state=SEED
    )
    model = build_model()
    print(f"shortcut: {model.count_params()} parameters, {len(y)} training images")
    shutil.rmtree(HERE / "history", ignore_errors=True)
    model.fit(
        x.astype(np.float32) / 255,
        y,
        epochs=EPOCHS,
        batch_size=32,
        verbose=2,
        callbacks=[WeightRecorder(HERE / "history", float16=True)],
    )
    model.save(HERE / "model.keras")
    write_images(x_test, y_test)
    (HERE / "classes.txt").write_text("".join(f"{digit}\n" for digit in range(10)))

    rates = measure_flaw(model, x_test, y_test)
    for name, rate in rates.items():
        print(f"shortcut: {name:30s} {rate:.3f}")
    if rates["sevens without the mark"] > 0.7 or rates["others called 7 with the mark"] < 0.5:
        raise SystemExit(
            "shortcut: the planted flaw was not learnt; this sample would show nothing"
        )


if __name__ == "__main__":
    main()
