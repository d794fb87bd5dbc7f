"""Where the templates are, and the one environment that renders them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reportgen import text, theme
from reportgen.errors import ReportgenError


@cache
def template_folder() -> Path:
    """The packaged templates; in a checkout, the folder at its top."""
    package = Path(__file__).resolve().parent
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / "report.html.jinja").is_file():
            return folder
    raise ReportgenError(
        f"The templates are missing: neither {package / 'templates'} nor "
        f"{package.parent / 'templates'} holds report.html.jinja. Install reportgen again."
    )


@cache
def environment() -> Environment:
    """The environment of all templates.

    Autoescape is on for every suffix (`select_autoescape` would miss ``.jinja``), an unknown
    name raises, and what a template prints is made `printable` before it is escaped.
    """
    made = Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "name": text.name,
        "prose": _keep_options_whole,
        "breakable": _break_names,
        "number": text.number,
        "grouped": text.grouped,
        "file_size": text.file_size,
        "percent": text.percent,
        "duration": text.duration,
        "moment": text.moment,
        "shape": text.shape,
    }
    made.globals["theme"] = theme
    return made


def render(template: str, **values: Any) -> str:
    """Fill ``template`` (a path inside the template folder) with ``values``."""
    return environment().get_template(template).render(**values)


def asset(file: str) -> bytes:
    """A file of the template folder as it is."""
    return (template_folder() / file).read_bytes()


def _keep_options_whole(sentences: str) -> Markup:
    """Escaped, with options such as ``--images`` in words that no line is broken in."""
    shown = str(escape(text.printable(sentences)))
    return Markup(re.sub(r"--[a-z][a-z-]*", r'<span class="option">\g<0></span>', shown))


def _break_names(name: str) -> Markup:
    """Escaped; a long name may break behind its underscores, rather than within a word."""
    return Markup(re.sub(r"[_/]+", r"\g<0><wbr>", str(escape(name))))


def _finalize(value: object) -> object:
    # Markup is ours: data URIs, style sheets, the output of macros.
    if isinstance(value, str) and not isinstance(value, Markup):
        return text.printable(value)
    return value
