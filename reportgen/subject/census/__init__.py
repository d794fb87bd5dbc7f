"""Every channel of every layer over all samples, in one pass."""

from reportgen.subject.census.census import Census, ChannelCensus, take_census
from reportgen.subject.census.units import UnitCensus

__all__ = ["Census", "ChannelCensus", "UnitCensus", "take_census"]
