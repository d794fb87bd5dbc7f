"""What ``reportgen inspect`` tells: the file, what it needs, and whether it is safe."""

from __future__ import annotations

from collections import Counter
from typing import Any

from reportgen.subject.model_file.configuration import MAX_NODES
from reportgen.subject.model_file.content import Format
from reportgen.subject.model_file.declared import Declared
from reportgen.subject.model_file.formats import format_name
from reportgen.subject.model_file.identification import ModelFile
from reportgen.subject.model_file.repairs.table import layers
from reportgen.subject.model_file.saved_model.folder import Signature, read_signatures

_SHOWN = 12


def inspect(file: ModelFile) -> dict[str, Any]:
    """Facts about ``file`` as plain values, ready for JSON. Nothing is built.

    Keys: path, format, sha256, bytes, written_by, parameters (declared by the network; None
    where a layer of the user's own hides them), parameters_stored, layers (class: count),
    inputs, outputs (shapes without the batch), shapes_not_judged (how many layers the guards of
    shapes could not look at, and the first of them), training, needs (what opening takes), safe,
    reasons, repairs, notes.
    """
    declared = file.declared
    return {
        "path": str(file.path),
        "format": format_name(file.kind),
        "sha256": file.sha256,
        "bytes": file.size_bytes,
        "written_by": f"Keras {file.keras_version}" if file.keras_version else None,
        "parameters": declared.parameters if file.config is not None else None,
        "parameters_stored": sum(array.elements for array in file.content.arrays),
        "layers": _count_classes(file),
        "inputs": _shapes(declared.inputs),
        "outputs": _shapes(declared.outputs),
        "signatures": _signatures(file),
        "shapes_not_judged": _unjudged(declared),
        "training": file.training,
        "needs": needs(file),
        "safe": not file.hazards,
        "reasons": [str(hazard) for hazard in file.hazards],
        "repairs": [str(repair) for repair in file.repairs],
        "notes": list(file.notes),
    }


def needs(file: ModelFile) -> list[str]:
    """What opening takes beyond the file itself, in sentences; empty if nothing."""
    said = [
        f"--custom-objects for {reference.what}"
        + (f" (layer {reference.where[:80]})" if reference.where else "")
        for reference in file.missing
    ]
    if file.hazards:
        said.append("--allow-unsafe, if you trust whoever made the file")
    if file.kind is Format.WEIGHTS and file.config is None:
        said.append("--architecture: the file holds weights only")
    if file.kind is Format.FUNCTION:
        said.append("the model saved as .keras: this folder holds a function, not its layers")
    return said


def _count_classes(file: ModelFile) -> dict[str, int]:
    if not isinstance(file.config, dict) or "class_name" not in file.config:
        return {}
    found = Counter(str(node["class_name"])[:80] for _, node in layers(file.config))
    return dict(found.most_common(MAX_NODES))


def _unjudged(declared: Declared) -> dict[str, Any]:
    found = declared.unjudged
    return {"count": len(found), "layers": [address[:80] for address in found[:_SHOWN]]}


def _shapes(shapes: Any) -> list[list[int | None]]:
    return [list(shape[1:]) for shape in shapes or () if shape is not None]


def _signatures(file: ModelFile) -> list[str]:
    if file.kind not in (Format.SAVED_MODEL, Format.FUNCTION) or file.hazards:
        return []
    return [_spell(signature) for signature in read_signatures(file.path)]


def _spell(signature: Signature) -> str:
    def side(points: Any) -> str:
        return ", ".join(f"{p.name} {p.shape if p.shape is not None else '?'}" for p in points)

    return f"{signature.name}: {side(signature.inputs)} -> {side(signature.outputs)}"


def describe(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The facts as lines for a person: a word and what it says."""
    rows = [
        ("File", facts["path"]),
        ("Format", facts["format"]),
        ("Written by", facts["written_by"] or "not recorded"),
        ("Size", f"{facts['bytes']:,} bytes"),
        ("SHA-256", facts["sha256"]),
        ("Parameters", _parameters(facts)),
        ("Layers", _some([f"{count} {name}" for name, count in facts["layers"].items()])),
        ("Inputs", "; ".join(_spell_shape(shape) for shape in facts["inputs"])),
        ("Outputs", "; ".join(_spell_shape(shape) for shape in facts["outputs"])),
        ("Training", ", ".join(f"{key} {value}" for key, value in facts["training"].items())),
    ]
    rows += [("Signature", text) for text in facts["signatures"]]
    rows += [("Repair", text) for text in facts["repairs"]]
    rows += [("Note", text) for text in facts["notes"]]
    rows += [("Needs", text) for text in facts["needs"]]
    rows.append(("Safe", "nothing unsafe found" if facts["safe"] else "NO"))
    rows += [("Because", text) for text in facts["reasons"]]
    return [(word, text) for word, text in rows if text]


def _parameters(facts: dict[str, Any]) -> str:
    stored = f"{facts['parameters_stored']:,} stored"
    if facts["parameters"] is None:
        return stored
    return f"{facts['parameters']:,} declared, {stored}"


def _some(parts: list[str]) -> str:
    more = len(parts) - _SHOWN
    return ", ".join(parts[:_SHOWN]) + (f", and {more} more kinds" if more > 0 else "")


def _spell_shape(shape: list[int | None]) -> str:
    return " x ".join("?" if side is None else str(side) for side in shape) or "one number"
