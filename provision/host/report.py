"""Results that a run hands back: what would change, what was done, what is proven."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .errors import Diagnostic

FileAction = Literal["create", "update", "remove"]
UnitAction = Literal[
    "start", "restart", "stop", "reload", "enable", "disable", "daemon-reload", "apply"
]


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path that differs. before and after are texts; None: absent, binary or secret."""

    path: str
    action: FileAction
    before: str | None = None
    after: str | None = None
    before_mode: int | None = None
    after_mode: int | None = None
    secret: bool = False
    note: str | None = None  # "binary, 61 KiB", "link to ..."


@dataclass(frozen=True, slots=True)
class UnitChange:
    """One service action and its reason in words: `environment changed`, `not running`."""

    unit: str
    action: UnitAction
    why: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A service that nobody serves for a while during an apply.

    service: the way in (`/small/`), or the instance where none leads to it. seconds: how long its
    last start took; None where it has not been started before.
    """

    service: str
    instances: tuple[str, ...]
    why: str  # its only replica is restarted
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All that an apply would do, in the order in which it is done."""

    VERSION: ClassVar[int] = 1
    version: int
    files: tuple[FileChange, ...] = ()
    units: tuple[UnitChange, ...] = ()
    conflicts: tuple[Diagnostic, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing differs."""
        return not (self.files or self.units or self.conflicts)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of progress: `chat.0`, `started, ready after 41 s, first token 0.21 s`."""

    subject: str
    text: str
    ok: bool = True
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What apply or remove did. changed is the truth that Ansible reports."""

    VERSION: ClassVar[int] = 1
    version: int
    changed: bool
    changes: ChangeSet
    steps: tuple[Step, ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    exit_code: int = 0
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One proven or refuted claim about a live instance. ok None: could not be found out, and why.

    aspect: unit, processes, cpus, cpuset, memory-policy, memory, environment, port, gpus, ready,
    token, proxy.
    """

    subject: str  # chat.0, nginx, gpu-settings
    aspect: str
    ok: bool | None
    expected: str = ""
    actual: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of `provision verify`."""

    VERSION: ClassVar[int] = 1
    version: int
    host: str
    checks: tuple[Check, ...] = ()

    @property
    def green(self) -> bool:
        """Every claim that could be checked holds, and at least one was."""
        return bool(self.checks) and all(check.ok is not False for check in self.checks)
