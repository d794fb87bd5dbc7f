"""The version, apart from everything else: whoever writes it down needs no more than this."""

__version__ = "0.1.0"
