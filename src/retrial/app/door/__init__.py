"""The door between what a user types or is sent and Hydra: nothing gets past it that could run, read or write anything by itself."""
