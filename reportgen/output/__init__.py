"""The output folder: claimed, written beside its place, then put there as a whole."""

from reportgen.output.claiming import claim
from reportgen.output.writing import Written, rewrite_pages, write_report

__all__ = ["Written", "claim", "rewrite_pages", "write_report"]
