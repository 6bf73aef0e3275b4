"""Life tables reconstructed from the printed numbers of real patients, against these patients."""
