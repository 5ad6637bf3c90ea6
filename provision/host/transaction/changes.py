"""Bundle x disk x State -> ChangeSet: what an apply would do, without doing any of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from .. import systemd
from ..balancer.gaps import gaps
from ..balancer.resolver import RESOLV_CONF, resolver_artifact
from ..balancer.starts import start_seconds
from ..balancer.upstreams import load_holds
from ..bundle import Artifact, Bundle
from ..errors import fail
from ..files import Files, needs_root
from ..report import ChangeSet, Gap, UnitChange
from ..secrets import key_header_artifact, key_map_artifact
from .disk import Backup, Disk
from .journal import Journal, load_journal
from .options import ApplyOptions
from .state import State, load_state
from .unit_changes import unit_changes


@dataclass(frozen=True, slots=True)
class View:
    """A bundle beside what stands on the host, and the differences."""

    bundle: Bundle
    wanted: Mapping[str, Artifact]  # by path, and those made on the host
    state: State | None
    journal: Journal | None
    changes: ChangeSet
    backups: tuple[Backup, ...] = ()

    @property
    def writes(self) -> tuple[Artifact, ...]:
        """Artifacts to be written: files before the links that may lead to them."""
        paths = {one.path for one in self.changes.files if one.action != "remove"}
        wanted = [one for path, one in self.wanted.items() if path in paths]
        return tuple(sorted(wanted, key=lambda one: (one.kind == "link", one.path)))

    @property
    def removes(self) -> tuple[str, ...]:
        """Paths to be taken away."""
        return tuple(one.path for one in self.changes.files if one.action == "remove")


def changes(bundle: Bundle, files: Files, options: ApplyOptions | None = None) -> ChangeSet:
    """All that `apply` would do here, in its order. Under a scratch root: files and links only."""
    return observe(bundle, files, options).changes


def observe(
    bundle: Bundle, files: Files, options: ApplyOptions | None = None, *, settled: bool = False
) -> View:
    """Look at everything that the bundle is about; raises `needs-root` on a live host.

    settled: a journal that is there has given its files back, and tells of services alone.
    """
    if files.live and os.geteuid() != 0:
        raise needs_root("looking at units and root-only files of this host needs root")
    if files.live and not systemd.booted():
        raise fail("no-systemd", "systemd does not run this machine (no /run/systemd/system)")
    state, journal = load_state(files), load_journal(files)
    if journal and journal.committed(state):
        journal = None  # only tidying up is left of it
    wanted = resolved(bundle, files)
    written = None if settled else journal
    disk = Disk(files, state, written, bundle.nginx, options or ApplyOptions(), load_holds(files))
    found, conflicts, backups = disk.compare(wanted)
    units = unit_changes(bundle, wanted, found, state, journal) if files.live else ()
    gaps = gaps_of(bundle, state, units) if files.live else ()
    return View(
        bundle, wanted, state, journal, ChangeSet(1, found, units, conflicts, gaps), backups
    )


def resolved(bundle: Bundle, files: Files) -> dict[str, Artifact]:
    """The artifacts by path with the key maps made from the owner's key files; sorted."""
    made = [key_map_artifact(files, one) for one in bundle.key_maps]
    made += [key_header_artifact(files, one) for one in bundle.key_headers]
    if bundle.nginx and bundle.nginx.resolver:
        # A scratch root is written for a machine like this one: it has no resolv.conf of its own.
        asked = files if files.read(RESOLV_CONF) is not None else Files()
        made.append(resolver_artifact(asked, bundle.nginx.resolver))
    by_path: dict[str, Artifact] = {}
    for artifact in (*bundle.artifacts, *made):
        if artifact.path != os.path.normpath(artifact.path) or not artifact.path.startswith("/"):
            raise fail("bad-document", f"bundle: {artifact.path!r} is not an absolute plain path")
        if artifact.path in by_path:
            raise fail("bad-document", f"bundle: {artifact.path} stands in it twice")
        by_path[artifact.path] = artifact
    return {path: by_path[path] for path in sorted(by_path)}


def gaps_of(bundle: Bundle, state: State | None, units: tuple[UnitChange, ...]) -> tuple[Gap, ...]:
    """Services that nobody serves for a while."""
    if not units:
        return ()
    acted = [one.unit for one in units if "@" in one.unit]
    return gaps(bundle, state.bundle if state else None, units, start_seconds(acted))
