"""Intervals of the whole path, from printed numbers to the posterior, against the truth of simulated studies."""
