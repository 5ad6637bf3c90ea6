"""docs/explanation/memory.md: published files, published logs and the articles' figures, and ours.

Every row of the page's tables is reckoned anew, so a row that no longer holds fails here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from provision.models.formats.weigh import weigh
from provision.models.identity.identify import identify
from provision.models.memory.need import GpuNeed, Load, kv_tokens, need
from provision.models.memory.split import Split
from provision.models.weights import Quantisation

from .published import FILES, SHAPES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "memory.md"
GIB, MIB, GB = 1 << 30, 1 << 20, 10**9
AGREES = 0.05  # how far off a figure of an article may be: they are rounded, and GB or GiB

TENSORS = {  # bytes of all tensors, from the index files at the Hub
    "meta-llama/Llama-3.1-8B-Instruct": 16_060_522_496,
    "meta-llama/Llama-3.1-70B-Instruct": 141_107_412_992,
    "hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4": 39_767_785_472,
    "openai/gpt-oss-20b": 13_761_264_768,
    "openai/gpt-oss-120b": 65_248_815_744,
}


def table(heading: str) -> list[tuple[str, ...]]:
    """The cells of the first table below a heading, its own head left out."""
    text = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def off(ours: float, theirs: float) -> str:
    """Without a sign where nothing is left after rounding."""
    percent = round((ours / theirs - 1) * 100, 2)
    return f"{percent:+.2f} %" if percent else "0.00 %"


@pytest.mark.parametrize("cells", table("Published files"), ids=lambda one: f"{one[0]} {one[1]}")
def test_published_file(cells: tuple[str, ...]) -> None:
    model, name, published, ours, difference = cells
    if model in TENSORS:
        weights, size = identify(model, "vllm").weights, TENSORS[model]
        assert str(weights.quantisation) == name
    else:
        weights = weigh(SHAPES[model], Quantisation("gguf", name))
        size = {(one, stored): size for one, stored, size in FILES}[model, name]
    assert (published, ours) == (f"{size:,}", f"{weights.total:,}")
    assert difference == off(weights.total, size)
    assert abs(weights.total - size) <= weights.error * size


def test_the_page_counts_the_files_that_are_compared() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    offs = [
        abs(weigh(SHAPES[model], Quantisation("gguf", name)).total / size - 1)
        for model, name, size in FILES
    ]
    near = sum(1 for one in offs if one <= 0.001)
    assert f"{len(FILES)} published GGUF files" in text
    assert f"{near} of them lie within 0.1 %" in text
    assert max(offs) <= 0.002, "the page says that the worst is 0.2 % off"


@dataclass(frozen=True, slots=True)
class Log:
    """A line of the table of logs. setting: how the engine was started."""

    source: str
    engine: str
    model: str
    setting: str
    part: str
    logged: str
    ours: str
    difference: str


LOGS = [Log(*cells) for cells in table("Published logs")]


def reckoned(log: Log) -> tuple[float, float]:
    """What we say of a log's line and how far off we say it may be; in its unit."""
    layers = re.search(r"layers (\d+) \+ (\d+)", log.setting)
    tensor = re.search(r"tensor (\d+)", log.setting)
    split = Split(int(tensor[1])) if tensor else Split()
    if layers:
        split = Split(pipeline=2, layers=(int(layers[1]), int(layers[2])))
    model = identify(log.model, log.engine)
    wanted = need([model], load_of(log), split)
    gpu = wanted.gpus[_number(log.setting, r"GPU (\d+)", 0)]
    if log.part.startswith("tokens in"):
        room = round(float(log.part.split()[2]) * GIB)
        budget = [room + gpu.fixed] * len(wanted.gpus)
        return kv_tokens(wanted, budget, 1), 0
    size, error = _part(gpu, log.part)
    unit = GIB if log.logged.endswith("GiB") else MIB
    return size / unit, error / unit


def load_of(log: Log) -> Load:
    return Load(
        engine=log.engine,
        context=_number(log.setting, r"context (\d+)", 8192),
        parallel=256 if log.engine == "vllm" else 1,
        batch_tokens=_number(log.setting, r"step of (\d+)", 0) or None,
        flash_attention="no flash attention" not in log.setting,
    )


def _number(text: str, pattern: str, otherwise: int) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else otherwise


def _part(gpu: GpuNeed, name: str) -> tuple[int, int]:
    if name == "all":
        return gpu.bytes, gpu.error
    parts = [one for one in gpu.parts if one.name == name]
    return sum(one.bytes for one in parts), sum(one.error for one in parts)


@pytest.mark.parametrize("log", LOGS, ids=lambda log: f"{log.source} {log.setting} {log.part}")
def test_published_log(log: Log) -> None:
    ours, error = reckoned(log)
    number, _, unit = log.logged.partition(" ")
    logged = float(number.replace(",", ""))
    assert log.ours == (f"{ours:,.0f} {unit}" if unit == "tokens" else f"{ours:.2f} {unit}")
    assert log.difference == off(ours, logged)
    assert abs(ours - logged) <= max(error, 0.015 * logged)


