"""Cards are found by the product names that drivers give, and by nothing that only looks alike."""

from __future__ import annotations

import pytest

from provision.host.facts import Gpu, Vendor
from provision.host.quantity import PciAddress
from provision.plan.cost.cards import card_of
from provision.plan.cost.cards_amd import AMD
from provision.plan.cost.cards_geforce import GEFORCE
from provision.plan.cost.cards_nvidia import NVIDIA
from provision.plan.cost.entry import Entry


def gpu(name: str | None, gib: float | None = None, vendor: Vendor = "nvidia") -> Gpu:
    memory = round(gib * 1024) if gib is not None else None
    return Gpu(0, "GPU-0", PciAddress(0, 1, 0, 0), vendor, name, memory_mib=memory)


# name, GiB, GB/s of the data sheet, TFLOPS
NAMED = [
    ("NVIDIA GeForce GTX 1080 Ti", 11, 484, 11.3),
    ("NVIDIA GeForce RTX 2080 Ti", 11, 616, 53.8),
    ("NVIDIA GeForce RTX 3060", 12, 360, 25.5),
    ("NVIDIA GeForce RTX 3060", 8, 240, 25.5),
    ("NVIDIA GeForce RTX 3060 Laptop GPU", 6, 336, 24),
    ("NVIDIA GeForce RTX 3080", 10, 760, 59.5),
    ("NVIDIA GeForce RTX 3080", 12, 912, 61.3),
    ("NVIDIA GeForce RTX 3080 Ti", 12, 912, 68.2),
    ("NVIDIA GeForce RTX 3080 Laptop GPU", 16, 448, 38),
    ("NVIDIA GeForce RTX 3090", 24, 936, 71),
    ("NVIDIA GeForce RTX 3090 Ti", 24, 1008, 80),
    ("NVIDIA GeForce RTX 4060 Ti", 16, 288, 44.1),
    ("NVIDIA GeForce RTX 4060 Laptop GPU", 8, 256, 23),
    ("NVIDIA GeForce RTX 4070", 12, 504, 58.3),
    ("NVIDIA GeForce RTX 4070 SUPER", 12, 504, 71),
    ("NVIDIA GeForce RTX 4070 Ti", 12, 504, 80.2),
    ("NVIDIA GeForce RTX 4070 Ti SUPER", 16, 672, 88.2),
    ("NVIDIA GeForce RTX 4090", 24, 1008, 165.2),
    ("NVIDIA GeForce RTX 4090", 48, 1008, 165.2),  # rebuilt with more memory
    ("NVIDIA GeForce RTX 4090 D", 24, 1008, 147.1),
    ("NVIDIA GeForce RTX 4090 Laptop GPU", 16, 576, 66),
    ("NVIDIA GeForce RTX 5090", 32, 1792, 209.5),
    ("NVIDIA GeForce RTX 5090 D", 32, 1792, 148),
    ("GeForce RTX 2070 with Max-Q Design", 8, 384, 21),
    ("NVIDIA TITAN RTX", 24, 672, 130.5),
    ("NVIDIA TITAN V", 12, 652.8, 110),
    ("NVIDIA TITAN X (Pascal)", 12, 480, 11),
    ("NVIDIA TITAN Xp", 12, 547.6, 12.1),
    ("Quadro RTX 6000", 24, 672, 130.5),
    ("Quadro RTX 8000", 48, 672, 130.5),
    ("NVIDIA RTX A2000 12GB", 12, 288, 31.9),
    ("NVIDIA RTX A4000", 16, 448, 76.7),
    ("NVIDIA RTX A6000", 48, 768, 154.8),
    ("NVIDIA RTX 4000 Ada Generation", 20, 360, 106.9),
    ("NVIDIA RTX 4000 SFF Ada Generation", 20, 280, 76.8),
    ("NVIDIA RTX 6000 Ada Generation", 48, 960, 364.2),
    ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 96, 1792, 503.8),
    ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", 96, 1792, 438),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 96, 1597, 480),
    ("Tesla M40 24GB", 24, 288, 6.8),
    ("Tesla P40", 24, 346, 11.8),
    ("Tesla P100-PCIE-12GB", 12, 549, 18.7),
    ("Tesla P100-PCIE-16GB", 16, 732, 18.7),
    ("Tesla P100-SXM2-16GB", 16, 732, 21.2),
    ("Tesla V100-PCIE-32GB", 32, 900, 112),
    ("Tesla V100-SXM2-16GB", 16, 900, 125),
    ("Tesla V100S-PCIE-32GB", 32, 1134, 130),
    ("Tesla T4", 16, 320, 65),
    ("NVIDIA A2", 16, 200, 18),
    ("NVIDIA A10", 24, 600, 125),
    ("NVIDIA A10G", 24, 600, 70),
    ("NVIDIA A16", 16, 200, 17.9),
    ("NVIDIA A30", 24, 933, 165),
    ("NVIDIA A40", 48, 696, 149.7),
    ("NVIDIA A100-PCIE-40GB", 40, 1555, 312),
    ("NVIDIA A100-SXM4-40GB", 40, 1555, 312),
    ("NVIDIA A100 80GB PCIe", 80, 1935, 312),
    ("NVIDIA A100-SXM4-80GB", 80, 2039, 312),
    ("NVIDIA A800-SXM4-80GB", 80, 2039, 312),
    ("NVIDIA L4", 24, 300, 121),
    ("NVIDIA L40", 48, 864, 181),
    ("NVIDIA L40S", 48, 864, 362),
    ("NVIDIA H100 PCIe", 80, 2039, 756),
    ("NVIDIA H100 80GB HBM3", 80, 3350, 989),
    ("NVIDIA H100 NVL", 94, 3938, 836),
    ("NVIDIA H200", 141, 4800, 989),
    ("NVIDIA H200 NVL", 141, 4800, 836),
    ("NVIDIA H20", 96, 4000, 148),
    ("NVIDIA H800", 80, 3350, 989),
    ("NVIDIA GH200 480GB", 95.6, 4000, 989),
    ("NVIDIA GH200 144G HBM3e", 143.4, 4900, 989),
    ("NVIDIA B200", 180, 8000, 2250),
    ("NVIDIA B300 SXM6 AC", 268, 8000, 2250),
    ("NVIDIA GB200", 185, 8000, 2500),
    ("NVIDIA GB10", None, 273, 125),
    ("AMD Instinct MI300X", 192, 5300, 1307),
    ("AMD Instinct MI300X OAM", 192, 5300, 1307),
    ("AMD Instinct MI250X / MI250", 64, 1638, 181),
    ("AMD Instinct MI210", 64, 1638, 181),
    ("AMD Instinct MI50/MI60", 32, 1024, 26.5),
    ("AMD Radeon RX 7900 XTX", 24, 960, 122.8),
    ("AMD Radeon RX 7900 XT", 20, 800, 103),
    ("Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]", 24, 960, 122.8),
    ("AMD Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M", 20, 800, 103),
    ("AMD Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M", 16, 576, 92),
    ("AMD Radeon RX 9070 XT", 16, 640, 195),
    ("AMD Radeon PRO W7900", 48, 864, 122.6),
]


