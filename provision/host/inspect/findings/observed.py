"""What readers noticed that has no place among the facts."""

from __future__ import annotations

from dataclasses import dataclass

from ...facts import Finding


@dataclass(frozen=True, slots=True)
class Observed:
    """What readers noticed that has no place among the facts."""

    numa_problem: str | None = None  # why the machine's NUMA information is not used
    complaints: tuple[str, ...] = ()  # GPUs that a driver knows and cannot open, a sentence each
    record_problem: Finding | None = None  # why our own record of placements is not known
