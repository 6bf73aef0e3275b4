"""Readings of the study's design that are no share of a posterior: entry at the shortest time, and early deaths that are missing (METHODS 4, 9)."""
