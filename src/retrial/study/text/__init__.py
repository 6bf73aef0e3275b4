"""Text from strangers: what may stand in it, and reading it from a file."""
