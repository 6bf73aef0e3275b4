"""Posteriors to `Estimate` rows: ratios, responses and survival, each with its probabilities."""
