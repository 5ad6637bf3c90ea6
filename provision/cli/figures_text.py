"""Figures of an instance in words: memory, tokens a second, GPUs, cores."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

from provision.host.quantity import CpuSet
from provision.plan.cost.speed import Band, Speed
from provision.plan.plan import Figures
from provision.view.labels import cpus_text

_MIB = 1024
_MOST_CORES = 20  # letters of a list of CPUs in a table


def gib_text(mib: float, digits: int = 1) -> str:
    """`22.1`, in GiB."""
    return f"{mib / _MIB:.{digits}f}"


def fullest(need_mib: Sequence[int], room_mib: Sequence[int]) -> int | None:
    """The GPU, by rank, of which most is taken; None where nothing was reckoned."""
    ranks = range(min(len(need_mib), len(room_mib)))
    return max(ranks, key=lambda at: (need_mib[at] / max(1, room_mib[at]), -at), default=None)


def vram_text(need_mib: Sequence[int], room_mib: Sequence[int], unit: str = " GiB") -> str:
    """`22.1 of 24.0 GiB` of the fullest GPU; empty where nothing was reckoned."""
    at = fullest(need_mib, room_mib)
    if at is None:
        return ""
    return f"{gib_text(need_mib[at])} of {gib_text(room_mib[at])}{unit}"


def told(speed: Speed | None) -> Speed | None:
    """A speed that may be shown: not one of cards that nobody knows."""
    return None if speed is None or speed.assumed else speed


def expected_text(figures: Figures | None) -> str:
    """`20-25 tok/s, batch 8: 120-160`; empty where nothing is expected."""
    speed = told(figures.speed if figures else None)
    if speed is None:
        return ""
    single = f"{band_text(speed.single)} tok/s"
    return f"{single}, batch {speed.batch}: {band_text(speed.full)}" if speed.batch > 1 else single


def band_text(band: Band) -> str:
    """`20-25`, `1,900-2,400`, `4.2-6.1`: two digits that count, for that is all they are worth."""
    low, high = _two_digits(band.low), _two_digits(band.high)
    return low if low == high else f"{low}-{high}"


def _two_digits(value: float) -> str:
    if value <= 0:
        return "0"
    place = 1 - floor(log10(value))
    rounded = round(value, place)
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:.{max(0, min(2, place))}f}"


def gpus_text(numbers: Sequence[int]) -> str:
    """`0 1` in the engine's order; `0-7` where many stand in a row."""
    if len(numbers) > 4 and list(numbers) == sorted(numbers):
        return str(CpuSet.of(numbers))
    return " ".join(map(str, numbers))


def cores_text(cpus: CpuSet | None) -> str:
    """`2-15`; of a long list the beginning and how many there are."""
    text = cpus_text(cpus) if cpus is not None else ""
    if len(text) <= _MOST_CORES or cpus is None:
        return text
    first = text[:_MOST_CORES].rpartition(",")[0] or text[:_MOST_CORES]
    return f"{first},... ({len(list(cpus))})"
