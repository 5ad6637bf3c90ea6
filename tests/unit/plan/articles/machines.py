"""The machines of the articles, by the words that docs/explanation/article.md has for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from provision.host.facts import Facts, PcieLink

from ..machines import (
    H100,
    MI210,
    RTX_3060,
    RTX_3090,
    RTX_4090,
    Card,
    Slot,
    machine,
    with_stable,
)

RTX_4060 = Card("NVIDIA GeForce RTX 4060", 8188, "2882", (90, 120, 115), "8.9")
RTX_4060_TI = Card("NVIDIA GeForce RTX 4060 Ti", 16380, "2805", (100, 165, 165), "8.9")
RTX_4080 = Card("NVIDIA GeForce RTX 4080", 16376, "2704", (150, 400, 320), "8.9")
RTX_5090 = Card("NVIDIA GeForce RTX 5090", 32607, "2b85", (400, 600, 575), "12.0", 32.0)
RTX_6000_ADA = Card("NVIDIA RTX 6000 Ada Generation", 49140, "26b1", (100, 300, 300), "8.9")
RTX_PRO_6000 = Card(
    *("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 97887, "2bb1", (150, 600, 600), "12.0"),
    32.0,
)
A100 = Card("NVIDIA A100-SXM4-80GB", 81920, "20b2", (100, 400, 400), "8.0", 16.0, "0302")


def cards(*kinds: Card, nvlinks: int = 0) -> Facts:
    """One socket with 512 GiB of RAM, every card on its own root port."""
    slots = [Slot(card, f"0000:{at:02x}:00.0") for at, card in enumerate(kinds, 1)]
    return machine(slots, nvlinks=nvlinks, memory_mib=512 * 1024, cores=16)


def at_x8(facts: Facts) -> Facts:
    """A board that divides the processor's 16 lanes between two cards."""
    gpus = facts.stable.gpus
    halved = [dataclasses.replace(one, link=PcieLink(16.0, 8, 8)) for one in gpus]
    return with_stable(facts, gpus=tuple(halved))


MACHINES: dict[str, Callable[[], Facts]] = {
    "1 x RTX 3090": lambda: cards(RTX_3090),
    "1 x RTX 4090": lambda: cards(RTX_4090),
    "1 x RTX 5090": lambda: cards(RTX_5090),
    "2 x RTX 3090": lambda: cards(RTX_3090, RTX_3090),
    "2 x RTX 3090, NVLink": lambda: cards(RTX_3090, RTX_3090, nvlinks=4),
    "2 x RTX 3090, x8": lambda: at_x8(cards(RTX_3090, RTX_3090)),
    "2 x RTX 4090": lambda: cards(RTX_4090, RTX_4090),
    "2 x RTX 4090, x8": lambda: at_x8(cards(RTX_4090, RTX_4090)),
    "2 x RTX 5090": lambda: cards(RTX_5090, RTX_5090),
    "2 x RTX 4060": lambda: cards(RTX_4060, RTX_4060),
    "2 x RTX 3060": lambda: cards(RTX_3060, RTX_3060),
    "2 x RTX 4060 Ti": lambda: cards(RTX_4060_TI, RTX_4060_TI),
    "2 x RTX PRO 6000": lambda: cards(RTX_PRO_6000, RTX_PRO_6000),
    "2 x H100, NVLink": lambda: cards(H100, H100, nvlinks=18),
    "3 x RTX 4090": lambda: cards(*[RTX_4090] * 3),
    "4 x RTX 3090": lambda: cards(*[RTX_3090] * 4),
    "4 x RTX 4090": lambda: cards(*[RTX_4090] * 4),
    "4 x A100, NVLink": lambda: cards(*[A100] * 4, nvlinks=12),
    "6 x RTX 3090": lambda: cards(*[RTX_3090] * 6),
    "8 x RTX 4090": lambda: cards(*[RTX_4090] * 8),
    "8 x RTX 6000 Ada": lambda: cards(*[RTX_6000_ADA] * 8),
    "8 x RTX PRO 6000": lambda: cards(*[RTX_PRO_6000] * 8),
    "8 x A100, NVLink": lambda: cards(*[A100] * 8, nvlinks=12),
    "8 x H100, NVLink": lambda: cards(*[H100] * 8, nvlinks=18),
    "RTX 3090 + RTX 3060": lambda: cards(RTX_3090, RTX_3060),
    "RTX 3090 + RTX 4090": lambda: cards(RTX_3090, RTX_4090),
    "RTX 4090 + RTX 4080": lambda: cards(RTX_4090, RTX_4080),
    "RTX 6000 Ada + RTX 4090": lambda: cards(RTX_6000_ADA, RTX_4090),
    "RTX 4090 + Instinct MI210": lambda: cards(RTX_4090, MI210),
}
