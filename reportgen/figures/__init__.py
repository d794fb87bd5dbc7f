"""A block becomes bytes: mosaics with NumPy and Pillow, charts with matplotlib, SVG by template."""

import contextlib
import sys
from pathlib import Path

# matplotlib reads a `matplotlibrc` of the working directory when it is imported. That may be a
# folder of somebody else's, and the file a pipe that never ends.
if "matplotlib" not in sys.modules:
    with contextlib.chdir(Path(__file__).parent):
        import matplotlib  # noqa: F401
