"""Drift on disk: every file of ours as it lies there, and what others put beside them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from ..balancer.upstreams import Holds, is_own_form
from ..bundle import Nginx
from ..errors import ProvisionError
from ..files import TEMPORARY, Files, OnDisk
from ..names import UNITS
from ..transaction.journal import Journal
from ..transaction.state import Owned, State, matches
from .drift_report import Drifted, Unknown

OURS_ALONE = "/etc/nginx/provision"
_PUT_BACK = "provision apply HOST.YAML puts it back"
_EDITED = "put the change into host.yaml; provision apply --overwrite writes it anew"
_FOREIGN = "provision did not write it: take it away, and put what it does into host.yaml"
_ROOT_ALONE = "only root may read it"


def files_drift(
    files: Files, state: State, journal: Journal | None, holds: Holds
) -> tuple[list[Drifted], list[Unknown]]:
    """All owned paths against the disk, and foreign files in folders of ours.

    journal: of a run that was cut short; what it may have written is no edit by hand.
    """
    items: list[Drifted] = []
    unknown: list[Unknown] = []
    nginx = state.bundle.nginx
    for owned in state.owned:
        records = (owned, *(journal.records_of(owned.path) if journal else ()))
        try:
            items += _path(files, owned, records, nginx, holds)
        except ProvisionError as error:
            if error.diagnostics[0].rule != "needs-root":
                raise
            items += _status(files, owned)
            unknown.append(Unknown(owned.path, _ROOT_ALONE))
    known = {one.path for one in state.owned} | {
        one.path for one in (journal.owned if journal else ())
    }
    return items + list(_foreign(files, state, known)), unknown


def _path(
    files: Files, owned: Owned, records: Iterable[Owned], nginx: Nginx | None, holds: Holds
) -> list[Drifted]:
    disk = files.look(owned.path)
    if disk is None:
        return [_missing(owned.path)]
    written = any(matches(one.digest, disk) for one in records)
    if not written and not _form(nginx, owned.path, disk, holds):
        return [Drifted("file-edited", owned.path, "as applied", _what(owned, disk), _EDITED)]
    return _status(files, owned)


def _missing(path: str) -> Drifted:
    """A link that starts a unit at boot is told as what it means: the unit is disabled."""
    folder, _, name = path.rpartition("/")
    if folder.startswith(UNITS) and folder.endswith((".wants", ".requires")):
        by = folder.removeprefix(UNITS).rpartition(".")[0]
        actual = f"{by} does not start it: its link is gone"
        return Drifted("unit-disabled", name, f"started by {by}", actual, _PUT_BACK)
    return Drifted("file-missing", path, "as applied", "gone", _PUT_BACK)


def _form(nginx: Nginx | None, path: str, disk: OnDisk, holds: Holds) -> bool:
    """Whether the balancer has written it: a server up or down, the mark of the configuration."""
    return (
        nginx is not None and disk.kind == "file" and is_own_form(nginx, path, disk.content, holds)
    )


def _what(owned: Owned, disk: OnDisk) -> str:
    if disk.kind != owned.kind:
        return f"a {disk.kind} stands there"
    return f"leads to {os.fsdecode(disk.content)}" if disk.kind == "link" else "edited"


def _status(files: Files, owned: Owned) -> list[Drifted]:
    """Permissions and owner, which everybody may see. Below a scratch root nobody owns anything."""
    try:
        found = os.lstat(files.at(owned.path))
    except PermissionError:
        return []
    except (FileNotFoundError, NotADirectoryError):
        return [_missing(owned.path)]
    items: list[Drifted] = []
    mode = stat.S_IMODE(found.st_mode)
    if owned.kind == "file" and stat.S_ISREG(found.st_mode) and mode != owned.mode:
        items.append(
            Drifted("file-mode", owned.path, f"{owned.mode:04o}", f"{mode:04o}", _PUT_BACK)
        )
    if files.live and found.st_uid != 0:
        items.append(Drifted("file-owner", owned.path, "root", f"uid {found.st_uid}", _PUT_BACK))
    return items


def _foreign(files: Files, state: State, known: set[str]) -> Iterator[Drifted]:
    """Files that nobody of ours wrote, in the folders that hold nothing else.

    On the live host a drop-in that systemd has loaded is told by drift_units, with what it sets.
    """
    folders = [f"{UNITS}{one.unit}.d" for one in state.bundle.instances]
    if state.bundle.nginx is not None:
        folders.append(OURS_ALONE)
    for folder in sorted(set(folders)):
        for path in _below(files, folder):
            name = path.rpartition("/")[2]
            loaded = files.live and folder.endswith(".d") and name.endswith(".conf")
            if path not in known and not name.startswith(TEMPORARY) and not loaded:
                yield Drifted("file-foreign", path, "no such file", "is there", _FOREIGN)


def _below(files: Files, folder: str) -> list[str]:
    """Every file and link below a folder as host paths; folders that may not be read are passed."""
    root = files.at(folder)
    found: list[str] = []
    for above, _, names in os.walk(root):
        inner = os.path.relpath(above, root)
        prefix = folder if inner == "." else f"{folder}/{inner}"
        found += [f"{prefix}/{name}" for name in names]
    return sorted(found)
