"""One function prints; what it prints neither steers a terminal nor commands a CI runner."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from reportgen import errors
from reportgen.cli import printer
from reportgen.cli.terminal import PlainLines
from reportgen.errors import InputError
from reportgen.text import printable

PACKAGE = Path(__file__).parent.parent / "reportgen"
# May print: the printer itself, and the bars, which rich draws and whose words are made harmless.
PRINTERS = {"cli/printer.py", "cli/terminal.py"}
WRITERS = {"print", "echo", "secho", "pprint", "Console"}
HOSTILE = {
    "escape": "\x1b[2J\x1b]0;title\x07",
    "c1": "\x9b2J",
    "return": "safe\rgone",
    "backspace": "ab\b\b",
    "line": "one\n::error::two",
    "separator": "one\u2028::error::two",
    "github": "::error file=x::gone",
    "github after spaces": " \u00a0::set-output name=x::y",
    "github mask": "::add-mask::a",
    "github old": "x ##[add-path]/tmp",
    "azure": "x ##vso[task.setvariable variable=x]y",
    "azure upper": "##VSO[task.complete]",
    "azure format": "##[error]x",
    "teamcity": "##teamcity[buildStatus status='SUCCESS']",
    "bidi": "\u202egpj.exe",
    "isolate": "\u2066x\u2069",
    "surrogate": "\ud800",
    "nul": "a\0b",
    "private": "\ue000",
}
FORBIDDEN = ("\x1b", "\x9b", "\r", "\b", "\0", "\u2028", "\u202e", "\u2066", "\ud800", "\x07")


def assert_harmless(said: str) -> None:
    assert not [sign for sign in FORBIDDEN if sign in said]
    assert "##[" not in said
    assert "##vso[" not in said.lower()
    assert "##teamcity[" not in said
    assert not [line for line in said.splitlines() if line.strip().startswith("::")]


@pytest.mark.parametrize("name", HOSTILE)
def test_every_way_to_print_is_harmless(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = HOSTILE[name]
    printer.say(text)
    printer.log(f"{text}")
    printer.say_table([("a", text), (text, "b")], ("one", "other"))
    lines = PlainLines()
    lines.interval_seconds = 0.0
    lines.stage(text)
    lines.advance(1, 2, text)
    lines.close()
    out, err = capsys.readouterr()
    assert_harmless(out)
    assert_harmless(err)
    assert len(out.splitlines()) >= 3
    printer.say_json({"name": text})
    out = capsys.readouterr().out
    assert_harmless(out)
    assert json.loads(out) == {"name": text}


@pytest.mark.parametrize("name", HOSTILE)
def test_every_message_of_an_error_is_harmless(name: str) -> None:
    assert_harmless(str(InputError(f"{HOSTILE[name]} cannot be read")))
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, Exception)]
    assert len(kinds) > 10
    for kind in kinds:
        assert_harmless(str(kind(HOSTILE[name])))


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_harmless_stays_as_it_is(name: str) -> None:
    once = printable(HOSTILE[name])
    assert printable(once) == once
    assert once != HOSTILE[name]


def test_honest_text_is_not_changed() -> None:
    for text in ("## heading", "a::b", "C# [x]", "std::vector", "größer ✓ 日本", "#[cfg(test)]"):
        assert printable(text) == text


def find_printing(source: str) -> list[int]:
    """Lines that print: a call of one of these names, a write to a standard stream."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            named = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            name = named if isinstance(named, str) else getattr(named, "id", "")
            if name in WRITERS:
                found.append(node.lineno)
        stream = isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr")
        if stream and isinstance(node.value, ast.Name) and node.value.id == "sys":
            found.append(node.lineno)
    return sorted(set(found))


def test_nothing_else_in_the_package_prints() -> None:
    modules = {p.relative_to(PACKAGE).as_posix(): p for p in PACKAGE.rglob("*.py")}
    assert len(modules) > 200
    printing = {name for name, path in modules.items() if find_printing(path.read_text("utf-8"))}
    assert printing == PRINTERS


@pytest.mark.parametrize(
    "line",
    [
        "print(1)",
        "click.echo(1)",
        "sys.stderr.write('')",
        "Console().print(1)",
        "rich.print(1)",
        "if x:\n    print(1)",
    ],
)
def test_a_planted_print_is_found(line: str) -> None:
    assert find_printing(line)
