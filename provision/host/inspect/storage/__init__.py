"""Paths that the spec names, and the file systems they lie on."""