@pytest.mark.parametrize(("name", "gib", "bandwidth", "tflops"), NAMED)
def test_names(name: str, gib: float | None, bandwidth: float, tflops: float) -> None:
    vendor: Vendor = "amd" if "AMD" in name or "Radeon" in name else "nvidia"
    card = card_of(gpu(name, gib, vendor))
    assert card is not None
    assert (card.bandwidth_gbs, card.tflops) == (bandwidth, tflops)


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "Graphics Device",
        "NVIDIA GeForce RTX 6090",
        "NVIDIA GeForce RTX 4060 SUPER",  # no such card: not a 4060
        "NVIDIA RTX A3000 Laptop GPU",
        "NVIDIA GeForce RTX 3090 Laptop GPU",
        "AMD Radeon RX 7900 XTX",  # as an NVIDIA card
    ],
)
def test_unknown_names_are_unknown(name: str | None) -> None:
    assert card_of(gpu(name, 24)) is None


def test_memory_of_another_size_is_another_card() -> None:
    """A 3080 of 20 GB was never sold: the table does not know its bandwidth."""
    assert card_of(gpu("NVIDIA GeForce RTX 3080", 20)) is None


def test_unknown_memory_counts_as_the_slower_card() -> None:
    card = card_of(gpu("NVIDIA GeForce RTX 3080"))
    assert card is not None and card.bandwidth_gbs == 760


@pytest.mark.parametrize(
    "entry", [*NVIDIA, *GEFORCE, *AMD], ids=lambda entry: f"{entry.words} {entry.gib}"
)
def test_figures_are_of_one_scale(entry: Entry) -> None:
    """A slipped digit or a rate with sparsity shows in these bounds."""
    assert entry.words == entry.words.lower()
    low, high = {"hbm": (500, 8000), "gddr": (120, 1800), "lpddr": (100, 300)}[entry.kind]
    assert low <= entry.bandwidth_gbs <= high
    assert 1 <= entry.tflops <= 2600
    if entry.fp8_tflops is not None:
        assert entry.fp8_tflops == pytest.approx(2 * entry.tflops, rel=0.03)


def test_no_entry_is_there_twice() -> None:
    keys = [(entry.words, entry.gib) for entry in (*NVIDIA, *GEFORCE, *AMD)]
    assert len(keys) == len(set(keys))
