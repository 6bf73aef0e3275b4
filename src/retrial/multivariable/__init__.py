"""A printed multivariable model: the information matrices that its tables allow, and what follows from each (METHODS 13)."""
