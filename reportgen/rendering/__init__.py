"""A report becomes a page: one HTML file for the screen, one PDF for paper."""
