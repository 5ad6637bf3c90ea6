"""What drift finds, as a document: everything on a host that is not as the last apply left it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "balancer": "A server line of nginx is up or down, and nobody says that it has to be.",
        "cpus": "A thread of an instance may run on CPUs that are not its own.",
        "cpuset": "AllowedCPUs= of an instance is not in force.",
        "environment": "A live process was started with other variables.",
        "file-edited": "A file of ours holds something else than what was written.",
        "file-foreign": "A file of somebody else lies in a folder that is ours alone.",
        "file-missing": "A file of ours is gone.",
        "file-mode": "A file of ours has other permissions.",
        "file-owner": "A file of ours belongs to another user than root.",
        "gpu-settings": "Power limit or persistence of a GPU read back otherwise.",
        "held": "An instance is kept out of the balancer.",
        "interrupted": "A run was cut short and nobody finished it or took it back.",
        "memory": "Bound memory of an instance lies on other NUMA nodes.",
        "memory-policy": "A process of an instance has another NUMA policy.",
        "nginx-older": "The workers of nginx run another configuration than the one on disk.",
        "older": "An instance runs with another configuration than the one that was applied.",
        "process": "The main process of a unit is another program.",
        "takeover": "A vendor's unit that was taken over runs, or starts at boot, again.",
        "unconfirmed": "What was applied awaits `provision confirm`, or is rolled back.",
        "unit-disabled": "A unit does not start at boot any more.",
        "unit-down": "A unit does not run.",
        "unit-masked": "A unit is masked: nothing can start it.",
        "unit-overridden": "Settings of somebody else lie over those of a unit of ours.",
        "unit-stale": "A unit file changed on disk, and systemd has not read it again.",
        "unwell": "An instance does not answer, and is kept in as the last one of its route.",
    }
)
"""Every kind and what it means (docs/reference/drift.md is made from it)."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """One thing that is not as applied. kind: one of KINDS; subject: a path, unit, instance."""

    kind: str
    subject: str
    expected: str = ""
    actual: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """One thing that could not be looked at, and why."""

    subject: str
    why: str


@dataclass(frozen=True, slots=True)
class HeldOut:
    """An instance that is kept out of the balancer. seconds: for so long."""

    instance: str
    by: str  # apply, watch
    why: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A generation that awaits its confirmation. back_to 0: everything is taken away.

    deadline: seconds of the wall clock.
    """

    generation: int
    back_to: int
    deadline: int


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The answer of drift. generation None: nothing was applied here.

    items: sorted by kind and subject. interrupted None: could not be found out. at_work: the pid
    of a run that holds the host now, which explains much of the rest.
    """

    VERSION: ClassVar[int] = 1
    version: int
    host: str | None = None
    generation: int | None = None
    items: tuple[Drifted, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    held: tuple[HeldOut, ...] = ()
    unconfirmed: Unconfirmed | None = None
    interrupted: bool | None = False
    at_work: int | None = None

    @property
    def as_applied(self) -> bool:
        """Everything that could be looked at is as the last apply left it.

        What only awaits its confirmation is as applied.
        """
        return all(one.kind == "unconfirmed" for one in self.items)
