"""The analyses, a folder each. None imports another; `reportgen.battery` puts them in order."""
