"""Treatment effects with what the data say of each alone, so that any prior gives its posterior at once."""
