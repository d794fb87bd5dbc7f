"""What a model file is, by its bytes; and opening it as Keras does.

Sniffing reads headers and the configuration only. Nothing is built before `open_model`,
which runs in the worker process.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reportgen.errors import InputError, UnsafeInputError

if TYPE_CHECKING:
    import keras

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_MAX_CONFIG_BYTES = 64 * 2**20
_SUFFIX = {"keras": ".keras", "hdf5": ".h5"}
# What zipfile and h5py raise on bytes that are not what they claim to be.
_DAMAGE = (
    OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, OverflowError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
_WAY_OUT = "Save the model with `model.save('model.keras')` and audit that file."


@dataclass(frozen=True)
class ModelFile:
    """Identity of a model file.

    kind: ``keras`` (zip) or ``hdf5``. keras_version: the Keras that wrote it, if it says so.
    training: what the file says of its training: optimizer, loss, metrics.
    """

    path: Path
    kind: str
    sha256: str
    size_bytes: int
    keras_version: str | None
    training: dict[str, str]
    notes: tuple[str, ...] = ()


def identify(path: Path) -> ModelFile:
    """Read what ``path`` is without building anything.

    Raises:
        InputError: not a model that can be opened; the message says what it is and the way out.
    """
    if path.is_dir():
        raise InputError(_describe_folder(path))
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file. Copy the model into one.")
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Give the path of a model file.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    if head.startswith(_ZIP):
        kind, version, training = "keras", *_read_keras_zip(path)
    elif head.startswith(_HDF5):
        kind, version, training = "hdf5", *_read_hdf5(path)
    else:
        raise InputError(_describe_other(path, head))
    suits = (".keras",) if kind == "keras" else (".h5", ".hdf5")
    note = f"The file is {_NAMES[kind]} by its bytes, whatever its name says."
    notes = () if path.suffix.lower() in suits else (note,)
    size = path.stat().st_size
    return ModelFile(path, kind, digest, size, version, training, notes)


_NAMES = {"keras": "a Keras 3 archive (.keras)", "hdf5": "a Keras HDF5 file (.h5)"}


def format_name(kind: str) -> str:
    """The format in words."""
    return _NAMES[kind]


def _describe_folder(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        if not (path / "variables").is_dir():
            return f"{path} is a SavedModel without its variables. Copy the whole folder again."
        return (
            f"{path} is a TensorFlow SavedModel folder, which this version does not open. "
            f"{_WAY_OUT}"
        )
    return f"{path} is a folder without an audit.toml. Give a model file, or a folder that has one."


def _describe_other(path: Path, head: bytes) -> str:
    if not head:
        return f"{path} is empty (0 bytes). Copy the model file again."
    if head.startswith(b"version https://git-lfs"):
        return f"{path} is a git-LFS pointer, not the model. Run `git lfs pull`, then audit again."
    if head[4:8] == b"TFL3":
        return f"{path} is a TensorFlow Lite model: its Keras layers are gone. {_WAY_OUT}"
    if head.lstrip().startswith(b"{") and (b'"cells"' in head or b'"nbformat"' in head):
        return f"{path} is a Jupyter notebook, not a model. {_WAY_OUT}"
    return f"{path} is neither a .keras archive nor an HDF5 file. {_WAY_OUT}"


def _read_keras_zip(path: Path) -> tuple[str | None, dict[str, str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            config = _read_member(archive, "config.json", path)
            metadata = _read_member(archive, "metadata.json", path, required=False)
    except _DAMAGE as error:
        raise InputError(
            f"{path} is a broken or truncated .keras archive ({error}). Copy it again."
        ) from None
    _refuse_lambdas(path, config)
    compiled = config.get("compile_config") if isinstance(config, dict) else None
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version and str(version), _training_of(compiled)


def _read_member(archive: zipfile.ZipFile, name: str, path: Path, *, required: bool = True) -> Any:
    if name not in archive.namelist():
        if required:
            raise InputError(f"{path} is a zip archive without {name}: no Keras model. {_WAY_OUT}")
        return None
    if archive.getinfo(name).file_size > _MAX_CONFIG_BYTES:
        raise UnsafeInputError(f"{path}: {name} claims more than {_MAX_CONFIG_BYTES} bytes.")
    try:
        return json.loads(archive.read(name))
    except (ValueError, RecursionError):
        raise InputError(f"{path}: {name} is not valid JSON. Copy the model again.") from None


def _read_hdf5(path: Path) -> tuple[str | None, dict[str, str]]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            attributes = file.attrs
            if not len(file) and not len(attributes):
                raise InputError(f"{path} is an empty HDF5 file. Copy the model file again.")
            if "model_config" not in attributes:
                raise InputError(
                    f"{path} holds weights only: there is no network in it. "
                    "Build the model in Python, load these weights, and save it whole."
                )
            version = _text(attributes.get("keras_version"))
            training = _text(attributes.get("training_config"))
            config = _text(attributes["model_config"])
    except _DAMAGE as error:
        raise InputError(
            f"{path} is a broken or truncated HDF5 file ({error}). Copy it again."
        ) from None
    _refuse_lambdas(path, _parse(config))
    return version, _training_of(_parse(training))


def _parse(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _refuse_lambdas(path: Path, config: Any) -> None:
    """Name the layers that bring Python code along; Keras refuses them without saying which."""
    names, stack = [], [config]
    while stack:
        node = stack.pop()
        inner = node.get("config") if isinstance(node, dict) else None
        if isinstance(inner, dict) and node.get("class_name") == "Lambda" and _brings_code(inner):
            names.append(str(inner.get("name", "without a name"))[:80])
        if isinstance(node, dict | list):
            stack += node.values() if isinstance(node, dict) else node
    if names:
        raise UnsafeInputError(
            f"{path} holds code in {', '.join(names[:5])} (Lambda), which opening would run. "
            "Replace each Lambda by a Keras layer and save the model again."
        )


def _brings_code(config: dict[str, Any]) -> bool:
    function = config.get("function")
    if isinstance(function, dict):
        return function.get("class_name") == "__lambda__"
    return isinstance(function, list)  # Keras 1 and 2: bytecode, defaults, closure


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _training_of(compiled: Any) -> dict[str, str]:
    """Optimizer, learning rate, loss and metrics as text, from a compile configuration."""
    if not isinstance(compiled, dict):
        return {}
    optimizer = compiled.get("optimizer") or compiled.get("optimizer_config") or {}
    facts = {"optimizer": _name_of(optimizer)}
    settings = optimizer.get("config", {}) if isinstance(optimizer, dict) else {}
    rate = settings.get("learning_rate", settings.get("lr")) if isinstance(settings, dict) else None
    if isinstance(rate, float):
        facts["learning rate"] = f"{rate:g}"
    facts["loss"] = _name_of(compiled.get("loss"))
    facts["metrics"] = _name_of(compiled.get("metrics"))
    return {key: value for key, value in facts.items() if value}


def _name_of(node: Any, depth: int = 0) -> str:
    if depth > 8:
        return "..."
    if isinstance(node, str):
        return node
    if isinstance(node, dict):
        inner = node.get("config")
        name = node.get("class_name") or (inner.get("name") if isinstance(inner, dict) else None)
        if name == "function" and isinstance(inner, str):
            return inner
        node = [str(name)] if name else list(node.values())
    if isinstance(node, list):
        return ", ".join(filter(None, (_name_of(part, depth + 1) for part in node)))
    return ""


def open_model(file: ModelFile) -> keras.Model:
    """Open with Keras: no code from the file, no compilation.

    Raises:
        UnsafeInputError: opening would run code that the file brings along.
        InputError: Keras cannot open it; the message carries Keras' cause, shortened.
    """
    import keras

    try:
        with tempfile.TemporaryDirectory() as folder:
            # Keras chooses its reader by the suffix; the bytes decide for us.
            link = Path(folder) / f"model{_SUFFIX[file.kind]}"
            link.symlink_to(file.path.resolve())
            model = keras.saving.load_model(link, compile=False, safe_mode=True)
    except Exception as error:
        raise _explain(file.path, error) from None
    if not isinstance(model, keras.Model):
        raise InputError(f"{file.path} holds a {type(model).__name__}, not a model. {_WAY_OUT}")
    return model


def _explain(path: Path, error: Exception) -> Exception:
    text = str(error)
    if "Lambda" in text and ("unsafe" in text or "safe_mode" in text or "bytecode" in text):
        return UnsafeInputError(
            f"{path} holds a Lambda layer: opening it would run code from the file. "
            "Replace the Lambda by a Keras layer and save the model again."
        )
    custom = re.search(r"Could not locate (?:class|function) '([^']{1,80})'", text) or re.search(
        r"Unknown (?:layer|object|loss[^:]*|metric[^:]*): '?([^'\s]{1,80})", text
    )
    if custom:
        return InputError(
            f"{path} needs the custom class {custom[1]!r}, which is not part of Keras. "
            "Open the model where the class is defined and call `reportgen.audit(model, ...)`."
        )
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    return InputError(
        f"{path} cannot be opened by this Keras: {first[:300]} Open it with the Keras that wrote "
        "it and save it as .keras."
    )
