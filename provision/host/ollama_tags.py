"""Names of Ollama models: `llama3.1:8b`, `user/model`, `hf.co/user/model:Q4_K_M`.

The parts and defaults are those of Ollama's own types/model/name.go (read at v0.12).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_MODELS_DIR = "/var/lib/ollama/models"
_HOST = r"[A-Za-z0-9_][A-Za-z0-9._-]*(?::[0-9]{1,5})?"
_NAME = re.compile(
    rf"(?:(?:(?P<host>{_HOST})/)?(?P<namespace>[A-Za-z0-9_][A-Za-z0-9_-]{{0,79}})/)?"
    r"(?P<model>[A-Za-z0-9_][A-Za-z0-9._-]{0,79})(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,79}))?"
)


@dataclass(frozen=True, slots=True)
class OllamaTag:
    """A model's full name."""

    host: str
    namespace: str
    model: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> OllamaTag:
        """Read a name and fill in what it leaves out. Raises ValueError for anything else."""
        match = _NAME.fullmatch(text)
        if not match:
            raise ValueError(f"not the name of an Ollama model: {text!r}")
        return cls(
            match["host"] or "registry.ollama.ai",
            match["namespace"] or "library",
            match["model"],
            match["tag"] or "latest",
        )

    def __str__(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    def manifest(self, models_dir: str = DEFAULT_MODELS_DIR) -> str:
        """Path of its manifest below the models folder; it exists once the model is pulled."""
        folder = models_dir.rstrip("/")
        return f"{folder}/manifests/{self.host}/{self.namespace}/{self.model}/{self.tag}"
