"""Bayesian re-analysis of published clinical studies, from what the paper prints."""
