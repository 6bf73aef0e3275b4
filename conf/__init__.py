"""What we chose: YAML only."""
