"""Inspect: the machine as Facts. Readers observe through Tree or NVML, parsers are pure."""

from .host import inspect

__all__ = ["inspect"]
