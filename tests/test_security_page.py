"""Every line of docs/security.md has a test, and the test is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/security.md"


def test_every_line_names_tests_that_are_there() -> None:
    table = PAGE.read_text("utf-8").partition("## Not trusted")[2].partition("## What remains")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, name in named:
            tree = ast.parse((ROOT / file).read_text("utf-8"))
            assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, row


def test_the_page_is_pointed_to() -> None:
    for page in ("SECURITY.md", "README.md"):
        assert "docs/security.md" in (ROOT / page).read_text("utf-8"), page
