"""A model file: what it is, whether it is safe, and opening it."""

from reportgen.subject.model_file.formats import format_name
from reportgen.subject.model_file.identification import ModelFile, examine, identify
from reportgen.subject.model_file.opening import open_model, open_repaired

__all__ = ["ModelFile", "examine", "format_name", "identify", "open_model", "open_repaired"]
