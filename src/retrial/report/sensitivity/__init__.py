"""The section of the report on how far the conclusions depend on assumptions."""
