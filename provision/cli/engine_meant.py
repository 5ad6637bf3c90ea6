"""Which engine a model's name is made for, and the name as that engine takes it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from provision.plan.fits.answer import EngineWord

from .model_asked import engine_of, is_local


def engine_for(model: str) -> EngineWord:
    """The engine that a name is made for."""
    lower = model.lower()
    if lower.endswith(".gguf"):
        return "llama-server"
    if "exl2" in lower or "exl3" in lower:
        return "tabbyapi"
    if model.startswith("/"):
        return "vllm"
    if lower.startswith(("hf.co/", "huggingface.co/")):
        return "ollama"
    return cast("EngineWord", engine_of(model))


def gguf_at_the_hub(model: str) -> bool:
    """Whether it is a repository of GGUF files at Hugging Face, which Ollama pulls as hf.co/..."""
    lower = model.lower()
    named = "/" in model and not lower.startswith(("/", ".", "~", "hf.co/", "huggingface.co/"))
    return named and "gguf" in lower and not lower.endswith(".gguf")


def meant(model: str, engine: EngineWord | None = None) -> tuple[str, EngineWord]:
    """The reference and the engine; a path of this machine becomes absolute."""
    if is_local(model):
        model = str(Path(model).expanduser().absolute())
    if gguf_at_the_hub(model) and engine in (None, "ollama"):
        return f"hf.co/{model}", "ollama"
    return model, engine or engine_for(model)
