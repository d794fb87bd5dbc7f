"""A page read with a parser: what it holds, and whether any of it could act."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Collects elements, visible text, ids, scripts and styles."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.inside: list[str] = []
        self.contents: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in self.contents:
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.contents[self.inside[-1]].append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All visible words, with single spaces."""
        return re.sub(r"[ \t\n]+", " ", "".join(self.words)).strip()

    @property
    def ids(self) -> list[str]:
        """All anchors."""
        return [value for _, attrs in self.elements if (value := attrs.get("id"))]

    def problems(self) -> list[str]:
        """What no page of ours may hold."""
        allowed = (
            "data:image/webp;",
            "data:image/svg+xml;",
            "data:image/png;",
            "data:image/jpeg;",
            "data:font/woff2;",
        )
        found = []
        for tag, attrs in self.elements:
            if tag in {"iframe", "object", "embed", "base", "link"}:
                found.append(tag)
            for key, value in attrs.items():
                if key.startswith("on") or key == "style":
                    found.append(f"{tag} {key}")
                if key == "src" and not (value or "").startswith(allowed) and value:
                    found.append(f"{tag} src {value[:40]}")
                if key in {"href", "xlink:href"} and not (value or "").startswith("#"):
                    found.append(f"{tag} href {(value or '')[:40]}")
        return found
