"""What a run over the fleet hands back: one result a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from provision.host.errors import Exit

from .brief import Brief
from .playbooks import Verb

HostState = Literal["ok", "failed", "unreachable", "untouched"]


@dataclass(frozen=True, slots=True)
class FileCount:
    """Files and units of a host that were, or would be, changed."""

    files: int = 0
    units: Mapping[str, int] = field(default_factory=dict)  # restart: 3


@dataclass(frozen=True, slots=True)
class HostResult:
    """How one host fared.

    state untouched: its turn did not come, since the rollout was halted before. message: on
    failure every complaint, or what Ansible said; else the changes in one line. seconds: spent by
    the host's own tasks. facts: the document, only after `inspect`.
    """

    host: str
    state: HostState
    changed: bool = False
    message: str = ""
    outcome: str = ""  # of a failure: error, conflict, rolled_back, ...
    exit_code: int = 0
    seconds: float = 0.0
    count: FileCount = FileCount()
    verified: bool | None = None  # None: not looked at
    plan: Brief | None = None
    facts: Any = None
    report: Any = None  # the Report document, after `verify`
    diff: tuple[Any, ...] = ()  # Ansible's diff list, with --diff


@dataclass(frozen=True, slots=True)
class FleetResult:
    """All hosts of a run, sorted by name."""

    VERSION: ClassVar[int] = 1
    version: int
    verb: Verb
    check: bool
    hosts: tuple[HostResult, ...] = ()

    @property
    def failed(self) -> tuple[HostResult, ...]:
        """Hosts that failed or could not be reached."""
        return tuple(one for one in self.hosts if one.state in ("failed", "unreachable"))

    @property
    def exit_code(self) -> Exit:
        """The worst host's; with --check, DIFFERS when one would change."""
        if self.failed:
            return Exit(max(one.exit_code or Exit.ERROR for one in self.failed))
        if any(one.state == "untouched" for one in self.hosts):
            return Exit.ERROR
        if self.check and any(one.changed for one in self.hosts):
            return Exit.DIFFERS
        return Exit.OK
