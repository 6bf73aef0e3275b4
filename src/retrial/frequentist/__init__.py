"""Frequentist twins (METHODS 3): the paper's own kind of statistics, as `Estimate` rows that stand beside the Bayesian ones."""
