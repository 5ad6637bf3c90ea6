"""How a host stands: what was applied last, what runs, and what lies on disk now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from provision.host import systemd
from provision.host.errors import ProvisionError
from provision.host.files import Files
from provision.host.proof.status import Status, status
from provision.host.transaction.changes import edited_by_hand
from provision.host.transaction.journal import Pending, load_pending
from provision.host.transaction.state import Owned, State, load_state
from provision.host.transaction.unit_changes import running_digest

Configuration = Literal["current", "older", "unknown"]


@dataclass(frozen=True, slots=True)
class Drift:
    """An owned path that is not as it was written. unreadable: root alone can tell."""

    path: str
    what: Literal["missing", "edited", "unreadable"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer of `provision status`.

    configuration: by instance, whether its process runs with what was applied; unknown: it does
    not run, or may not be looked into (root may).
    """

    VERSION: ClassVar[int] = 1
    version: int
    status: Status
    files: int = 0
    configuration: Mapping[str, Configuration] = field(default_factory=dict)
    drift: tuple[Drift, ...] = ()

    @property
    def as_applied(self) -> bool:
        """Everything that could be looked at is as the last apply left it."""
        drifted = any(one.what != "unreadable" for one in self.drift)
        return self.status.as_applied and not drifted and "older" not in self.configuration.values()


def standing(files: Files) -> Standing:
    """Look at the record, the files and, on the live host, the units. Reads only."""
    now, state = status(files), load_state(files)
    if state is None:
        return Standing(1, now)
    pending = _pending(files) if now.interrupted else None
    drift = (_drift(files, one, pending) for one in state.owned)
    return Standing(
        version=1,
        status=now,
        files=len(state.owned),
        configuration=_configuration(state, files.live),
        drift=tuple(one for one in drift if one is not None),
    )


def _configuration(state: State, live: bool) -> dict[str, Configuration]:
    """By the digest in the live process's environment."""
    found: dict[str, Configuration] = {one.name: "unknown" for one in state.bundle.instances}
    if not (live and systemd.booted()):
        return found
    seen = systemd.statuses([one.unit for one in state.bundle.instances])
    for one in state.bundle.instances:
        digest = running_digest(seen[one.unit]) if one.unit in seen else None
        if digest is not None:
            found[one.name] = "current" if digest == one.digest else "older"
    return found


def _pending(files: Files) -> Pending | None:
    """A cut-short run's record, as far as this user may read it."""
    try:
        return load_pending(files)
    except ProvisionError as error:
        if error.diagnostics[0].rule != "needs-root":
            raise
        return None


def _drift(files: Files, owned: Owned, pending: Pending | None) -> Drift | None:
    """How one path differs from what was written there, by the last run or one cut short."""
    records = (owned, *(pending.records_of(owned.path) if pending else ()))
    try:
        disk = files.look(owned.path)
    except ProvisionError as error:
        if error.diagnostics[0].rule != "needs-root":
            raise
        return Drift(owned.path, "unreadable")
    if disk is None:
        return Drift(owned.path, "missing")
    mode_differs = owned.kind == "file" and disk.mode != owned.mode
    if edited_by_hand(disk, records) or mode_differs:
        return Drift(owned.path, "edited")
    return None
