"""Places of a picture in CSS pixels: its plot, its words, and what keeps words apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reportgen import theme
from reportgen.figures.svg import halo

# A figure's size is given in CSS pixels, 96 to the inch. Its text has 12 of them.
PIXELS_PER_INCH = 96
SMALL_WORDS = 8.0


@dataclass(frozen=True)
class Box:
    """A rectangle in CSS pixels from the lower left corner of the figure."""

    left: float
    bottom: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def top(self) -> float:
        """The upper edge."""
        return self.bottom + self.height

    def shared(self, other: Box) -> float:
        """The area, in square pixels, that lies in both."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    def holds(self, other: Box) -> bool:
        """Whether ``other`` lies wholly inside."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.bottom <= other.bottom
            and other.top <= self.top
        )


def around(x: float, y: float, width: float, height: float) -> Box:
    """The box whose middle is at ``x``, ``y``."""
    return Box(x - width / 2, y - height / 2, width, height)


@dataclass
class Places:
    """Where words may stand inside ``room``: not upon what is ``taken``."""

    room: Box
    taken: list[Box] = field(default_factory=list)

    def free(self, box: Box) -> bool:
        """Whether ``box`` is inside and touches nothing."""
        return self.room.holds(box) and not any(box.shared(other) for other in self.taken)

    def best(self, boxes: Iterable[Box]) -> Box | None:
        """The box inside the room that covers least; None if none is inside."""
        inside = [box for box in boxes if self.room.holds(box)]
        return min(inside, key=lambda b: sum(b.shared(o) for o in self.taken), default=None)


def beside(x: float, y: float, width: float, height: float, gap: float = 7) -> list[Box]:
    """Boxes for words beside a point: right, left, above, below, then the four corners."""
    far_x, far_y = gap + width / 2, gap + height / 2
    near_x, near_y = gap * 0.6 + width / 2, gap * 0.6 + height / 2
    sides = [(far_x, 0.0), (-far_x, 0.0), (0.0, far_y), (0.0, -far_y)]
    corners = [(near_x, near_y), (-near_x, near_y), (near_x, -near_y), (-near_x, -near_y)]
    return [around(x + dx, y + dy, width, height) for dx, dy in sides + corners]


def place_axes(figure: Figure, box: Box) -> Axes:
    """Axes that fill ``box``."""
    width, height = (float(side) * PIXELS_PER_INCH for side in figure.get_size_inches())
    return figure.add_axes(
        (box.left / width, box.bottom / height, box.width / width, box.height / height)
    )


def overlay(figure: Figure) -> Axes:
    """Axes over the whole figure whose unit is the CSS pixel."""
    width, height = (float(side) * PIXELS_PER_INCH for side in figure.get_size_inches())
    axes = place_axes(figure, Box(0, 0, width, height))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return axes


def dress_bar(
    bar: Axes, low: float, high: float, ticks: Sequence[tuple[float, str]], unit: str
) -> None:
    """What a bar of colours from ``low`` to ``high`` has around it: numbers, the unit, a rim."""
    bar.set(xticks=[], ylim=(low, high))
    bar.set_yticks([height for height, _ in ticks], [words for _, words in ticks])
    bar.yaxis.tick_right()
    bar.yaxis.set_label_position("right")
    bar.set_ylabel(unit)
    bar.tick_params(length=2)
    for spine in bar.spines.values():
        spine.set_visible(False)
    rim = Rectangle((0, low), 1, high - low, fill=False, edgecolor=theme.RIM, linewidth=0.5)
    bar.add_patch(rim)


def write(page: Axes, box: Box, words: str, size: float = SMALL_WORDS) -> None:
    """Words in the middle of ``box`` with a white halo."""
    x, y = box.left + box.width / 2, box.bottom + box.height / 2
    for colour, gid in ((theme.WHITE, halo(2.4, size)), (theme.INK, None)):
        page.text(x, y, words, ha="center", va="center", fontsize=size, color=colour, gid=gid)


def thinned(count: int, most: int) -> list[int]:
    """Positions of the labels that are written: all, or every k-th so that ``most`` remain."""
    step = max(1, -(-count // most))
    return list(range(0, count, step))
