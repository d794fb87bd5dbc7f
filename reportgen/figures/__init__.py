"""A block becomes bytes: mosaics with NumPy and Pillow, charts with matplotlib, SVG by template."""
