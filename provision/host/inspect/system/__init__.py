"""The operating system: names and versions, kernel, limits, security."""
