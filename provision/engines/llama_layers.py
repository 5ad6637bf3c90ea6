"""Layers of llama.cpp: how many go to GPUs and how they are shared out, for its own server and
for the one that Ollama starts.

llama.cpp puts the repeating layers and, behind them, the output head into one row, and cuts this
row into runs by the proportions of `--tensor-split` (load_tensors of src/llama-model.cpp). So a
split that is meant layer by layer has to count the head on the last GPU, or a layer slips to the
GPU before.
"""

from __future__ import annotations

from .launch import Launch
from .versions import at_least

EVERY_LAYER = "999"  # `all` is known to newer builds only; a number above any model's to all

# Since #18148 (December 2025) `-ngl N` counts the head as the first of the N; before, it went to a
# GPU only once every layer was there. The exact build is not known, this one (January 2026) has it.
_HEAD_FIRST_SINCE = (7885,)


def head_comes_first(build: str | None) -> bool:
    """Whether this build is known to put the output head on a GPU before any layer."""
    return at_least(build, _HEAD_FIRST_SINCE)


def gpu_layers(launch: Launch, head_first: bool) -> str:
    """The number for `-ngl`. With an older build the head stays in RAM: less than planned."""
    if not launch.gpus or launch.gpu_layers == 0:
        return "0"
    if launch.gpu_layers is None:
        return EVERY_LAYER
    return str(launch.gpu_layers + (1 if head_first else 0))


def tensor_split(launch: Launch, head_first: bool) -> str | None:
    """Proportions in the order of the GPUs, `36,45` for 36 and 44 layers; None: left to it."""
    if len(launch.gpus) < 2 or not launch.stage_layers:
        return None
    *firsts, last = launch.stage_layers
    counted = launch.gpu_layers is None or head_first
    return ",".join(map(str, (*firsts, last + (1 if counted else 0))))
