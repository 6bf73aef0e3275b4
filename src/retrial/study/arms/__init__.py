"""Arms of any number and name: what the file says of them, and the two-arm views that everything else works on."""
