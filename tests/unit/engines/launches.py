"""Launches for tests of the engines."""

from __future__ import annotations

from typing import Any

from provision.engines.launch import EngineName, Launch, LaunchGpu
from provision.host.facts import Vendor
from provision.host.quantity import PciAddress

UUIDS = (
    "GPU-11111111-2222-3333-4444-555555555555",
    "GPU-66666666-7777-8888-9999-aaaaaaaaaaaa",
)
_PROGRAMS: dict[EngineName, str] = {
    "ollama": "/usr/local/bin/ollama",
    "vllm": "/opt/vllm/bin/vllm",
    "llama-server": "/usr/local/bin/llama-server",
}
_MODELS: dict[EngineName, str] = {
    "ollama": "llama3.1:8b",
    "vllm": "org/model",
    "llama-server": "/srv/m.gguf",
}


def launch(engine: EngineName, gpus: int = 1, vendor: Vendor = "nvidia", **rest: Any) -> Launch:
    """A launch of this engine on the first GPUs, node 0 and node 1."""
    cards = tuple(
        LaunchGpu(UUIDS[at], PciAddress(0, 0x17 + at, 0, 0), at, at, vendor=vendor)
        for at in range(gpus)
    )
    known: dict[str, Any] = {"models": (_MODELS[engine],), "gpus": cards, "port": 9000, **rest}
    return Launch(name="chat.0", group="chat", engine=engine, program=_PROGRAMS[engine], **known)


def option(command: tuple[str, ...], name: str) -> str | None:
    """The word after an option, None when the option is not there."""
    return command[command.index(name) + 1] if name in command else None
