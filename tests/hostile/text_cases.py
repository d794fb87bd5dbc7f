"""JSON that is no JSON, names that move the cursor, and files that are no models at all."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator

from .case import ANY, EITHER_REFUSAL, UNREADABLE, Case, Place
from .networks import Config, find_layer, node, read_config, replace, set_hdf5_config, write_archive
from .payloads import lambda_3, pickled

JSON, BROKEN, PINNED, GUARD = "JSON", "unreadable", "hash", "json"
Write = Callable[[Place], None]
ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\n\u202e$\\frac{1}$<script>"


def _text(make: Callable[[str, Place], str]) -> Write:
    """The honest archive with its configuration changed as text."""

    def write(place: Place) -> None:
        text = make(json.dumps(read_config(place)), place)
        write_archive(place, text.encode("utf-8", "surrogatepass"))

    return write


def _swapped(old: str, new: str) -> Write:
    def make(text: str, place: Place) -> str:
        assert old in text
        return text.replace(old, new)

    return _text(make)


def _deep(opening: str, closing: str, *, closed: bool = True) -> Write:
    depth = 200_000
    end = closing * depth if closed else ""
    return _text(lambda text, place: f'{text[:-1]}, "deep": {opening * depth}1{end}}}')


def _deep_models(text: str, place: Place) -> str:
    """2,000 models in each other: valid JSON, a network as deep."""
    opening = '{"class_name": "Sequential", "module": "keras", "config": {"name": "n", "layers": ['
    return f'{text[:-1]}, "deep": {opening * 2000}1{"]}}" * 2000}}}'


def _last_wins(text: str, place: Place) -> str:
    code = json.dumps(node("Lambda", function=lambda_3(place.canary)))[1:-1]
    return text.replace('"class_name": "Activation"', f'"class_name": "Activation", {code}')


def _first_wins(text: str, place: Place) -> str:
    return text.replace(
        '"class_name": "Activation"', '"class_name": "Lambda", "class_name": "Activation"'
    )


def _named(name: str) -> Write:
    """A Lambda of that name: the message has to print it."""

    def write(place: Place) -> None:
        config = read_config(place)
        replace(config, node("Lambda", function=lambda_3(place.canary), name=name))
        write_archive(place, json.dumps(config).encode())

    return write


def _honestly_named(name: str) -> Write:
    def write(place: Place) -> None:
        config = read_config(place)
        find_layer(config)["config"]["name"] = name
        write_archive(place, json.dumps(config).encode())

    return write


def _custom_named(place: Place) -> None:
    config: Config = read_config(place)
    replace(config, node(ESCAPES, "lab\x1b[31m"))
    write_archive(place, json.dumps(config).encode())


def _bytes(data: bytes) -> Write:
    def write(place: Place) -> None:
        place.path.write_bytes(data)

    return write


def _pack(place: Place) -> None:
    data = (place.templates / "sequential.keras").read_bytes()
    place.path.write_bytes(gzip.compress(data, mtime=0))


def _pickle(place: Place) -> None:
    place.path.write_bytes(pickled(place.canary))


def _cut(template: str, keep: float) -> Write:
    def write(place: Place) -> None:
        data = (place.templates / template).read_bytes()
        place.path.write_bytes(data[: int(len(data) * keep)])

    return write


def _copy(template: str) -> Write:
    def write(place: Place) -> None:
        shutil.copyfile(place.templates / template, place.path)

    return write


def cases() -> Iterator[Case]:
    """All of them."""
    deep = {
        "lists": _deep("[", "]"),
        "objects": _deep('{"a":', "}"),
        "open": _deep("[", "", closed=False),
    }
    for name, write in deep.items():
        codes = EITHER_REFUSAL if name == "open" else (3,)
        yield Case(f"json-deep-{name}.keras", JSON, GUARD, write, codes)
    yield Case("json-deep-models.keras", JSON, GUARD, _text(_deep_models))
    yield Case("json-deep.h5", JSON, GUARD, _write_deep_hdf5)
    padding = _text(lambda text, place: f'{text[:-1]}, "pad": "{"0" * 100 * 2**20}"}}')
    yield Case("json-long.keras", JSON, GUARD, padding)
    many = _text(lambda text, place: f'{text[:-1]}, "pad": [{"0," * 10 * 2**20}0]}}')
    yield Case("json-numbers.keras", JSON, GUARD, many)
    yield Case("json-last-wins.keras", JSON, GUARD, _text(_last_wins), words=("sneaky",))
    yield from _strange()
    yield from _names()
    yield from _other_files()
    yield from _pinned()


def _strange() -> Iterator[Case]:
    yield Case("json-first-wins.keras", JSON, GUARD, _text(_first_wins), ANY)
    strange = {
        "nan": _swapped('"units": 2', '"units": NaN'),
        "infinity": _swapped('"units": 2', '"units": Infinity'),
        "digits": _swapped('"units": 2', f'"units": 1{"0" * 5000}'),
        "exponent": _swapped('"units": 2', '"units": 1e999'),
        "list": _text(lambda text, place: f"[{text}]"),
        "null": _text(lambda text, place: "null"),
        "text": _text(lambda text, place: '"Sequential"'),
        "empty": _text(lambda text, place: ""),
        "cut": _text(lambda text, place: text[:-40]),
        "utf-16": lambda place: write_archive(place, json.dumps(read_config(place)).encode("u16")),
        "not-text": lambda place: write_archive(place, b"\xff\xfe\xfd" * 100),
        "no-layers": _swapped('"layers": [', '"strata": ['),
    }
    for name, write in strange.items():
        guess = ANY if name == "utf-16" else EITHER_REFUSAL
        yield Case(f"json-{name}.keras", JSON, GUARD, write, guess)


def _names() -> Iterator[Case]:
    """Layers that are called what a terminal obeys."""
    words = ("Lambda",)
    yield Case("name-escapes.keras", JSON, "code", _named(ESCAPES), words=words)
    yield Case("name-surrogate.keras", JSON, "code", _named("\ud800"), words=words)
    yield Case("name-long.keras", JSON, "code", _named("n" * 2**20), words=words)
    yield Case("name-empty.keras", JSON, "code", _named(""), words=words)
    for name, text in {"escapes": ESCAPES, "surrogate": "\ud800", "long": "n" * 2**20}.items():
        yield Case(f"honest-name-{name}.keras", JSON, "build", _honestly_named(text), ANY)
    yield Case(
        "custom-name-escapes.keras", "custom classes", "custom", _custom_named, (UNREADABLE,)
    )


POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)
NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
LITE = b"\x1c\0\0\0TFL3" + bytes(200)
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40)
PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>\n"
# A ModelProto: ir_version 8, producer "pytorch", then a graph.
ONNX = b"\x08\x08\x12\x07pytorch\x1a\x051.13." + b'\x3a\x20\x0a\x1e\x0a\x01x\x12\x01y"\x04Relu'
ONNX += bytes(16)


def _other_files() -> Iterator[Case]:
    files: dict[str, tuple[Write, tuple[str, ...]]] = {
        "empty.keras": (_bytes(b""), ("empty",)),
        "empty.h5": (_bytes(b""), ("empty",)),
        "pointer.keras": (_bytes(POINTER), ("git lfs pull",)),
        "pointer.h5": (_bytes(POINTER), ("git lfs pull",)),
        "notebook.keras": (_bytes(NOTEBOOK), ("notebook",)),
        "indented-notebook.h5": (_bytes(b"\n " + NOTEBOOK), ("notebook",)),
        "lite.tflite": (_bytes(LITE), ("TensorFlow Lite",)),
        "lite.keras": (_bytes(LITE), ("TensorFlow Lite",)),
        "graph.onnx": (_bytes(ONNX), ("ONNX",)),
        "pickle.pkl": (_pickle, ()),
        "old-pickle.h5": (_bytes(pickle.dumps({"weights": [1]}, protocol=0)), ()),
        "picture.h5": (_bytes(PNG), ()),
        "page.keras": (_bytes(PAGE), ("web page",)),
        "zeros.h5": (_bytes(bytes(5000)), ()),
        "noise.keras": (_bytes(bytes(range(256)) * 20), ()),
        "config.json": (_copy("sequential.json"), ()),
        "packed.keras": (_pack, ()),
        "weights.weights.h5": (_copy("only.weights.h5"), ("weights",)),
        "weights.keras": (_copy("only.weights.h5"), ("weights",)),
        "half.keras": (_cut("sequential.keras", 0.5), ("truncated",)),
        "most.keras": (_cut("sequential.keras", 0.98), ("truncated",)),
        "half.h5": (_cut("sequential.h5", 0.5), ("truncated",)),
        "start.h5": (_cut("sequential.h5", 0.004), ("truncated",)),
    }
    for name, (write, words) in files.items():
        yield Case(name, BROKEN, "formats", write, (UNREADABLE,), words)
    yield Case("nothing", BROKEN, "formats", lambda place: place.path.mkdir(), (UNREADABLE,))
    yield Case("other-folder", BROKEN, "formats", _write_folder, (UNREADABLE,))
    yield Case("pipe.keras", BROKEN, "formats", lambda place: os.mkfifo(place.path), (UNREADABLE,))
    yield Case("absent.keras", BROKEN, "formats", lambda place: None, (UNREADABLE,), ("exist",))


def _write_folder(place: Place) -> None:
    place.path.mkdir()
    (place.path / "notes.txt").write_text("nothing of interest")


def _write_deep_hdf5(place: Place) -> None:
    text = json.dumps(read_config(place))
    set_hdf5_config(place, f'{text[:-1]}, "deep": {"[" * 200_000}1{"]" * 200_000}}}')


def _pinned() -> Iterator[Case]:
    """The hash is compared first: a broken or hostile file is not looked into."""
    files = {
        "wrong.keras": _copy("sequential.keras"),
        "wrong.h5": _copy("sequential.h5"),
        "wrong-lambda.keras": _named("sneaky"),
        "wrong-half.keras": _cut("sequential.keras", 0.5),
    }
    for name, write in files.items():
        yield Case(f"hash-{name}", PINNED, "hash", write, words=("SHA-256",), pin="wrong")
