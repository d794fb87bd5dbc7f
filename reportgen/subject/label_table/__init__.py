"""A table of files and labels, as people have them: read as it is meant, or asked about."""

from reportgen.subject.label_table.table import list_table

__all__ = ["list_table"]
