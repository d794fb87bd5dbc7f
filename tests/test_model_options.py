"""What the user says about a model file: own code, its network, its hash, that it may be unsafe."""

import json
import subprocess
import sys

import numpy as np
import pytest

import reportgen
from reportgen.config import load_config
from reportgen.errors import ConfigurationError, InputError, UnsafeInputError, UsageError
from reportgen.pipeline import run_audit
from reportgen.worker.jobs import close_subject
from reportgen.worker.process import InlineExecutor

CUSTOM = """
import keras

class Odd(keras.layers.Layer):
    def call(self, x):
        return x + 1

@keras.saving.register_keras_serializable(package="mine")
class Even(keras.layers.Layer):
    def call(self, x):
        return 2 * x

def network():
    return keras.Sequential([
        keras.Input((4, 4, 1)),
        keras.layers.Flatten(name="flat"),
        keras.layers.Dense(2, name="out"),
    ])

def no_network():
    return 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models that need something, the module that defines it, and samples."""
    import importlib.util

    import keras

    path = tmp_path_factory.mktemp("options")
    (path / "own_layers_of_a_test.py").write_text(CUSTOM)
    spec = importlib.util.spec_from_file_location(
        "own_layers_of_a_test", path / "own_layers_of_a_test.py"
    )
    own = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = own
    spec.loader.exec_module(own)
    keras.utils.set_random_seed(0)

    def stack(*middle):
        ends = [keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
        return keras.Sequential([keras.Input((4, 4, 1)), *middle, *ends])

    stack(own.Odd()).save(path / "odd.keras")
    stack(own.Odd()).save(path / "odd.h5")
    stack(own.Even()).save(path / "even.keras")
    stack(keras.layers.Lambda(lambda x: x * 2, name="doubler")).save(path / "code.keras")
    network = own.network()
    network.save_weights(path / "only.weights.h5")
    (path / "network.json").write_text(network.to_json())
    stack().save(path / "plain.keras")
    np.savez(path / "data.npz", x=np.random.default_rng(0).random((6, 4, 4, 1)), y=[0, 1] * 3)
    yield path
    del sys.modules[spec.name]
    keras.saving.get_custom_objects().pop("mine>Even", None)


@pytest.fixture
def audit(folder):
    """Audit a model of the folder in this process, the overview only."""

    def run(name, **settings):
        given = {"data": folder / "data.npz", "preprocessing": "none", "only": ("overview",)}
        config = load_config(folder / name, {**given, **settings})
        report, _ = run_audit(config, executor=InlineExecutor())
        return report, {finding.id: finding for finding in report.findings}

    yield run
    close_subject()


@pytest.mark.parametrize("name", ["odd.keras", "odd.h5"])
def test_custom_classes_open_when_they_are_named(audit, name):
    with pytest.raises(InputError, match=r"--custom-objects .*:Odd"):
        audit(name)
    report, found = audit(name, custom_objects=("own_layers_of_a_test:Odd",))
    assert report.subject.parameters == 34
    assert found["model.unsafe_content"].level == "pass"


def test_a_custom_class_that_was_registered(audit):
    report, _ = audit("even.keras", custom_objects=("own_layers_of_a_test:Even",))
    assert report.subject.parameters == 34


def test_a_custom_class_under_another_name(audit):
    audit("odd.keras", custom_objects=("Odd=own_layers_of_a_test:Even",))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("no colon", "is not module:name"),
        ("absent_module_of_a_test:Odd", "cannot be imported"),
        ("own_layers_of_a_test:Absent", "cannot be imported"),
    ],
)
def test_wrong_names_of_custom_objects(audit, spec, said):
    with pytest.raises(ConfigurationError, match=said):
        audit("plain.keras", custom_objects=(spec,))


def test_custom_objects_of_python_travel_by_name(folder):
    class Local:
        pass

    with pytest.raises(UsageError, match="Move it into a module"):
        reportgen.audit(folder / "odd.keras", custom_objects={"Odd": Local})
    from reportgen.subject.user_code import name_objects

    own = sys.modules["own_layers_of_a_test"]
    assert name_objects({"Odd": own.Odd}) == ("Odd=own_layers_of_a_test:Odd",)


