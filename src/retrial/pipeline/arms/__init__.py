"""Verbs of a study of other arms than two: each comparison in turn, and one folder of all."""
