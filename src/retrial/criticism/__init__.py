"""Model criticism: do the models fit the tables they were fitted to, and which of them predicts a left-out patient better."""
