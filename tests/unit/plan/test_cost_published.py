"""docs/explanation/speed.md compares published figures with ours: each row is reckoned anew."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from provision.host.facts import Gpu, GpuLink, NvLink, PcieLink
from provision.host.quantity import PciAddress
from provision.models.formats.weigh import weigh
from provision.models.memory.need import Load, kv_tokens, need
from provision.models.memory.split import Split
from provision.models.model import Model
from provision.models.shape import Shape
from provision.models.weights import Quantisation
from provision.plan.cost.cards import card_of
from provision.plan.cost.links import joint_of
from provision.plan.cost.speed import Ground, estimate, step_seconds
from provision.plan.machine.gpus import GpuTable

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "speed.md"

SHAPES = {
    "Llama 2 7B": Shape("llama", 32, 4096, 32, 32, 128, 11008, 32000),
    "Llama 2 70B": Shape("llama", 80, 8192, 64, 8, 128, 28672, 32000),
    "Llama 3 8B": Shape("llama", 32, 4096, 32, 8, 128, 14336, 128256),
    "Llama 3 70B": Shape("llama", 80, 8192, 64, 8, 128, 28672, 128256),
    "Llama 3.1 405B": Shape("llama", 126, 16384, 128, 8, 128, 53248, 128256),
    "Qwen3 8B": Shape("qwen3", 36, 4096, 32, 8, 128, 12288, 151936),
    "Qwen3 14B": Shape("qwen3", 40, 5120, 40, 8, 128, 17408, 151936),
    "Qwen3 32B": Shape("qwen3", 64, 5120, 64, 8, 128, 25600, 151936),
}
FORMATS = {"AWQ": "safetensors", "GPTQ": "safetensors", "FP8": "safetensors", "BF16": "safetensors"}

# As NVML says them, and the memory in MiB.
CARDS = {
    "RTX 3080": ("NVIDIA GeForce RTX 3080", 10240),
    "RTX 3090": ("NVIDIA GeForce RTX 3090", 24576),
    "RTX 4090": ("NVIDIA GeForce RTX 4090", 24564),
    "RTX 5090": ("NVIDIA GeForce RTX 5090", 32607),
    "RTX A6000": ("NVIDIA RTX A6000", 49140),
    "RTX 6000 Ada": ("NVIDIA RTX 6000 Ada Generation", 49140),
    "L40S": ("NVIDIA L40S", 46068),
    "A10G": ("NVIDIA A10G", 23028),
    "A100 PCIe": ("NVIDIA A100 80GB PCIe", 81920),
    "A100 SXM": ("NVIDIA A100-SXM4-80GB", 81920),
    "H100 PCIe": ("NVIDIA H100 PCIe", 81559),
    "H200": ("NVIDIA H200", 143771),
    "RX 7900 XTX": ("AMD Radeon RX 7900 XTX", 24560),
}
GTS = {3: 8.0, 4: 16.0, 5: 32.0}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the page's table, cell by cell."""

    source: str
    engine: str
    model: str
    cards: str
    way: str
    measure: str
    published: str
    ours: str
    verdict: str


def rows() -> list[Row]:
    lines = _table("Published figures and ours")
    return [Row(*line) for line in lines]


def _table(heading: str) -> list[tuple[str, ...]]:
    """The cells of the first table below a heading, its own head left out."""
    text = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def model_of(words: str) -> Model:
    """Llama 3 8B Q4_K_M."""
    name, quantisation = words.rsplit(" ", 1)
    form = FORMATS.get(quantisation, "gguf")
    shape = SHAPES[name]
    weights = weigh(shape, Quantisation(form, quantisation))  # type: ignore[arg-type]  # a literal
    return Model(words, name, "catalogue", weights, shape)


def gpus_of(words: str, way: str) -> tuple[list[Gpu], GpuTable]:
    """`2 x RTX 3090`, `tensor, PCIe 4.0 x16, no peers` or `tensor, 18 NVLinks`."""
    count, _, name = words.partition(" x ")
    product, memory = CARDS[name]
    pcie = re.search(r"PCIe (\d)\.0 x(\d+)", way)
    link = PcieLink(GTS[int(pcie[1])], int(pcie[2])) if pcie else PcieLink(16.0, 16, 16)
    nvlinks = re.search(r"(\d+) NVLinks", way)
    wires = tuple(NvLink(n, True, 6) for n in range(int(nvlinks[1]))) if nvlinks else ()
    vendor = "amd" if product.startswith("AMD") else "nvidia"
    gpus = [
        Gpu(
            n,
            f"GPU-{n:02}",
            PciAddress(0, n + 1, 0, 0),
            vendor,  # type: ignore[arg-type]  # one of two literals
            product,
            memory_mib=memory,
            link=link,
            nvlinks=wires,
        )
        for n in range(int(count))
    ]
    links = {
        (a.uuid, b.uuid): GpuLink(
            a.uuid,
            b.uuid,
            "PHB",
            nvlinks=int(nvlinks[1]) if nvlinks else 0,
            p2p=False if "no peers" in way else None,
        )
        for a in gpus
        for b in gpus
        if a.uuid < b.uuid
    }
    return gpus, GpuTable(tuple(gpus), links)


