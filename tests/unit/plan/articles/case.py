"""Case: what an article says in one row, and what is asked of a plan.

want: the kinds of answer that agree with the article, and on how many GPUs where it names a number.
why: where our plan answers otherwise, the reason as docs/explanation/article.md gives it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FITS = ("one GPU", "tensor", "pipeline", "layers", "tensor x pipeline", "copies", "several")
REFUSED = ("refused",)


@dataclass(frozen=True, slots=True)
class Case:
    """instances: of host.yaml, by name. ours: the plan's answer. why "": we agree."""

    article: str
    says: str
    machine: str
    instances: Mapping[str, Mapping[str, Any]]
    want: Sequence[str]
    ours: str
    gpus: int | None = None
    why: str = ""
    rest: Mapping[str, Any] = field(default_factory=dict)  # other keys of host.yaml


def one(engine: str, model: str, **keys: Any) -> dict[str, dict[str, Any]]:
    return {"m": {"engine": engine, "model": model, **keys}}


def ollama(tag: str, **keys: Any) -> dict[str, dict[str, Any]]:
    return one("ollama", tag, **keys)


def file(name: str, **keys: Any) -> dict[str, dict[str, Any]]:
    return one("llama-server", f"/srv/models/{name}.gguf", **keys)


def vllm(model: str, **keys: Any) -> dict[str, dict[str, Any]]:
    return one("vllm", model, **keys)


AWQ = "hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4"
BF16 = "meta-llama/Llama-3.1-70B-Instruct"
LLAMA_8B = "meta-llama/Llama-3.1-8B-Instruct"
QWEN_7B = "Qwen/Qwen2.5-7B-Instruct"
QWEN_14B = "Qwen/Qwen3-14B"
NEMO = "mistralai/Mistral-Nemo-Instruct-2407"
V3, R1 = "deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-R1"
L405B = "meta-llama/Llama-3.1-405B-Instruct"
Q4 = "Llama-3.3-70B-Instruct-Q4_K_M"
MANY = {"optimize": "throughput"}

BF16_IN_48 = (
    "the command loads BF16: 141 GB of weights into 51.5 GB. It works with a 4-bit model (AWQ)"
)
