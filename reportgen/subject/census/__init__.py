"""Every channel of every layer over all samples, in one pass."""

from reportgen.subject.census.census import Census, take_census
from reportgen.subject.census.channels import ChannelCensus
from reportgen.subject.census.units import UnitCensus

__all__ = ["Census", "ChannelCensus", "UnitCensus", "take_census"]
