"""Machines that nobody has in the cellar: a page of YAML becomes a tree of /sys and /proc.

machine.yaml says what was bought and how it was plugged together; the builder lays it out as the
kernel and the drivers would, so that the readers under test see files and never our own words.
"""
