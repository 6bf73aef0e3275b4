"""How far a conclusion depends on priors, bias and assumptions (METHODS 9)."""
