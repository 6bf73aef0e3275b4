"""Informative censoring: another hazard after censoring than that of those who stay, in each arm its own (METHODS 9)."""
