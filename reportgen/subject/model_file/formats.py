"""What a file is, by its bytes."""

from __future__ import annotations

from pathlib import Path

from reportgen.errors import InputError
from reportgen.subject.model_file.content import Format

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
WAY_OUT = "Save the model with `model.save('model.keras')` and audit that file."
_NAMES = {
    Format.KERAS: "a Keras archive (.keras)",
    Format.HDF5: "a Keras HDF5 file (.h5)",
    Format.WEIGHTS: "an HDF5 file of weights without a network",
    Format.SAVED_MODEL: "a SavedModel folder of Keras 2",
    Format.FUNCTION: "a SavedModel folder without Keras layers",
}
_SUFFIXES = {Format.KERAS: (".keras",), Format.HDF5: (".h5", ".hdf5"), Format.WEIGHTS: (".h5",)}


def format_name(kind: str) -> str:
    """The format in words."""
    return _NAMES[Format(kind)]


def suffix_note(path: Path, kind: Format) -> tuple[str, ...]:
    """A note where the name says something else than the bytes."""
    if path.suffix.lower() in _SUFFIXES.get(kind, (path.suffix.lower(),)):
        return ()
    return (f"The file is {format_name(kind)} by its bytes, whatever its name says.",)


def recognise(path: Path, head: bytes) -> Format:
    """`Format.KERAS` or `Format.HDF5`, by the first bytes.

    Raises:
        InputError: the bytes are something else; the message says what, and the way out.
    """
    if head.startswith(_ZIP):
        return Format.KERAS
    if head.startswith(_HDF5):
        return Format.HDF5
    raise InputError(_describe(path, head))


def _describe(path: Path, head: bytes) -> str:
    text = head.lstrip()
    if not head:
        return f"{path} is empty (0 bytes). Copy the model file again."
    if head.startswith(b"version https://git-lfs"):
        return f"{path} is a git-LFS pointer, not the model. Run `git lfs pull`, then audit again."
    if head[4:8] == b"TFL3":
        return f"{path} is a TensorFlow Lite model: its Keras layers are gone. {WAY_OUT}"
    if text.startswith(b"{") and (b'"cells"' in head or b'"nbformat"' in head):
        return f"{path} is a Jupyter notebook, not a model. {WAY_OUT}"
    if text.startswith(b"{") and b'"class_name"' in head:
        return (
            f"{path} is a network without weights (JSON). Audit the file with the weights and "
            "give this one as --architecture."
        )
    if text[:9].lower().startswith((b"<!doctype", b"<html")):
        return f"{path} is a web page, not a model. Download the file itself."
    if head.startswith(b"\x08") and (b"pytorch" in head or b"onnx" in head or b"tf2onnx" in head):
        return f"{path} is an ONNX model: its Keras layers are gone. {WAY_OUT}"
    if head.startswith(b"PK\x05\x06"):
        return f"{path} is an empty zip archive. Copy the model file again."
    return f"{path} is neither a .keras archive, an HDF5 file nor a SavedModel folder. {WAY_OUT}"