def test_logs_of_both_kinds_of_engine_are_there() -> None:
    assert len(LOGS) >= 15
    assert {log.engine for log in LOGS} == {"vllm", "llama-server"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure of an article in GB. of: weights, or all on `cards` GPUs with `context` tokens."""

    article: str
    says: str
    gb: float
    engine: str
    reference: str
    of: str = "weights"
    cards: int = 1
    context: int = 8192
    why: str = ""


def _gguf(name: str) -> tuple[str, str]:
    return "llama-server", f"/srv/models/{name}.gguf"


CLAIMS = (
    Claim("PromptQuorum", "70B Q4: 35 GB", 35, *_gguf("Llama-3.3-70B-Instruct-Q4_K_M"),
          why="4.0 bits a weight; Q4_K_M takes 4.8 with its scales"),
    Claim("PromptQuorum", "70B Q8: 70 GB", 70, *_gguf("Llama-3.3-70B-Instruct-Q8_0"),
          why="8.0 bits a weight; Q8_0 takes 8.5 with its scales"),
    Claim("PromptQuorum", "405B Q4: 200 GB", 200, *_gguf("Llama-3.1-405B-Instruct-Q4_K_M"),
          why="4.0 bits a weight; Q4_K_M takes 4.8 with its scales"),
    Claim("PromptQuorum", "70B Q4_K_M with 4K of context: 40 GB", 40,
          *_gguf("Llama-3.3-70B-Instruct-Q4_K_M"), "all", context=4096,
          why="the file alone has 42.5 GB (39.6 GiB)"),
    Claim("GigaGPU", "Llama 3 70B FP16: 140 GB", 140,
          "vllm", "meta-llama/Meta-Llama-3-70B-Instruct"),
    Claim("GigaGPU", "Mixtral 8x22B FP16: 280 GB", 280,
          "vllm", "mistralai/Mixtral-8x22B-Instruct-v0.1"),
    Claim("GigaGPU", "DeepSeek-V3 FP16: 640 GB", 640, "vllm", "deepseek-ai/DeepSeek-V3",
          why="it was published in FP8, of which this is near; FP16 would be twice as much"),
    Claim("GigaGPU", "DeepSeek-R1 FP16: 640 GB", 640, "vllm", "deepseek-ai/DeepSeek-R1",
          why="the same"),
    Claim("GigaGPU", "Llama 3 405B FP16: 810 GB", 810,
          "vllm", "meta-llama/Llama-3.1-405B-Instruct"),
    Claim("InsiderLLM", "a 70B at Q4: 45 GB", 45,
          *_gguf("Llama-3.3-70B-Instruct-Q4_K_M"), "all", 2),
    Claim("InsiderLLM", "Llama 3.3 70B Q3_K_M: 37.5 GB", 37.5,
          *_gguf("Llama-3.3-70B-Instruct-Q3_K_M"), "all", 2),
    Claim("InsiderLLM", "Llama 3.3 70B Q4_K_M: 45.6 GB", 45.6,
          *_gguf("Llama-3.3-70B-Instruct-Q4_K_M"), "all", 2),
    Claim("InsiderLLM", "Qwen 2.5 72B Q3_K_M: 40.9 GB", 40.9,
          *_gguf("Qwen2.5-72B-Instruct-Q3_K_M"), "all", 2),
    Claim("InsiderLLM", "Qwen 2.5 72B Q4_K_M: 50.5 GB", 50.5,
          *_gguf("Qwen2.5-72B-Instruct-Q4_K_M"), "all", 2),
    Claim("InsiderLLM", "any 32B Q8_0: 32 GB", 32, *_gguf("Qwen3-32B-Q8_0"), "all", 2,
          why="8.0 bits a weight and nothing else; the file alone has 34.8 GB"),
    Claim("InsiderLLM", "any 32B FP16: 64 GB", 64, *_gguf("Qwen3-32B-F16"), "all", 2,
          why="the weights of 32.0 billion parameters; it has 32.8, and needs a cache"),
    Claim("InsiderLLM", "DeepSeek R1 Distill 70B Q4_K_M: 45 GB", 45,
          *_gguf("DeepSeek-R1-Distill-Llama-70B-Q4_K_M"), "all", 2),
    Claim("InsiderLLM", "405B at Q4: 200 GB and more", 200,
          *_gguf("Llama-3.1-405B-Instruct-Q4_K_M"),
          why="a lower bound, and right: Q4_K_M takes 4.8 bits a weight"),
    Claim("Linux guide", "a 70B with 4 bits: 40 GB", 40,
          "vllm", "hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4"),
    Claim("Linux guide", "llama3.1:70b-instruct-q4_K_M: 40 GB", 40,
          "ollama", "llama3.1:70b-instruct-q4_K_M", why="39.6 GiB are 42.5 GB"),
)  # fmt: skip


def claimed(claim: Claim) -> float:
    """What we say, in GB."""
    model = identify(claim.reference, claim.engine)
    if claim.of == "weights":
        return model.weights.total / GB
    load = Load(claim.engine, claim.context, 1)
    return sum(one.bytes for one in need([model], load, Split(pipeline=claim.cards)).gpus) / GB


def claim_line(claim: Claim) -> tuple[str, ...]:
    """The cells of a claim on the page."""
    ours = claimed(claim)
    plural = "s" if claim.cards > 1 else ""
    where = f" on {claim.cards} card{plural}, context {claim.context}"
    of = claim.of if claim.of == "weights" else f"{claim.of}{where}"
    verdict = f"no: {claim.why}" if claim.why else "yes"
    change = f"{(ours / claim.gb - 1) * 100:+.1f} %"
    return (claim.article, claim.says, of, f"{ours:.1f} GB", change, verdict)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.article}: {claim.says}")
def test_claim_agrees_or_has_a_reason(claim: Claim) -> None:
    near = abs(claimed(claim) / claim.gb - 1) <= AGREES
    assert near == (not claim.why)


def test_the_page_has_every_claim() -> None:
    assert table("The articles' figures") == [claim_line(claim) for claim in CLAIMS]
