"""systemd and nginx look at all that is about to be written, before anything live changes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .. import systemd
from ..balancer import nginx
from ..errors import Diagnostic
from ..files import Files
from ..names import NGINX_FOLDER, UNITS
from ..run import which
from .changes import View
from .state import content_of
from .unit_changes import units_of

_RUN = Path("/run")
_PREFIX = ".provision-stage-"  # mode 0700: keys of nginx lie in it for a moment


def validate(view: View) -> list[Diagnostic]:
    """What systemd or nginx would refuse; only those are asked whose files change."""
    changed = [one.path for one in view.changes.files]
    with _stage() as stage:
        found: list[Diagnostic] = []
        if any(path.startswith(UNITS) for path in changed):
            found += _units(view, stage)
        if any(path.startswith(NGINX_FOLDER) for path in changed) and (
            view.bundle.nginx or which("nginx")
        ):
            entry = view.bundle.nginx.configuration if view.bundle.nginx else None
            found += nginx.check_merged(entry, view.writes, view.removes, stage)
        return found


def validate_removal(removes: Sequence[str]) -> list[Diagnostic]:
    """Whether nginx still takes its configuration when our files are gone."""
    with _stage() as stage:
        return nginx.check_merged(None, (), removes, stage)


def _units(view: View, stage: Path) -> list[Diagnostic]:
    """All our units, changed or not: a drop-in is judged together with its template."""
    staged = Files(stage)
    for one in view.wanted.values():
        if one.path.startswith(UNITS):
            path = "/units/" + one.path.removeprefix(UNITS)
            if one.kind == "link":
                staged.link(path, one.content)
            else:
                staged.write(path, content_of(one), one.mode)
    folder = stage / "units"
    names = sorted(units_of(view.wanted))
    if not names:
        return []
    ran = systemd.verify_units([folder / name for name in names], folder)
    if ran.code in (124, 126, 127):
        return [Diagnostic("units-not-checked", f"systemd-analyze verify: {ran.said}")]
    said = complaints(ran.said, str(folder), names)
    return [Diagnostic("unit-refused", line, hint="nothing live was touched") for line in said]


def complaints(said: str, folder: str, names: Sequence[str]) -> list[str]:
    """Lines of systemd-analyze that are about our units, with the paths as on the host.

    Others may complain too, about units that ours only want; that is not ours to judge.
    """
    marks = [f"{folder}/", *names, *{name.partition("@")[0] + "@" for name in names if "@" in name}]
    lines = [line.strip() for line in said.splitlines() if any(mark in line for mark in marks)]
    return sorted({line.replace(f"{folder}/", UNITS) for line in lines})


def sweep_stages() -> None:
    """Take away the stages of killed runs: keys may lie in them."""
    for old in _RUN.glob(f"{_PREFIX}*"):
        if not Path("/proc", old.name.removeprefix(_PREFIX).partition("-")[0]).exists():
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _stage() -> Iterator[Path]:
    """An empty folder for root alone."""
    sweep_stages()
    stage = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_RUN))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
