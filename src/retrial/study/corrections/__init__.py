"""From a problem to its line, and where it can be told to the line as it should be."""
