"""A problem of one layer, as the checks name it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """Which filters of a layer (or none, if it is the layer), and a remark.

    kernel: its label where it is not the layer's one kernel. which: the filters in words, where a
    list of numbers would hide what they have in common. of: filters of the kernel, where
    it matters.
    silence: channels of the layer's output that are set to zero to measure the effect; empty for
        all of them, None where no channels correspond to the problem.
    confirmed: what samples say of it. effect: what setting them to zero does.
    """

    address: str
    filters: tuple[int, ...]
    remark: str = ""
    kernel: str = ""
    which: str = ""
    silence: tuple[int, ...] | None = None
    confirmed: str = ""
    effect: str = ""
    of: int = 0

    @property
    def label(self) -> str:
        """Layer, and kernel if it has several."""
        return self.kernel or self.address
