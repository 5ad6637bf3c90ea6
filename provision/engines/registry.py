"""The engines by name."""

from __future__ import annotations

from collections.abc import Mapping

from .engine import Engine
from .llama_server import LlamaServer
from .ollama import Ollama
from .vllm import Vllm

ENGINES: Mapping[str, Engine] = {
    engine.name: engine for engine in (Ollama(), Vllm(), LlamaServer())
}


def engine_named(name: str) -> Engine:
    """The engine of this name; KeyError for others (the spec's reader lets none through)."""
    return ENGINES[name]
