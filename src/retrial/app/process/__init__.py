"""The process around a verb: its streams, home and working folder, what jobs in other processes tell, and how it ends."""