@pytest.mark.parametrize("network", ["network.json", "own_layers_of_a_test:network"])
def test_weights_with_their_network(audit, folder, network):
    with pytest.raises(InputError, match="Give the network with --architecture"):
        audit("only.weights.h5")
    given = str(folder / network) if network.endswith("json") else network
    report, _ = audit("only.weights.h5", architecture=given)
    assert report.subject.parameters == 34


@pytest.mark.parametrize(
    ("network", "error", "said"),
    [
        ("NoSuchNet", ConfigurationError, "Known: .*MobileNetV2"),
        ("own_layers_of_a_test:no_network", ConfigurationError, "must return a Keras model"),
        ("absent.json", InputError, "cannot be read"),
    ],
)
def test_networks_that_do_not_help(audit, network, error, said):
    with pytest.raises(error, match=said):
        audit("only.weights.h5", architecture=network)


def test_a_network_beside_a_whole_model_is_a_contradiction(audit, folder):
    with pytest.raises(ConfigurationError, match="holds its own network"):
        audit("plain.keras", architecture=str(folder / "network.json"))


def test_weights_of_a_standard_network(tmp_path):
    import keras

    from reportgen.subject.network import open_network, screen

    model = keras.applications.MobileNet(weights=None, classes=3)
    path = tmp_path / "mobile.weights.h5"
    model.save_weights(path)
    config = load_config(path, {"architecture": "MobileNet"})
    opened = open_network(config, screen(config))[1]
    assert opened.count_params() == model.count_params()
    for ours, theirs in zip(opened.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_the_pinned_hash(audit, folder):
    import hashlib

    right = hashlib.sha256((folder / "plain.keras").read_bytes()).hexdigest()
    assert audit("plain.keras", sha256=right.upper())[0].subject.sha256 == right
    with pytest.raises(UnsafeInputError, match="is not the file that was pinned"):
        audit("plain.keras", sha256="0" * 64)
    with pytest.raises(ConfigurationError, match="sha256"):
        audit("plain.keras", sha256="abc")


def test_code_is_opened_only_on_request_and_the_page_says_so(audit):
    with pytest.raises(UnsafeInputError, match="layer doubler: holds Python code"):
        audit("code.keras")
    report, found = audit("code.keras", allow_unsafe=True)
    assert found["model.unsafe_content"].level == "fail"
    assert report.verdict.level == "fail"
    page = report.to_html()
    banner = page.index("This file is not safe to open")
    assert page.index("<h1>") < banner < page.index('class="verdict')
    assert "layer doubler" in page[banner : banner + 400]


def test_a_page_on_a_safe_file_has_no_banner(audit):
    assert "This file is not safe" not in audit("plain.keras")[0].to_html()


@pytest.mark.parametrize("line", ["allow_unsafe = true", 'custom_objects = ["os:system"]'])
def test_a_folder_cannot_decide_what_code_runs(tmp_path, line):
    (tmp_path / "audit.toml").write_text(f'[audit]\nmodel = "m.keras"\n{line}\n')
    with pytest.raises(ConfigurationError, match=r"line 3: .* is not taken from a file"):
        load_config(tmp_path, {})


def inspect(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", "from reportgen.cli import main; main()", "inspect", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done


def test_inspect_tells_everything_as_json(folder):
    done = inspect(str(folder / "plain.keras"), "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 0
    assert facts["parameters"] == facts["parameters_stored"] == 34
    assert facts["layers"] == {"Sequential": 1, "InputLayer": 1, "Flatten": 1, "Dense": 1}
    assert (facts["inputs"], facts["outputs"]) == ([[4, 4, 1]], [[2]])
    assert (facts["safe"], facts["needs"], facts["reasons"]) == (True, [], [])


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("plain.keras", 0, "nothing unsafe found"),
        ("code.keras", 3, "layer doubler"),
        ("odd.keras", 4, "--custom-objects for"),
        ("only.weights.h5", 4, "--architecture"),
        ("absent.keras", 4, "does not exist"),
    ],
)
def test_inspect_ends_with_what_an_audit_would_say(folder, name, code, said):
    done = inspect(str(folder / name))
    assert done.returncode == code
    assert said in done.stdout + done.stderr


def test_inspect_builds_and_imports_nothing(folder):
    code = (
        "import sys; from pathlib import Path\n"
        "from reportgen.worker.jobs import inspect_job\n"
        f"inspect_job(Path({str(folder / 'code.keras')!r}), ())\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