def split_of(way: str, count: int) -> Split:
    offloaded = re.search(r"(\d+) layers in RAM", way)
    if offloaded:
        return Split(pipeline=count, offloaded=int(offloaded[1]))
    return Split(tensor=count) if way.startswith("tensor") else Split(pipeline=count)


@functools.cache
def reckon(row: Row) -> tuple[float, float]:
    """Our band for the set-up of a row: low, high."""
    copies = int(row.way.split()[0]) if "copies" in row.way else 1
    gpus, table = gpus_of(row.cards, row.way)
    gpus = gpus[: len(gpus) // copies]
    model = model_of(row.model)
    numbers = [int(word) for word in re.findall(r"\d+", row.measure)]
    engine, _, mode = row.engine.partition(" ")
    context = numbers[0] if row.measure.startswith("prompt") else sum(numbers) or 1024
    asked = 256 if row.measure.startswith("full batch") else 1
    load = Load(engine, context, asked, eager=mode == "eager")
    split = split_of(row.way, len(gpus))
    joint = joint_of(gpus, table)
    ground = Ground(tuple(card_of(gpu) for gpu in gpus), joint, joint)
    parts = need([model], load, split)
    budget = [round((gpu.memory_mib or 0) * 1024**2 * 0.9) for gpu in gpus]
    speed = estimate([model], load, split, parts, ground, kv_tokens(parts, budget, load.parallel))
    assert not speed.assumed
    if row.measure.startswith("steps of"):
        batch, depth = numbers[0], 256
        middle = batch / step_seconds([model], load, split, parts, ground, batch, depth)
        half = (speed.single.high - speed.single.low) / (speed.single.high + speed.single.low)
        return middle * (1 - half), middle * (1 + half)
    band = speed.prompt if row.measure.startswith("prompt") else speed.single
    band = speed.full if row.measure.startswith("full batch") else band
    return band.low * copies, band.high * copies


def shown(value: float) -> str:
    return f"{value:.0f}" if value >= 30 else f"{value:.1f}"


def verdict(published: str, low: float, high: float) -> str:
    """Whether any of a published figure (or range) lies in the band."""
    least, _, most = published.partition(" to ")
    if float(most or least) < low:
        return "lower"
    return "higher" if float(least) > high else "inside"


def test_table_has_the_published_figures() -> None:
    """All that the page is meant to compare: losing rows must not pass unseen."""
    found = rows()
    assert len(found) >= 70
    assert {row.engine.split()[0] for row in found} == {"llama-server", "vllm", "tabbyapi"}
    assert sum(1 for row in found if row.source == "XD") >= 40


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.cards} {row.model} {row.measure}")
def test_row_says_what_the_model_gives(row: Row) -> None:
    low, high = reckon(row)
    assert row.ours == f"{shown(low)} to {shown(high)}"
    word, _, reason = row.verdict.partition(": ")
    assert word == verdict(row.published, low, high)
    assert word == "inside" or len(reason) > 20, "a figure outside our band needs a reason"


def test_few_measurements_lie_outside() -> None:
    """Of measurements, not of claims (source `A`): at least nine of ten are inside the band."""
    measured = [row for row in rows() if not row.source.startswith("A")]
    inside = [row for row in measured if row.verdict == "inside"]
    assert len(inside) / len(measured) >= 0.9


def test_every_row_of_the_llama_cpp_table_is_inside() -> None:
    assert [row for row in rows() if row.source == "XD" and row.verdict != "inside"] == []


@pytest.mark.parametrize("cells", _table("Impossible figures"), ids=lambda cells: cells[0])
def test_impossible_figures_are_impossible(cells: tuple[str, ...]) -> None:
    """Either the weights alone are larger than all memory, or reading them takes longer."""
    setup, claimed, needs, has, bound = cells[:5]
    name, _, cards = setup.partition(" on ")
    weights = model_of(name).weights
    gpus = [gpu for group in cards.split(" + ") for gpu in gpus_of(group, "")[0]]
    memory = sum((gpu.memory_mib or 0) * 1024**2 for gpu in gpus)
    bandwidth = sum(card.bandwidth_gbs for gpu in gpus if (card := card_of(gpu)))
    most = bandwidth * 1e9 / weights.read_per_token
    assert needs == f"{weights.total / 1e9:.1f} GB"
    assert has == f"{memory / 1e9:.1f} GB"
    assert bound == f"{most:.0f}"
    assert weights.total > memory or float(claimed.split(" to ")[0]) > most
