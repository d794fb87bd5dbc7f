"""A repair is made only where the installed Keras cannot read the setting as it is."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from reportgen.subject.model_file import examine, identify, open_repaired
from reportgen.subject.model_file.repairs import layer_rules
from reportgen.subject.model_file.repairs.installed_keras import (
    accepted_arguments,
    accepts,
    has_layer,
)
from reportgen.subject.model_file.repairs.table import repair

SAMPLES = Path(__file__).parents[3] / "samples"
CLASSES = {
    name: kind
    for name in dir(keras.layers)
    if isinstance(kind := getattr(keras.layers, name), type)
}
AUGMENTATION = ("value_range", "auto_vectorize", "rng_type")
RULES = [
    *(
        (name, key, None if values is layer_rules.ANY else values[0])
        for classes, key, values in layer_rules._GONE
        for name in classes or ()
    ),
    *((name, key, None) for name in CLASSES if name.startswith("Random") for key in AUGMENTATION),
]


def signature_of(kind, *, taken_out=False):
    """What a constructor takes, by Python's own reading of the imported class."""
    found = set()
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        given = inspect.signature(vars(base)["__init__"]).parameters.values()
        found |= {p.name for p in given if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if all(p.kind is not p.VAR_KEYWORD for p in given):
            break
        if taken_out and base is not keras.layers.Layer:
            source = inspect.getsource(vars(base)["__init__"])
            found |= set(re.findall(r'kwargs\.(?:pop|get)\(\s*"(\w+)"', source))
    return found - {"self"}


def test_what_a_constructor_takes_out_of_its_keywords_is_known():
    """Else a file that this very Keras wrote would be said to need a repair."""
    assert "rms_scaling" in accepted_arguments("LayerNormalization")
    assert "alpha" in accepted_arguments("LeakyReLU")
    assert "input_dim" not in accepted_arguments("Dense")


@pytest.mark.parametrize("name", CLASSES)
def test_the_source_says_what_the_class_says(name):
    assert has_layer(name)
    assert accepted_arguments(name) == signature_of(CLASSES[name], taken_out=True)


def test_a_class_that_is_gone_takes_nothing():
    assert not has_layer("ThresholdedReLU")
    assert accepted_arguments("ThresholdedReLU") == frozenset()


def test_asking_imports_no_keras():
    code = (
        "import sys; from reportgen.subject.model_file.repairs.installed_keras import accepts; "
        "print(accepts('BatchNormalization', 'momentum'), 'keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["True", "False"]


def network_with(name, key, value):
    layer = {"class_name": name, "config": {"name": "it", key: value}}
    return {"class_name": "Sequential", "config": {"name": "net", "layers": [layer]}}


@pytest.mark.parametrize(("name", "key", "value"), RULES)
def test_every_rule_that_drops_an_argument_asks_the_class_first(name, key, value):
    config, done = repair(network_with(name, key, value), "2.15.0")
    (layer,) = config["config"]["layers"]
    taken = key in signature_of(CLASSES.get(layer["class_name"], object))
    assert (key in layer["config"]) == taken
    if taken:
        assert done == ()


@pytest.mark.parametrize("name", ["RandomHeight", "RandomWidth", "ThresholdedReLU"])
def test_a_layer_that_keras_has_again_stands_for_itself(name, monkeypatch):
    found, done = repair(network_with(name, "seed", None), "2.15.0")
    assert found["config"]["layers"][0]["class_name"] != name
    assert len(done) == 1
    monkeypatch.setattr(layer_rules, "has_layer", lambda asked: asked == name)
    found, done = repair(network_with(name, "seed", None), "2.15.0")
    assert found["config"]["layers"][0]["class_name"] == name
    assert done == ()


def test_what_an_older_keras_does_not_take_is_dropped_and_said(monkeypatch):
    monkeypatch.setattr(layer_rules, "accepts", lambda name, argument: False)
    found, done = repair(network_with("BatchNormalization", "renorm", False), "3.14.0")
    assert found["config"]["layers"][0]["config"] == {"name": "it"}
    assert [(each.rule, each.details) for each in done] == [("gone_arguments", ("renorm",))]


def test_a_file_of_the_installed_keras_is_not_repaired(tmp_path):
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    )
    model.save(tmp_path / "net.keras")
    assert accepts("BatchNormalization", "renorm")
    file = identify(tmp_path / "net.keras")
    assert file.repairs == ()
    assert open_repaired(file)[1] == ()


@pytest.mark.parametrize("name", ["digits", "parabola", "shortcut"])
def test_our_own_samples_need_no_repair(name):
    assert examine(SAMPLES / name / "model.keras").repairs == ()
