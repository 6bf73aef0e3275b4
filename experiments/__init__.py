"""What we did: one entry point per verb of the command line (see README.md for the named experiments)."""
