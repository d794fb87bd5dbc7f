"""Models that tf-keras builds and writes: the oracle for files of Keras 2."""

import json
import os
import warnings
import zipfile

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def tf_keras():
    """The last Keras 2, as it is published beside TensorFlow."""
    return pytest.importorskip("tf_keras")


@pytest.fixture(scope="session")
def keras():
    """Keras 3, whose models say what a configuration must declare."""
    return pytest.importorskip("keras")


@pytest.fixture(autouse=True)
def _fresh_names(request):
    """Names such as ``dense_3`` must not depend on the tests that ran before."""
    if "tf_keras" in request.fixturenames:
        request.getfixturevalue("tf_keras").backend.clear_session()


def _randomize(model, seed=11):
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if not variable.dtype.is_floating:
            continue
        values = rng.normal(0, 0.4, variable.shape)
        if "variance" in variable.name:
            values = np.abs(values) + 0.3
        variable.assign(values.astype(variable.dtype.as_numpy_dtype))
    for layer in model.submodules:
        if hasattr(layer, "finalize_state"):  # Normalization computes with copies
            layer.finalize_state()
    return model


@pytest.fixture(scope="session")
def randomize():
    """Seeded values for every weight: biases, moving means, positive variances."""
    return _randomize


def _draw(model, seed=12):
    rng = np.random.default_rng(seed)
    drawn = []
    for tensor in model.inputs:
        shape = [side or (3 if not axis else 7) for axis, side in enumerate(tensor.shape)]
        if tensor.dtype.is_floating:
            drawn.append(rng.normal(0, 1.5, shape).astype(np.float32))
        else:
            drawn.append(rng.integers(0, 7, shape).astype(tensor.dtype.as_numpy_dtype))
    return drawn


@pytest.fixture(scope="session")
def draw_inputs():
    """Seeded inputs for a model, three samples where it takes any number."""
    return _draw


def _call(model, inputs):
    import tensorflow as tf

    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [np.asarray(part, np.float32) for part in tf.nest.flatten(outputs)]


@pytest.fixture(scope="session")
def call():
    """The outputs of a model of either Keras, flat, in inference."""
    return _call


def _write(model, folder, form):
    path = folder / {"h5": "model.h5", "keras": "model.keras", "tf": "model"}[form]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path, save_format=form)
    return path


@pytest.fixture(scope="session")
def write():
    """Save with tf-keras as ``h5``, ``keras`` or ``tf`` (a SavedModel folder)."""
    return _write


def _open(path):
    from reportgen.subject.model_file import identify, open_model

    return open_model(identify(path))


@pytest.fixture(scope="session")
def opened():
    """Identify and open with reportgen."""
    return _open


@pytest.fixture
def assert_same(tmp_path):
    """Write a model of tf-keras, open it with ours, and compare what they predict."""

    def check(model, form, *, atol=1e-5, change=None):
        _randomize(model)
        inputs = _draw(model)
        expected = _call(model, inputs)
        path = _write(model, tmp_path, form)
        if change is not None:
            change(path)
        found = _call(_open(path), inputs)
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert np.isfinite(theirs).all()
            np.testing.assert_allclose(ours, theirs, atol=atol, rtol=1e-5)

    return check


@pytest.fixture(scope="session")
def rewrite_member():
    """Change one member of a zip archive: ``rewrite_member(path, name, change)``."""

    def rewrite(path, name, change):
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        members[name] = change(members[name])
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)

    return rewrite


def _as_shapes(shape):
    nested = bool(shape) and isinstance(shape[0], list | tuple)
    return tuple(tuple(one) for one in shape) if nested else (tuple(shape),)


@pytest.fixture(scope="session")
def assert_declares():
    """Check that a model's configuration declares all that was built; return what it declares."""
    from reportgen.subject.model_file.declared import declare

    def check(model):
        declared = declare(json.loads(model.to_json()))
        assert declared.parameters == model.count_params()
        assert declared.complete
        built = sorted(tuple(weight.shape) for weight in model.weights)
        listed = [shape for layer in declared.layers for _, shape in layer.weights or ()]
        assert sorted(listed) == built
        assert declared.outputs == _as_shapes(model.output_shape)
        for layer in model.layers:
            shapes = declared.of(layer.name)
            assert shapes is not None
            assert sorted(shapes) == sorted(tuple(weight.shape) for weight in layer.weights)
        return declared

    return check
