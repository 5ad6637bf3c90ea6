"""status: in short, what was applied last and whether it runs. Asks no engine anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .. import systemd
from ..files import Files
from ..transaction.journal import PENDING
from ..transaction.state import load_state


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    name: str
    unit: str
    active: str  # systemd's word; unknown where no systemd answers
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """generation None: nothing was applied here. interrupted: a run was cut short."""

    VERSION: ClassVar[int] = 1
    version: int
    host: str | None = None
    generation: int | None = None
    tool: str | None = None
    instances: tuple[InstanceStatus, ...] = ()
    interrupted: bool = False

    @property
    def as_applied(self) -> bool:
        """Nothing is known to be otherwise."""
        return not self.interrupted and all(
            one.active in ("active", "unknown") for one in self.instances
        )


def status(files: Files) -> Status:
    """Look at the record and the units; reads only, works without root."""
    state = load_state(files)
    interrupted = files.at(PENDING).exists()
    if state is None:
        return Status(1, interrupted=interrupted)
    units = [one.unit for one in state.bundle.instances]
    seen = systemd.statuses(units) if files.live and systemd.booted() else {}
    return Status(
        version=1,
        host=state.bundle.host,
        generation=state.generation,
        tool=state.bundle.tool,
        instances=tuple(
            InstanceStatus(
                one.name,
                one.unit,
                seen[one.unit].active if one.unit in seen else "unknown",
                one.placed.port,
            )
            for one in state.bundle.instances
        ),
        interrupted=interrupted,
    )
