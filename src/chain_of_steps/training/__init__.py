"""Trains the project's own models: the mini model, its student, and the symbol networks."""
