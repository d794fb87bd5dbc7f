"""SavedModel folders whose functions reach for files. Imported without TensorFlow."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .case import ANY, UNREADABLE, Case, Place
from .networks import CLASSES, SIDE

ROW, GUARD = "SavedModel with file operations", "operations"
Body = Callable[[Any, str], Any]


def _save(
    folder: Path, body: Body, canary: Path, *, signature: bool = True, variable: bool = True
) -> None:
    """A module with one function: ``body`` and then a dense layer."""
    import tensorflow as tf

    shape = tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="image")

    class Network(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            zeros = tf.zeros((SIDE * SIDE * 3, CLASSES))
            self.kernel = tf.Variable(zeros, name="kernel") if variable else zeros

        @tf.function(input_signature=[shape])
        def serve(self, image: Any) -> Any:
            with tf.control_dependencies([body(image, str(canary))]):
                flat = tf.reshape(image, (-1, SIDE * SIDE * 3))
                return tf.nn.softmax(flat @ self.kernel)

        @tf.function(input_signature=[shape])
        def plain(self, image: Any) -> Any:
            return tf.reshape(image, (-1, SIDE * SIDE * 3)) @ self.kernel

    network = Network()
    chosen = network.serve if signature else network.plain
    tf.saved_model.save(network, str(folder), signatures={"serving_default": chosen})


def _write_file(image: Any, canary: str) -> Any:
    import tensorflow as tf

    return tf.io.write_file(canary, "x")


def _read_file(image: Any, canary: str) -> Any:
    import tensorflow as tf

    return tf.identity(tf.io.read_file("/etc/passwd"))


def _in_function(image: Any, canary: str) -> Any:
    import tensorflow as tf

    @tf.function
    def inner() -> Any:
        tf.io.write_file(canary, "x")
        return tf.constant(0)

    @tf.function
    def outer() -> Any:
        return inner() + 1

    return outer()


def _in_condition(image: Any, canary: str) -> Any:
    import tensorflow as tf

    def write() -> Any:
        tf.io.write_file(canary, "x")
        return tf.constant(1)

    return tf.cond(tf.size(image) >= 0, write, lambda: tf.constant(0))


def _in_loop(image: Any, canary: str) -> Any:
    import tensorflow as tf

    def step(i: Any) -> Any:
        tf.io.write_file(canary, "x")
        return i + 1

    return tf.while_loop(lambda i: i < 2, step, [tf.constant(0)])[0]


def _python(image: Any, canary: str) -> Any:
    import tensorflow as tf

    return tf.py_function(lambda: open(canary, "w").close(), [], [])


def _listing(image: Any, canary: str) -> Any:
    import tensorflow as tf

    return tf.io.matching_files("/etc/*")


def _printing(image: Any, canary: str) -> Any:
    import tensorflow as tf

    return tf.print("x", output_stream=f"file://{canary}")


def _saving(image: Any, canary: str) -> Any:
    import tensorflow as tf

    return tf.raw_ops.SaveV2(
        prefix=canary, tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant(1.0)]
    )


def _records(image: Any, canary: str) -> Any:
    import tensorflow as tf

    data = tf.data.TFRecordDataset("/etc/passwd")
    return data.reduce(tf.constant(0), lambda count, record: count + 1)


def _nothing(image: Any, canary: str) -> Any:
    import tensorflow as tf

    return tf.no_op()


BODIES: dict[str, tuple[Body, str]] = {
    "write": (_write_file, "WriteFile"),
    "read": (_read_file, "ReadFile"),
    "in-function": (_in_function, "WriteFile"),
    "in-condition": (_in_condition, "WriteFile"),
    "in-loop": (_in_loop, "WriteFile"),
    "python": (_python, "PyFunc"),
    "listing": (_listing, "MatchingFiles"),
    "printing": (_printing, "PrintV2"),
    "saving": (_saving, "SaveV2"),
    "records": (_records, "TFRecordDataset"),
}


def write_writing_folder(folder: Path, canary: Path) -> None:
    """A SavedModel that makes the canary when it is called, and has no weights to load."""
    _save(folder, _write_file, canary, variable=False)


def write_function_folder(folder: Path) -> None:
    """An honest SavedModel without layers. Its own saving functions hold file operations."""
    _save(folder, _nothing, folder)


def cases() -> Iterator[Case]:
    """All of them."""
    for name, (body, word) in BODIES.items():
        yield Case(f"graph-{name}", ROW, GUARD, _writer(body), words=(word,))
    yield Case("graph-unreachable", ROW, GUARD, _write_unreachable, ANY)
    yield Case(
        "graph-without-variables",
        "unreadable",
        "formats",
        _write_bare,
        (UNREADABLE,),
        words=("variables",),
    )
    yield Case(
        "graph-without-shards",
        "unreadable",
        "formats",
        _write_shardless,
        (UNREADABLE,),
        words=("variables",),
    )
    yield Case("graph-truncated", "unreadable", "formats", _write_truncated, (UNREADABLE,))
    yield Case("graph-empty", "unreadable", "formats", _write_empty, (UNREADABLE,))


def _writer(body: Body) -> Callable[[Place], None]:
    return lambda place: _save(place.path, body, place.canary)


def _write_unreachable(place: Place) -> None:
    _save(place.path, _write_file, place.canary, signature=False)


def _write_bare(place: Place) -> None:
    write_function_folder(place.path)
    shutil.rmtree(place.path / "variables")


def _write_shardless(place: Place) -> None:
    write_function_folder(place.path)
    for shard in (place.path / "variables").glob("*.data-*"):
        shard.unlink()


def _write_truncated(place: Place) -> None:
    write_function_folder(place.path)
    graph = place.path / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:200])


def _write_empty(place: Place) -> None:
    write_function_folder(place.path)
    (place.path / "saved_model.pb").write_bytes(b"")
