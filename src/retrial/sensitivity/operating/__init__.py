"""Operating characteristics: how often stated rules of decision are wrong or right in simulated studies of this study's size."""
