"""Figures into files: their one style, and the process that draws beside the page."""
