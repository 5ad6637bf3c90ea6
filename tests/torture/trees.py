"""The oracle: whole trees, read and compared without any code of the product."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RECORDS = "/var/lib/provision/"
LOCK = "/run/provision.lock"  # stays behind while something is applied; its content says nothing
_SALTED = re.compile(rb"[0-9a-f]{16}:[0-9a-f]{64}")  # digest of a secret, salted anew each time


@dataclass(frozen=True)
class Entry:
    kind: str  # file, link, folder, other
    mode: int
    owner: tuple[int, int]
    content: bytes = b""


Tree = Mapping[str, Entry]


def tree(root: Path) -> dict[str, Entry]:
    """Everything below a root besides the lock, as it lies there."""
    found: dict[str, Entry] = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            found["/" + path.relative_to(root).as_posix()] = _entry(path)
    found.pop(LOCK, None)
    return dict(sorted(found.items()))


def _entry(path: Path) -> Entry:
    status = path.lstat()
    owner, mode = (status.st_uid, status.st_gid), stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return Entry("link", mode, owner, os.fsencode(path.readlink()))
    if stat.S_ISDIR(status.st_mode):
        return Entry("folder", mode, owner)
    if stat.S_ISREG(status.st_mode):
        return Entry("file", mode, owner, path.read_bytes())
    return Entry("other", mode, owner)


def comparable(one: Tree) -> dict[str, Entry]:
    """The tree with the marks of each run (transaction, time, salt) replaced by what they stand
    for, so that two runs of the same operation compare equal."""
    marks = _marks(one)
    return {
        _replaced(path.encode(), marks).decode(): Entry(
            entry.kind, entry.mode, entry.owner, _content(path, entry, marks)
        )
        for path, entry in one.items()
    }


def outside_records(one: Tree) -> dict[str, Entry]:
    """The tree without what provision keeps for itself."""
    return {path: entry for path, entry in one.items() if not path.startswith(RECORDS)}


def differences(is_now: Tree, wanted: Tree) -> list[str]:
    """What differs, a line each; empty when the trees are the same."""
    lines: list[str] = []
    for path in sorted({*is_now, *wanted}):
        here, there = is_now.get(path), wanted.get(path)
        if here == there:
            continue
        if here is None or there is None:
            lines.append(f"{path} is {'missing' if here is None else 'too much'}")
        elif here.content != there.content:
            lines.append(f"{path} has other content: {_first(here.content, there.content)}")
        else:
            lines.append(f"{path} is {here.kind} {here.mode:o}, not {there.kind} {there.mode:o}")
    return lines


def _marks(one: Tree) -> dict[bytes, bytes]:
    """Transaction ids of the kept generations and of the State, by what they stand for."""
    marks: dict[bytes, bytes] = {}
    for path, entry in one.items():
        kept = re.fullmatch(rf"{RECORDS}generations/(\d+)\.json", path)
        if kept or path == f"{RECORDS}state.json":
            document = json.loads(entry.content)
            number = document["number"] if kept else document["generation"]
            marks[document["transaction"].encode()] = b"TX-%d" % number
    return marks


def _replaced(text: bytes, marks: Mapping[bytes, bytes]) -> bytes:
    for mark, meaning in marks.items():
        text = text.replace(mark, meaning)
    return text


def _content(path: str, entry: Entry, marks: Mapping[bytes, bytes]) -> bytes:
    if not path.startswith(RECORDS) or entry.kind != "file":
        return entry.content
    text = _SALTED.sub(b"SALTED", _replaced(entry.content, marks))
    return re.sub(rb'("(?:at|deadline)": )\d+', rb"\g<1>0", text)


def _first(here: bytes, there: bytes) -> str:
    """The first lines that differ."""
    pairs = zip(here.splitlines(), there.splitlines(), strict=False)
    unlike = next(((a, b) for a, b in pairs if a != b), (here[-60:], there[-60:]))
    return f"{unlike[0].decode(errors='replace')!r}, not {unlike[1].decode(errors='replace')!r}"
