"""Two runs held against each other: what differs in their numbers, settings and files."""
