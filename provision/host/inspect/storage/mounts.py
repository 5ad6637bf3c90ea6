"""File systems that the models lie on, or would.

statvfs(2) and even lstat(2) wait for ever for a server that is gone. So a file system that may be
on another host is asked by a program with a time limit first, and one that did not answer is never
looked into: `answers` is False, its size and room stay unknown, and so does what lies on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from ...facts import Mount, RoomNow
from ..source import Room, Source
from .mount_table import mount_above, network_of, parse_mountinfo, parse_mounts

_USUAL = (
    "/opt",
    "/root/.cache/huggingface",
    "/srv",
    "/usr/share/ollama",
    "/var/lib/ollama",
    "/var/lib/provision",
)
_ALWAYS = ("/", "/dev/shm")
_MIB = 1 << 20
_PATIENCE_SECONDS = 5.0
_MOST_LINKS = 40  # as in the kernel


def read_mounts(source: Source, paths: Iterable[str]) -> tuple[Mount, ...]:
    """The mounts of these paths, of the models' usual folders and of /dev/shm, by mount point."""
    table = _read_table(source)
    asked: dict[str, Mount] = {}

    def ask(mount: Mount, path: str) -> Mount:
        if mount.network is not False and mount.point not in asked:
            asked[mount.point] = table[mount.point] = _asked(source, mount, path)
        return table[mount.point]

    named = {*paths, *_ALWAYS}
    points: set[str] = set()
    for path in sorted(named | set(_USUAL)):
        mount = _reach(source, table, path, ask)[1]
        if mount is None:
            continue
        if path in named or (mount.answers is not False and source.is_folder(path)):
            points.add(mount.point)
    points |= set(asked)  # those on the way of a link too: nobody may run into them again
    return tuple(_measured(source, table[point]) for point in sorted(points))


def read_rooms(source: Source, mounts: Sequence[Mount]) -> tuple[RoomNow, ...]:
    """Room left on each."""
    rooms: list[RoomNow] = []
    for mount in mounts:
        room: Room | None = None
        if mount.network is False:
            room = source.room(mount.point)
        elif mount.answers:
            room = parse_room(_ask(source, mount.point)[1])[0]
        rooms.append(RoomNow(mount.point, None if room is None else room.free // _MIB))
    return tuple(rooms)


def reach(source: Source, mounts: Sequence[Mount], path: str) -> tuple[str, Mount | None]:
    """Where a path leads, links followed, and the mount it lies on, or would.

    A mount that does not answer is not entered: the path is then told as far as it got.
    """
    return _reach(source, {one.point: one for one in mounts}, path, lambda mount, _: mount)


def parse_room(text: str) -> tuple[Room | None, str | None]:
    """Room and kind of file system in the answer to `stat -f -c '%S %b %a %T'`."""
    words = text.split(maxsplit=3)
    numbers = [int(one) for one in words[:3] if one.isascii() and one.isdigit() and len(one) < 20]
    if len(numbers) != 3:
        return None, None
    kind = words[3].strip() if len(words) > 3 else None
    block, blocks, free = numbers
    return Room(block * blocks, block * free), kind


def _read_table(source: Source) -> dict[str, Mount]:
    text = source.text("/proc/self/mountinfo")
    found = parse_mountinfo(text) if text else {}
    return found or parse_mounts(source.text("/proc/mounts") or "")


def _reach(
    source: Source, table: dict[str, Mount], path: str, ask: Callable[[Mount, str], Mount]
) -> tuple[str, Mount | None]:
    if not path.startswith("/") or "\0" in path:
        return path, None
    here, rest, links = "", _steps(path), 0
    while rest:
        part = rest.pop()
        if part == "..":
            here = here.rpartition("/")[0]
            continue
        step = f"{here}/{part}"
        mount = mount_above(table, step)
        whole = "/".join((step, *reversed(rest)))
        if mount is not None:
            mount = ask(mount, whole)
            if mount.answers is False:
                return whole, mount
        target = source.link(step)
        if target is None:
            here = step
            continue
        links += 1
        if links > _MOST_LINKS:
            return path, mount
        here = "" if target.startswith("/") else here
        rest += _steps(target)
    return here or "/", mount_above(table, here)


def _steps(path: str) -> list[str]:
    """A path's parts, the first one last."""
    return [part for part in path.split("/") if part not in ("", ".")][::-1]


def _ask(source: Source, path: str) -> tuple[int, str]:
    """The exit code and answer of a program that asks for a file system's room."""
    argv = ["stat", "-f", "-c", "%S %b %a %T", "--", path]
    ran = source.run(argv, timeout=_PATIENCE_SECONDS)
    return ran.code, ran.out if ran.ok else ""


def _asked(source: Source, mount: Mount, path: str) -> Mount:
    """The same mount, with its size if it answers.

    autofs mounts what it stands for when a path below it is asked for, which starting the engine
    would do as well: that one's kind and size are told then.
    """
    automatic = mount.kind == "autofs"
    code, out = _ask(source, path if automatic else mount.point)
    room, kind = parse_room(out)
    answers = True if code == 0 else False if code == 124 else None
    if automatic and kind not in (None, "autofs") and not kind.startswith("UNKNOWN"):
        mount = dataclasses.replace(mount, kind=kind, network=network_of(kind, []))
    elif automatic:
        room = None
    size = room.size // _MIB if room and room.size else None
    return dataclasses.replace(mount, answers=answers, size_mib=size)


def _measured(source: Source, mount: Mount) -> Mount:
    if mount.network is not False:
        return mount
    room = source.room(mount.point)
    size = room.size // _MIB if room and room.size else None
    return dataclasses.replace(mount, size_mib=size)
