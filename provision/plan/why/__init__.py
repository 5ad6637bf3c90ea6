"""Reasons and refusals, with their numbers. Pure."""
