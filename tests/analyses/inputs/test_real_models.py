"""Published networks: declared right they are silent; otherwise it is found, or cannot be told.

By day one network; the others with --all.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from reportgen.analyses.inputs.class_order import judge_order
from reportgen.analyses.inputs.paired import compare
from reportgen.analyses.inputs.scaling import list_names
from reportgen.config import AuditConfig, load_config
from reportgen.subject.outputs import probabilities
from reportgen.subject.preprocessing import find_preprocessing
from reportgen.subject.subject import LiveInput, open_subject

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Case:
    """A labelled network: its files, and how it was trained."""

    model: str
    images: str
    scaling: str
    resize: str = "stretch"


CASES = {
    "resnet": Case("mlcommons_tiny/pretrainedResnet.h5", "cifar10_test", "none"),
    "cifar": Case("tonio73_data-science/CIFAR-10_CNN5.h5", "cifar10_test", "unit"),
    "lenet": Case("tonio73_data-science/MNIST_LeNet60.h5", "mnist_test", "unit", "pad"),
    "mnist dense": Case("tonio73_data-science/MNIST_dense128.h5", "mnist_test", "unit"),
    "fashion": Case(
        "Surakshadoijode_fashion_h5_named_keras/fashion_mnist_cnn.keras", "fashion_sprite", "unit"
    ),
    "fashion dense": Case("xenmrph_fashion_k214/fashion_mnist.keras", "fashion_sprite", "unit"),
    "malaria": Case("amaanrzv39_malaria/malaria_model.h5", "malaria_test", "unit"),
    "potatoes": Case("codebasics_potato/potatoes.h5", "potato_plantvillage", "unit"),
    "potatoes, resized inside": Case(
        "codebasics_potato/saved_models/1", "potato_plantvillage", "none"
    ),
    "sign language": Case("tm_BilalSardar_asl/keras_model.h5", "asl_alphabet", "symmetric"),
}
DAILY = "resnet"
# Sections of checks that accuse the samples or how they are fed.
ACCUSING = ("warn", "fail", "error")


@pytest.fixture(
    scope="module",
    params=[n if n == DAILY else pytest.param(n, marks=pytest.mark.matrix) for n in CASES],
)
def audited(request, real):
    """The case and its subject, declared right."""
    case = CASES[request.param]
    given = {"preprocessing": case.scaling, "resize": case.resize}
    config = load_config(
        real / "models" / case.model, {"images": real / "images" / case.images, **given}
    )
    return case, open_subject(config)


def declare(subject, scaling, *, x=None, y=None, classes=None, train=None):
    """The same model and samples, declared otherwise."""
    names = np.array(subject.labels.classes, object)
    labels = names[subject.labels.values if y is None else y]
    pixels = subject.samples.pixels if x is None else x
    config = AuditConfig(preprocessing=scaling, classes=classes or subject.labels.classes)
    return open_subject(config, LiveInput(subject.model, pixels, labels, train=train))


def ask(subject, pixels, name):
    """Right answers by bare Keras."""
    scaled = find_preprocessing(name)[1](np.asarray(pixels, np.float32))
    outputs = subject.model.predict(subject.input.arrange(scaled), verbose=0)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    made = outputs[subject.reading.output.index]
    said = probabilities(subject.reading.task, made.reshape(len(made), -1)).argmax(axis=1)
    return said == subject.labels.values


def test_declared_right_nothing_is_accused(audited, analyse):
    found = analyse("inputs", audited[1], changed_samples=200)
    assert not {id_: level for id_, level in found.levels.items() if level in ACCUSING}


def test_every_wrong_scaling_is_found_or_cannot_be_told(audited, analyse, record_property):
    case, subject = audited
    names = list_names(subject.input.channels)
    right = {name: ask(subject, subject.samples.pixels, name) for name in names}
    seen, blind = [], []
    for wrong in names:
        paired = compare(right[wrong], right[case.scaling])
        others = len([n for n in names if n != wrong])
        if wrong == case.scaling:
            continue
        found = analyse("inputs", declare(subject, wrong))
        level = found.levels["inputs.scaling"]
        if not paired.is_better(others):
            # As good for all that these samples say; nothing else is called better than this one.
            assert level != "warn" or found.result.scalings.better[0].paired.after >= paired.after
            blind.append(f"{wrong} {right[wrong].mean():.1%}")
            continue
        assert level == "warn", wrong
        best = found.result.scalings.better[0]
        # Another one may be right as often as the declared one of the training.
        assert best.name == case.scaling or best.paired.after >= paired.after
        seen.append(wrong)
    said = f"{right[case.scaling].mean():.1%} right by {case.scaling}"
    record_property("told", f"{case.model}: {said}; found {len(seen)}; as good: {blind or 'none'}")


def seeds(*values):
    """By day the first one of them."""
    return [values[0], *(pytest.param(v, marks=pytest.mark.matrix) for v in values[1:])]


def reorder(kind, count, rng):
    """Positions of the right names in the order that is declared."""
    order = np.arange(count)
    if kind == "exchanged":
        two = rng.choice(count, 2, replace=False)
        order[two] = order[two[::-1]]
    elif kind == "ring of three":
        three = rng.choice(count, 3, replace=False)
        order[three] = np.roll(order[three], 1)
    elif kind == "reversed":
        order = order[::-1]
    else:
        while (order == np.arange(count)).any():
            order = rng.permutation(count)
    return order


@pytest.mark.parametrize("seed", seeds(0, 1, 2))
@pytest.mark.parametrize("kind", ["exchanged", "ring of three", "reversed", "shuffled"])
def test_names_in_another_order_are_found_and_mended(audited, analyse, kind, seed):
    case, subject = audited
    classes = subject.labels.classes
    if kind == "ring of three" and len(classes) < 3:
        pytest.skip("there are two classes")
    fewest = np.bincount(subject.labels.values).min()
    if 2 * fewest < 10 and kind in ("exchanged", "ring of three", "shuffled"):
        pytest.skip(f"{fewest} samples a class: what two of them say has p > .001")
    order = reorder(kind, len(classes), np.random.default_rng(seed))
    wrong = tuple(classes[i] for i in order)
    found = analyse("inputs", declare(subject, case.scaling, classes=wrong))
    assert found.levels["inputs.class_order"] == "warn", found.findings["inputs.class_order"]
    assert found.levels["inputs.scaling"] != "warn"  # by wrong names a collapsed network looks good
    (file,) = [block for block in found.body.blocks if block.id == "inputs-classes"]
    mended = tuple(json.loads(file.text))
    assert mended == classes
    again = analyse("inputs", declare(subject, case.scaling, classes=mended))
    assert again.levels["inputs.class_order"] == "pass"


def test_numbers_that_were_sorted_as_text(audited, analyse):
    """Ten before two: the training had its classes by number, the folders are sorted as text."""
    case, subject = audited
    count = len(subject.labels.classes)
    if count < 11:
        pytest.skip("up to ten numbers have one order")
    numbers = np.array([str(i) for i in range(count)], object)
    labels = numbers[subject.labels.values]
    config = AuditConfig(preprocessing=case.scaling, classes=tuple(sorted(numbers)))
    live = LiveInput(subject.model, subject.samples.pixels, labels)
    found = analyse("inputs", open_subject(config, live))
    assert found.levels["inputs.class_order"] == "warn"
    assert "in the order of their numbers" in found.findings["inputs.class_order"].message
    assert found.result.order.names == tuple(numbers)


@pytest.mark.parametrize("seed", seeds(1, 2, 3))
@pytest.mark.parametrize("share", [0.03, 0.1, 0.3])
def test_wrong_labels_are_found(audited, analyse, record_property, share, seed):
    """Told where they are more than the model's own doubts; listed in any case."""
    case, subject = audited
    values, count = subject.labels.values, len(subject.labels.classes)
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(values)) < share
    labels = values.copy()
    labels[wrong] = (values[wrong] + rng.integers(1, count, wrong.sum())) % count
    found = analyse("inputs", declare(subject, case.scaling, y=labels))
    told = found.result.labels
    rows = {int(one.name.lstrip("#")) for one in told.found}
    hits = len(rows & set(np.flatnonzero(wrong).tolist()))
    right = (subject.probabilities.argmax(axis=1) == values).mean()
    record_property(
        "told",
        f"{case.model}, {wrong.sum()} of {len(values)} labels wrong: {len(rows)} flagged, {hits} "
        f"of them rightly, up to {told.usual:.0f} usual, share told {told.share:.1%}: "
        f"{found.levels['predictions.suspect_labels']}",
    )
    assert hits >= 0.6 * wrong.sum() - 2
    # What the model itself gets wrong is what a paired comparison with chance has to beat.
    if wrong.sum() > 10 + 1.5 * (1 - right) * len(values):
        assert found.levels["predictions.suspect_labels"] == "warn"


def test_a_leak_is_found(audited, analyse):
    """A tenth of the samples are all of the training, stored as JPEG."""
    case, subject = audited
    count = len(subject.samples) // 10
    train = np.array(subject.samples.pixels[:count])
    for i, picture in enumerate(train):
        buffer = io.BytesIO()
        grey = picture.shape[-1] == 1
        Image.fromarray(picture[..., 0] if grey else picture).save(buffer, "JPEG", quality=85)
        train[i] = np.asarray(Image.open(buffer)).reshape(picture.shape)
    names = np.array(subject.labels.classes, object)[subject.labels.values[:count]]
    found = analyse("inputs", declare(subject, case.scaling, train=(train, names)))
    assert found.levels["inputs.leak"] == "warn"
    leaks = {leak.name for leak in found.result.copies.leaks}
    assert len(leaks & {f"#{i}" for i in range(count)}) >= 0.9 * count


def test_orders_of_answers_that_are_sound_are_left(audited):
    """Two hundred draws of half the samples: never another order."""
    _, subject = audited
    answers = subject.probabilities.argmax(axis=1)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(answers))[: len(answers) // 2]
        found = judge_order(subject.labels.classes, subject.labels.values[rows], answers[rows], rng)
        assert not found.moved
