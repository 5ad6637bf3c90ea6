"""Model files by their headers: no weights are read."""

from .model import read_model

__all__ = ["read_model"]
