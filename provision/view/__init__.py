"""A machine, and a plan on it, as people look at them: tree, matrix, picture. Pure."""
