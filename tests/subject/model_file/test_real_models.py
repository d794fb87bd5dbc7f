"""Strangers' files: each opens and predicts as tf-keras, or Keras, does; or says why not."""

import io
import json
import shutil
import zipfile
from functools import partial

import h5py
import numpy as np
import pytest
from PIL import Image

from reportgen.errors import InputError
from reportgen.subject.model_file import identify, open_repaired

pytestmark = pytest.mark.real

# A model of each repair and dialect every day, the others with --all.
rest = partial(pytest.param, marks=pytest.mark.matrix)

# (model, its images, repairs that it needs)
MODELS = [
    rest(("tonio73_data-science/CIFAR-10_CNN5.h5", "cifar10_test", {"missing_input"})),
    rest(("tonio73_data-science/MNIST_LeNet60.h5", "mnist_test", {"missing_input"})),
    ("tonio73_data-science/MNIST_dense128.h5", "mnist_test", {"missing_input"}),
    rest(("mlcommons_tiny/pretrainedResnet.h5", "cifar10_test", set())),
    ("amaanrzv39_malaria/malaria_model.h5", "malaria_test", set()),
    rest(("tm_BilalSardar_asl/keras_model.h5", "asl_alphabet", {"gone_arguments"})),
    ("Surakshadoijode_fashion_h5_named_keras/fashion_mnist_cnn.keras", "fashion_sprite", set()),
    ("xenmrph_fashion_k214/fashion_mnist.keras", "fashion_sprite", {"weight_groups"}),
    ("codebasics_potato/saved_models/1", "potato_plantvillage", {"saved_model"}),
    rest(("codebasics_potato/potatoes.h5", "potato_plantvillage", set())),
    (
        "st_modelzoo_imagenet_mobilenet_v1_025/mobilenet_v1_0.25_224.h5",
        "photos",
        {"gone_arguments"},
    ),
]


@pytest.fixture(scope="module", params=MODELS, ids=lambda case: case[0].partition("/")[0][:20])
def opened(request, real):
    """The path, our model, the repairs, and eight of the images beside it."""
    name, images, repairs = request.param
    path = real / "models" / name
    model, done = open_repaired(identify(path))
    assert {repair.rule for repair in done} == repairs
    return path, model, read_images(real / "images" / images, model.input_shape[1:])


def read_images(folder, shape):
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".jpg"))
    mode = "L" if len(shape) == 2 or shape[-1] == 1 else "RGB"
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, 8).astype(int)]
    pictures = [Image.open(f).convert(mode).resize(shape[1::-1]) for f in chosen]
    return np.stack([np.asarray(p, np.float32).reshape(shape) for p in pictures]) / 255


def test_predictions_are_those_of_the_oracle(opened, tmp_path):
    path, model, x = opened
    expected = predict_with_oracle(path, x, tmp_path)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)


def predict_with_oracle(path, x, folder):
    import tensorflow as tf
    import tf_keras

    if path.is_dir():  # tf-keras cannot call the augmentation in it; its own signature can
        function = tf.saved_model.load(str(path)).signatures["serving_default"]
        (inputs,) = function.structured_input_signature[1]
        return next(iter(function(**{inputs: tf.constant(x)}).values())).numpy()
    if zipfile.is_zipfile(path):
        return rebuild_by_hand(path).predict(x, verbose=0)
    path = shutil.copy(path, folder / "model.h5")  # tf-keras goes by the suffix
    return tf_keras.models.load_model(str(path), compile=False).predict(x, verbose=0)


def rebuild_by_hand(path):
    """The network by tf-keras, and its four arrays read from where Keras 2.14 put them."""
    import tf_keras

    inner = r"_layer_checkpoint_dependencies\sequential\_layer_checkpoint_dependencies"
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        model = tf_keras.saving.deserialize_keras_object({**config, "compile_config": None})
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            places = [
                rf"{inner}\{layer}/vars/{n}" for layer in ("dense", "dense_1") for n in (0, 1)
            ]
            model.set_weights([file[place][()] for place in places])
    return model


def test_the_declared_parameters_are_those_of_the_network(opened):
    path, model, _ = opened
    assert identify(path).declared.parameters == model.count_params()


def test_every_layer_can_be_looked_into(opened):
    """Activations through nested models, and a gradient through all of it."""
    import keras
    import tensorflow as tf

    from reportgen.subject.probe import Probe

    _, model, x = opened
    assert len(Probe(model, x.shape[1:]).calls) >= len(model.layers) - 1
    with tf.GradientTape() as tape:
        inputs = tf.constant(x[:2])
        tape.watch(inputs)
        outputs = keras.ops.sum(model(inputs, training=False)[:, 0])
    assert np.isfinite(tape.gradient(outputs, inputs).numpy()).all()


REFUSED = [
    (
        "rohitkr_subclassed_cifar_k3/cifar10_model.keras",
        "needs the custom class 'CIFAR10Model'",
        "--custom-objects",
    ),
    ("naufalso_malaria/malaria_model.h5", "holds weights only", "--architecture"),
    ("NEG_lfs_pointer_h5/captcha_model.h5", "is a git-LFS pointer", "git lfs pull"),
    ("NEG_tflite/pretrainedResnet.tflite", "is a TensorFlow Lite model", "model.save("),
    ("NEG_empty_h5_800_bytes/potatoes.h5", "is an empty HDF5 file", "Copy the model file again"),
    (
        "NEG_savedmodel_no_variables",
        "is a SavedModel without its variables",
        "Copy the whole folder again",
    ),
]


@pytest.mark.parametrize(("name", "cause", "way_out"), REFUSED, ids=[c[0][:20] for c in REFUSED])
def test_what_cannot_be_opened_says_why(real, name, cause, way_out):
    path = real / "models" / name
    with pytest.raises(InputError) as caught:
        open_repaired(identify(path))
    assert str(caught.value).startswith(f"{path} {cause}")
    assert way_out in str(caught.value)


def test_weights_open_with_their_network(real, tmp_path):
    """naufalso_malaria: a network of the layers and shapes that its weights tell of."""
    import keras
    from keras import layers

    path = real / "models/naufalso_malaria/malaria_model.h5"
    network = keras.Sequential(
        [
            keras.Input((22, 22, 3)),
            layers.Conv2D(32, 3, activation="relu", name="conv2d_1"),
            layers.MaxPooling2D(name="max_pooling2d_1"),
            layers.Conv2D(32, 3, activation="relu", name="conv2d_2"),
            layers.MaxPooling2D(name="max_pooling2d_2"),
            layers.Conv2D(64, 3, activation="relu", name="conv2d_3"),
            layers.MaxPooling2D(name="max_pooling2d_3"),
            layers.Flatten(name="flatten_1"),
            layers.Dense(64, activation="relu", name="dense_1"),
            layers.Dense(1, activation="sigmoid", name="dense_2"),
        ]
    )
    (tmp_path / "network.json").write_text(network.to_json())
    model = open_repaired(identify(path, architecture=tmp_path / "network.json"))[0]
    network.load_weights(path)  # Keras reads this one too
    x = np.random.default_rng(0).random((4, 22, 22, 3), np.float32)
    np.testing.assert_allclose(model(x), network(x), atol=1e-6)
