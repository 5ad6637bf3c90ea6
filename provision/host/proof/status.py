"""status: in short, what was applied last and how it stands. Asks no engine anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .. import systemd
from ..balancer.upstreams import Holds, load_holds
from ..bundle import Instance
from ..errors import ProvisionError
from ..files import Files
from ..systemd import UnitStatus
from ..transaction.generations import Generation, history
from ..transaction.instance_changes import running_digest
from ..transaction.state import STATE, State, load_state
from .drift import drift, units_seen
from .drift_report import DriftReport

Configuration = Literal["current", "older", "unknown"]


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """One instance. configuration: whether its process runs with what was applied.

    out: who keeps it out of the balancer and why, empty when nobody does; balanced: whether a
    route leads to it at all.
    """

    name: str
    unit: str
    active: str  # systemd's word; unknown where no systemd answers
    port: int | None = None
    configuration: Configuration = "unknown"
    balanced: bool = False
    out: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A generation that has a name."""

    name: str
    generation: int


@dataclass(frozen=True, slots=True)
class Status:
    """The answer of `provision status`. generation None: nothing was applied here.

    at: when it was applied, seconds of the wall clock. files: how many paths are ours.
    checkpoints None: only root may read them.
    """

    VERSION: ClassVar[int] = 1
    version: int
    drift: DriftReport
    host: str | None = None
    generation: int | None = None
    tool: str | None = None
    at: int | None = None
    files: int = 0
    instances: tuple[InstanceStatus, ...] = ()
    checkpoints: tuple[Checkpoint, ...] | None = ()

    @property
    def as_applied(self) -> bool:
        """Nothing is known to be otherwise than the last apply left it."""
        return self.drift.as_applied


def status(files: Files) -> Status:
    """Look at the record, the files and, on the live host, the units; works without root."""
    state = load_state(files)
    found = drift(files)
    if state is None:
        return Status(1, found)
    kept = _kept(files)
    seen = _seen(files, state)
    holds = _holds(files)
    return Status(
        version=1,
        drift=found,
        host=state.bundle.host,
        generation=state.generation,
        tool=state.bundle.tool,
        at=_applied_at(files, state, kept or ()),
        files=len(state.owned),
        instances=tuple(
            _instance(one, state, seen.get(one.unit), holds) for one in state.bundle.instances
        ),
        checkpoints=_checkpoints(kept),
    )


def _instance(
    one: Instance, state: State, status: UnitStatus | None, holds: Holds
) -> InstanceStatus:
    servers = state.bundle.nginx.servers if state.bundle.nginx else ()
    out = "; ".join(f"{held.who}: {held.why}" for held in holds.holding(one.name))
    return InstanceStatus(
        name=one.name,
        unit=one.unit,
        active=status.active if status else "unknown",
        port=one.placed.port,
        configuration=_configuration(one, status),
        balanced=any(server.instance == one.name for server in servers),
        out=out,
    )


def _configuration(one: Instance, status: UnitStatus | None) -> Configuration:
    """By the digest in the live process's environment, which root may read."""
    digest = running_digest(status) if status else None
    if digest is None:
        return "unknown"
    return "current" if digest == one.digest else "older"


def _seen(files: Files, state: State) -> dict[str, UnitStatus]:
    if not (files.live and systemd.booted()):
        return {}
    try:
        return units_seen(state)
    except ProvisionError:  # told by drift, as unknown
        return {}


def _holds(files: Files) -> Holds:
    try:
        return load_holds(files)
    except ProvisionError:  # told by drift, as unknown
        return Holds(1)


def _kept(files: Files) -> tuple[Generation, ...] | None:
    try:
        return history(files)
    except ProvisionError as error:
        if error.diagnostics[0].rule != "needs-root":
            raise
        return None


def _applied_at(files: Files, state: State, kept: tuple[Generation, ...]) -> int | None:
    """From the generation; for other users by the time of the commit, which is a rename."""
    for one in kept:
        if one.number == state.generation:
            return one.at
    try:
        return int(files.at(STATE).stat().st_mtime)
    except OSError:
        return None


def _checkpoints(kept: tuple[Generation, ...] | None) -> tuple[Checkpoint, ...] | None:
    if kept is None:
        return None
    return tuple(Checkpoint(one.checkpoint, one.number) for one in kept if one.checkpoint)
