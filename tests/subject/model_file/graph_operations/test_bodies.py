"""Functions that read, write or run code, wherever in their body, and their benign twins."""

import pytest

from .folders import FLOATS, hazards, save

tf = pytest.importorskip("tensorflow")


@pytest.fixture
def canary(tmp_path):
    """A path that a hostile graph would write to, and that nothing may write to."""
    yield str(tmp_path / "canary")
    assert not (tmp_path / "canary").exists()


def write(path):
    tf.io.write_file(path, "x")
    return 1.0


def in_signature(x, path):
    tf.io.write_file(path, "x")
    return x


def in_cond(x, path):
    return x + tf.cond(tf.reduce_sum(x) > 9e9, lambda: write(path), lambda: 0.0)


def in_nested_cond(x, path):
    def inner():
        return tf.cond(tf.reduce_sum(x) > 9e9, lambda: write(path), lambda: 0.0)

    return x + tf.cond(tf.reduce_sum(x) > 8e9, inner, lambda: 0.0)


def in_while(x, path):
    def body(i):
        tf.io.write_file(path, "x")
        return i + 1

    return x + tf.cast(tf.while_loop(lambda i: i < 0, body, [0])[0], tf.float32)


def in_case(x, path):
    return x + tf.switch_case(tf.cast(x[0], tf.int32), [lambda: 0.0, lambda: write(path)])


def in_map(x, path):
    return tf.map_fn(lambda one: one + write(path), x)


def in_called_function(x, path):
    @tf.function
    def deep(y):
        tf.io.write_file(path, "x")
        return y

    @tf.function
    def middle(y):
        return deep(y) + 1

    return middle(x)


def in_dataset(x, path):
    data = tf.data.Dataset.from_tensor_slices(x).map(lambda one: one + write(path))
    return data.reduce(0.0, lambda a, b: a + b)


def reading(x, path):
    return x + tf.cast(tf.strings.length(tf.io.read_file(path)), tf.float32)


def listing(x, path):
    return x + tf.cast(tf.size(tf.io.matching_files(path)), tf.float32)


def printing(x, path):
    tf.print("secret", output_stream=f"file://{path}")
    return x


def python(x, path):
    return tf.py_function(lambda y: y, [x], tf.float32)


def numpy(x, path):
    return tf.numpy_function(lambda y: y, [x], tf.float32)


def lines(x, path):
    return tf.data.TextLineDataset(path).reduce(x, lambda a, _: a)


def cache(x, path):
    data = tf.data.Dataset.from_tensor_slices(x).cache(path)
    return data.reduce(0.0, lambda a, b: a + b)


def checkpoint(x, path):
    return (
        x
        + tf.raw_ops.RestoreV2(
            prefix=path, tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
        )[0]
    )


def table(x, path):
    handle = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=handle, filename=path, key_index=-2, value_index=-1
    )
    return x


HOSTILE = {
    in_signature: "WriteFile writes a file",
    in_cond: "WriteFile writes a file",
    in_nested_cond: "WriteFile writes a file",
    in_while: "WriteFile writes a file",
    in_case: "WriteFile writes a file",
    in_map: "WriteFile writes a file",
    in_called_function: "WriteFile writes a file",
    in_dataset: "WriteFile writes a file",
    reading: "ReadFile reads a file",
    listing: "MatchingFiles lists files",
    printing: "PrintV2 reaches a file",
    python: "EagerPyFunc runs Python code",
    numpy: "PyFunc runs Python code",
    lines: "TextLineDataset reads a file",
    cache: "CacheDatasetV2 writes a file",
    checkpoint: "RestoreV2 reads a file",
    table: "InitializeTableFromTextFileV2 reads a file",
}


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: body.__name__)
def test_what_reaches_out_is_named_with_its_signature(body, tmp_path, canary):
    folder = save(tmp_path / "model", lambda x: {"y": body(x, canary)})
    assert hazards(folder) == [f"signature 'serve': {HOSTILE[body]} when it is called"]


def harmless_print(x):
    tf.print("shape", tf.shape(x))
    return x


def harmless_flow(x):
    y = tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x)
    return tf.map_fn(tf.sqrt, tf.while_loop(lambda v: v[0] < 3, lambda v: [v + 1], [y])[0])


def harmless_dataset(x):
    return tf.data.Dataset.from_tensor_slices(x).batch(2).reduce(0.0, lambda a, b: a + b[0])


def harmless_strings(x):
    name = tf.strings.join(["/etc", "passwd"], "/")
    return x + tf.cast(tf.strings.length(name), tf.float32)


BENIGN = [harmless_print, harmless_flow, harmless_dataset, harmless_strings, tf.nn.softmax]


@pytest.mark.parametrize("body", BENIGN, ids=lambda body: body.__name__)
def test_a_benign_twin_passes(body, tmp_path):
    assert hazards(save(tmp_path / "model", lambda x: {"y": body(x)})) == []


def test_what_nothing_calls_is_no_hazard(tmp_path, canary):
    function = tf.function(lambda x: in_signature(x, canary), input_signature=[FLOATS])
    folder = save(tmp_path / "model", lambda x: {"y": x}, attach=function)
    assert b"WriteFile" in (folder / "saved_model.pb").read_bytes()
    assert hazards(folder) == []
