"""Speeds of posteriors, of the reconstruction, and of reading a million patients."""
