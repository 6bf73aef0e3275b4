"""The paper as data: printed numbers (`Reported`), the `Study` they make, and the loader that reads one from YAML."""
