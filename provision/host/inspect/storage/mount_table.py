"""The kernel's table of mounts, as /proc/self/mountinfo or the older /proc/mounts tell it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...facts import Mount

_NETWORK = frozenset(
    (
        "afs", "beegfs", "ceph", "cifs", "coda", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
        "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs",
        "fuse.ceph", "fuse.cephfs", "fuse.curlftpfs", "fuse.gcsfuse", "fuse.glusterfs",
        "fuse.goofys", "fuse.juicefs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "fuse.weka",
    )
)  # fmt: skip
_LOCAL_FUSE = frozenset(("fuseblk", "fuse.lxcfs", "fuse.fuse-overlayfs", "fusectl"))
# Options of a file system itself, not of its mount, that say something of use.
_OWN_OPTIONS = re.compile(r"(size|huge|subvol|vers|dax|proto)(=.*)?|soft|hard|softerr")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    parent: int
    mount: Mount


def parse_mountinfo(text: str) -> dict[str, Mount]:
    """Each mount that can be seen, by its point; what another one covers is left out."""
    lines = [one for one in map(_line, text.splitlines()) if one is not None]
    by_point: dict[str, list[_Line]] = {}
    for one in lines:
        by_point.setdefault(one.mount.point, []).append(one)
    numbers = {one.number for one in lines}
    seen: dict[str, _Line] = {}
    for point in sorted(by_point, key=lambda one: (one.rstrip("/").count("/"), one)):
        below = None if point == "/" else _above(seen, point)
        top = _top(by_point[point], None if below is None else below.number, numbers)
        if top is not None:
            seen[point] = top
    return {point: one.mount for point, one in seen.items()}


def parse_mounts(text: str) -> dict[str, Mount]:
    """The same of /proc/mounts, where of two mounts at one point the later one is taken."""
    found: dict[str, Mount] = {}
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) >= 4 and words[1].startswith("/"):
            point, options = _plain(words[1]), words[3].split(",")
            found[point] = _mount(point, words[0], words[2], options)
    return found


def mount_above(mounts: Mapping[str, Mount], path: str) -> Mount | None:
    """The mount that a path lies on, or would: the one with the longest point above it."""
    here = path.rstrip("/")
    while here:
        if here in mounts:
            return mounts[here]
        here = here.rpartition("/")[0]
    return mounts.get("/")


def network_of(kind: str, options: list[str]) -> bool | None:
    """Whether a file system is on another host; None where its kind does not tell."""
    if kind in _NETWORK:
        return True
    if kind == "9p":  # a hypervisor's folder (trans=virtio, fd), unless it goes over a network
        return any(one in ("trans=tcp", "trans=rdma") for one in options)
    if kind == "autofs" or (kind.startswith("fuse") and kind not in _LOCAL_FUSE):
        return None
    return False


def _line(text: str) -> _Line | None:
    """A line of mountinfo: `36 35 98:0 /root /point options [fields] - kind source own`."""
    front, dash, back = text.partition(" - ")
    words, rest = front.split(" "), back.split(" ")
    if not dash or len(words) < 6 or len(rest) < 2:
        return None
    if not (_is_number(words[0]) and _is_number(words[1]) and words[4].startswith("/")):
        return None
    options = words[5].split(",")
    own = rest[2].split(",") if len(rest) > 2 else []
    mount = _mount(_plain(words[4]), rest[1], rest[0], options, own)
    return _Line(int(words[0]), int(words[1]), mount)


def _mount(
    point: str, source: str, kind: str, options: list[str], own: list[str] | None = None
) -> Mount:
    kept = [one for one in options if one]
    if own is None:
        own = kept
    if "ro" in own and "rw" in kept:  # the file system went read-only, after an error perhaps
        kept[kept.index("rw")] = "ro"
    kept += [one for one in own if _OWN_OPTIONS.fullmatch(one) and one not in kept]
    told = _plain(source)
    return Mount(
        point=point,
        source=None if told in ("", "none") else told,
        kind=kind or None,
        options=tuple(map(_plain, kept)),
        network=network_of(kind, own),
    )


def _above(seen: Mapping[str, _Line], point: str) -> _Line | None:
    here = point
    while here:
        here = here.rpartition("/")[0]
        if here in seen:
            return seen[here]
    return seen.get("/")


def _top(lines: list[_Line], below: int | None, numbers: set[int]) -> _Line | None:
    """The uppermost of the mounts at one point; below: the number of what is seen there else.

    One whose parent is known and is not seen there was covered by a mount above it.
    """
    base = [
        one
        for one in lines
        if one.parent == below or one.parent not in numbers or one.parent == one.number
    ]
    if not base:
        return None
    top, left = base[-1], list(lines)
    while True:
        left.remove(top)
        over = [one for one in left if one.parent == top.number]
        if not over:
            return top
        top = over[-1]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 12


def _plain(text: str) -> str:
    r"""A field without its escapes: the kernel writes a blank as \040, a backslash as \134."""
    if "\\" not in text:
        return text
    return re.sub(r"\\([0-3][0-7]{2})", lambda match: chr(int(match[1], 8)), text)
