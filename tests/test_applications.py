"""Every architecture of keras.applications, as Keras saves it: opened, answered, audited."""

from __future__ import annotations

import json

import numpy as np
import pytest

from reportgen.battery import BATTERY
from reportgen.config import build_config
from reportgen.pipeline import run_audit
from reportgen.subject.model_file import examine, identify, open_model
from reportgen.worker.process import InlineExecutor

pytestmark = pytest.mark.matrix

AUDITED = ("overview", "feature_maps", "weights")
MOST_PARAMETERS = 30_000_000
# The smallest input that each takes without its top; 32 pixels where it is not told.
_SMALLEST = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}
_FIXED = {"NASNetMobile": 224, "NASNetLarge": 331}
_SOME_CLASSES = 5
SMALL = """
    ConvNeXtTiny DenseNet121 DenseNet169 DenseNet201 EfficientNetB0 EfficientNetB1 EfficientNetB2
    EfficientNetB3 EfficientNetB4 EfficientNetB5 EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2
    EfficientNetV2B3 EfficientNetV2S InceptionV3 MobileNet MobileNetV2 MobileNetV3Large
    MobileNetV3Small NASNetMobile ResNet50 ResNet50V2 VGG16 VGG19 Xception
""".split()
LARGE = """
    ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtXLarge EfficientNetB6 EfficientNetB7
    EfficientNetV2L EfficientNetV2M InceptionResNetV2 NASNetLarge ResNet101 ResNet101V2 ResNet152
    ResNet152V2
""".split()


def build(name):
    """The network with random weights, for few classes; with a small head where it allows."""
    import keras

    keras.utils.set_random_seed(0)
    make = getattr(keras.applications, name)
    side = _SMALLEST.get(name, 32)
    if name in _FIXED:
        return make(weights=None, classes=_SOME_CLASSES), _FIXED[name]
    trunk = make(weights=None, include_top=False, input_shape=(side, side, 3), pooling="avg")
    answers = keras.layers.Dense(_SOME_CLASSES, activation="softmax", name="answers")(trunk.output)
    return keras.Model(trunk.input, answers), side


def test_the_two_lists_are_all_that_there_are():
    import keras

    found = {n for n in dir(keras.applications) if n[0].isupper()}
    assert found == {*SMALL, *LARGE}


@pytest.fixture(
    scope="module", params=[(n, s) for n in SMALL for s in ("keras", "h5")], ids="-".join
)
def saved(request, tmp_path_factory):
    import keras

    name, suffix = request.param
    model, side = build(name)
    assert model.count_params() <= MOST_PARAMETERS
    path = tmp_path_factory.mktemp("applications") / f"{name}.{suffix}"
    model.save(path)
    x = np.random.default_rng(0).integers(0, 256, (8, side, side, 3)).astype("float32")
    yield path, x, model.predict(x, verbose=0)
    path.unlink()
    keras.backend.clear_session()


def test_opens_and_answers_as_keras_does(saved):
    path, x, answers = saved
    np.testing.assert_allclose(open_model(identify(path)).predict(x, verbose=0), answers, atol=1e-5)


def test_is_audited_without_an_error(saved):
    path, x, _ = saved
    if path.suffix == ".h5":
        pytest.skip("once opened it is the same network as from the .keras file")
    np.savez(path.parent / "samples.npz", x=x.astype("uint8"), y=np.arange(len(x)) % _SOME_CLASSES)
    settings = {
        "model": path,
        "data": path.parent / "samples.npz",
        "preset": "quick",
        "only": AUDITED,
        "options": {a.id: dict(a.options.tiny) for a in BATTERY if a.id in AUDITED},
    }
    report, _ = run_audit(build_config(settings), executor=InlineExecutor())
    assert not [(f.id, f.message) for f in report.findings if f.level == "error"]
    assert {s.id: s.status for s in report.sections if s.id in AUDITED} == dict.fromkeys(
        AUDITED, "done"
    )


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", LARGE)
def test_a_large_one_is_judged_safe(name, suffix, tmp_path):
    import keras

    model, _ = build(name)
    model.save(tmp_path / f"{name}.{suffix}")
    del model
    keras.backend.clear_session()
    file = examine(tmp_path / f"{name}.{suffix}")
    assert json.dumps([str(hazard) for hazard in file.hazards]) == "[]"
    assert not file.missing
