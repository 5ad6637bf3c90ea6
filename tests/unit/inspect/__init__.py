"""Inspect: small trees of our own, recorded outputs, NVML over the stand-in."""
