"""provision: from a short host.yaml to LLM endpoints that answer, on plain Linux."""

__version__ = "0.1.0"
