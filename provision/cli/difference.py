"""What `provision diff` answers: the changes of an apply, and the drift it leaves as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from provision.host.errors import Diagnostic
from provision.host.proof.drift_report import Drifted, DriftReport
from provision.host.report import ChangeSet, FileChange, Gap, UnitChange

from . import complaint
from .changes_screen import show_diff, show_gaps
from .drift_screen import show_items
from .screen import heading

_OF_FILES = ("file-edited", "file-missing", "file-mode", "file-owner", "unit-disabled")
_BY_ACTION = ("older", "takeover", "unit-down", "unit-stale")
_SETTINGS = "provision-gpu-settings.service"
_NGINX = "nginx.service"


@dataclass(frozen=True, slots=True)
class Difference:
    """A ChangeSet with the drift that has nothing to do with wanted files and services."""

    VERSION: ClassVar[int] = 1
    version: int
    files: tuple[FileChange, ...] = ()
    units: tuple[UnitChange, ...] = ()
    conflicts: tuple[Diagnostic, ...] = ()
    gaps: tuple[Gap, ...] = ()
    drift: tuple[Drifted, ...] = ()

    @property
    def changes(self) -> ChangeSet:
        """What an apply would do."""
        return ChangeSet(1, self.files, self.units, self.conflicts, self.gaps)

    @property
    def none(self) -> bool:
        """Nothing differs. What only awaits its confirmation is as it should be."""
        return self.changes.empty and all(one.kind == "unconfirmed" for one in self.drift)


def difference_of(changes: ChangeSet, drift: Iterable[Drifted] = ()) -> Difference:
    """Both in one document."""
    return Difference(
        1, changes.files, changes.units, changes.conflicts, changes.gaps, tuple(drift)
    )


def left_over(report: DriftReport, changes: ChangeSet) -> tuple[Drifted, ...]:
    """Drift that the changes do not tell already.

    All files of ours stand among the changes where they differ from what is wanted, and one that
    is as wanted now is nobody's concern, whatever was applied before.
    """
    acted = {one.unit for one in changes.units}
    return tuple(one for one in report.items if not _told(one, acted))


def _told(one: Drifted, acted: set[str]) -> bool:
    if one.kind in _OF_FILES:
        return one.subject != _NGINX or _NGINX in acted
    if one.kind in _BY_ACTION:
        return any(unit == one.subject or _instance_of(unit) == one.subject for unit in acted)
    if one.kind == "gpu-settings":
        return _SETTINGS in acted
    if one.kind in ("nginx-older", "balancer"):
        return _NGINX in acted
    return False


def _instance_of(unit: str) -> str:
    return unit.partition("@")[2].removesuffix(".service")


def show_difference(found: Difference) -> None:
    """Files line by line, service actions, gaps, drift; conflicts on stderr."""
    show_diff(found.changes)
    if found.gaps:
        heading("Not served meanwhile")
        show_gaps(found.gaps)
    show_items(found.drift)
    complaint.show(found.conflicts)
