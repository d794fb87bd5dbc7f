"""Every colour of a report, once: the page in its themes, and the pictures that stand on it.

The style sheet (`theme.css.jinja`), the SVG templates and matplotlib read from here, and nothing
else names a colour. The maps of numbers (magma, viridis, red to blue) are matplotlib's.
"""

from __future__ import annotations

from collections.abc import Mapping

BLACK = "#000000"
WHITE = "#ffffff"
INK = "#1a1f27"
BLUE = "#0072b2"

# The page. Each name is a custom property of the style sheet: `ground` is `var(--ground)`.
LIGHT: Mapping[str, str] = {
    "ground": WHITE,
    "raised": "#f6f7f9",  # fields, buttons, the verdict
    "line": "#dfe3e8",  # between rows
    "ink": INK,
    "quiet": "#566273",  # words that stand back, 6.2 : 1 on the ground
    "accent": "#0b5cad",  # links
    "fail": "#b42318",
    "warn": "#9a5b00",
    "note": "#3f5f8a",
    "pass": "#17714a",
    "mark": WHITE,  # the sign on the icon of a level
    "track": "#e8eaed",  # a bar where it is empty
    "bar": "#5f7ea3",
    "sheet": WHITE,  # beneath pictures whose colours mean numbers, in either theme
}
DARK: Mapping[str, str] = {
    "ground": "#14171c",
    "raised": "#1d2229",
    "line": "#333b46",
    "ink": "#e6e9ed",
    "quiet": "#a3adba",
    "accent": "#7fb8f5",
    "fail": "#ff8f85",
    "warn": "#f0b450",
    "note": "#9fbbe0",
    "pass": "#6fd0a0",
    "mark": "#14171c",
    "track": "#2b323c",
    "bar": "#86a6cd",
    "sheet": WHITE,
}
# WeasyPrint resolves no custom property inside an SVG: there, templates print these values.
PAPER = LIGHT

# Pictures are drawn once, dark ink on nothing; the dark theme inverts charts as a whole.
QUIET = "#5f6b7a"  # axes, ticks, references
GRID = "#d5d9df"
RIM = "#9a9a9a"  # around cells, swatches and scales
MISSING = "#969696"  # a cell that has no number
UNKNOWN = "#8b95a3"  # the hatch of what was not computed
PANE = "#f4f5f7"  # the three walls behind a surface
PANE_GRID = "#dfe3e8"

# Okabe & Ito (2008), "Color Universal Design". Black stands last: it is for references.
# The palette's yellow and sky blue are too pale for a thin line on white, so they are darkened.
SERIES = (BLUE, "#d55e00", "#009e73", "#cc79a7", "#a67c00", "#3a92c4", BLACK)

# Over a grey picture: what speaks for a score, and what speaks against. The ends of red to blue.
FOR, AGAINST = "#b2182b", "#2166ac"

# The graph of layers: its arrows, and each group's fill and line.
ARROW = "#55606e"
SKIP_ARROW = BLUE
DETAIL = "#3d4754"
LAYERS: Mapping[str, tuple[str, str]] = {
    "input": ("#e8eaed", QUIET),
    "conv": ("#dcebf7", BLUE),
    "dense": ("#fbe6d8", "#b84f00"),
    "norm": ("#f6e6ef", "#b0588a"),
    "activation": ("#dff2ea", "#00805d"),
    "pool": ("#fdf3d3", "#8f6a00"),
    "merge": ("#e3effa", "#2b5c8a"),
    "other": ("#f1f1f1", "#777777"),
}
