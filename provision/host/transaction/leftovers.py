"""What an apply made besides files: folders and system users, and how they go away again."""

from __future__ import annotations

import os
import pwd
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..files import Files
from ..run import run


def folders_in(tmpfiles: str) -> tuple[str, ...]:
    """Folders that a tmpfiles.d file of ours makes: its `d` lines (tmpfiles.d(5)).

    Paths may stand in double quotes with backslashes; `%%` is a percent sign.
    """
    found: list[str] = []
    for match in re.finditer(r'(?m)^d\s+(?:"((?:[^"\\]|\\.)*)"|(\S+))', tmpfiles):
        path = match[2] if match[1] is None else re.sub(r"\\(.)", r"\1", match[1])
        found.append(path.replace("%%", "%"))
    return tuple(found)


def user_exists(name: str) -> bool:
    """Whether the system knows a user."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def innermost_first(folders: Iterable[str]) -> list[str]:
    """Folders in the order in which they can be taken away."""
    return sorted(folders, key=lambda one: (-one.count("/"), one))


def drop_folders(files: Files, folders: Iterable[str]) -> tuple[str, ...]:
    """Take away folders that are empty, innermost first; those that are not, and stay."""
    kept: list[str] = []
    for folder in innermost_first(folders):
        if files.at(folder).is_dir() and not files.remove_empty_folder(folder):
            kept.append(folder)
    return tuple(sorted(kept))


def drop_model_folders(users: Iterable[str]) -> tuple[str, ...]:
    """Take away what users that we made keep in their homes below /var/lib, models included.

    Folders that somebody else made, or that host.yaml names elsewhere, are never touched.
    """
    gone: list[str] = []
    for name in users:
        try:
            home = Path(pwd.getpwnam(name).pw_dir)
        except KeyError:
            continue
        if home.parent == Path("/var/lib") and home.is_dir() and not home.is_symlink():
            shutil.rmtree(home)
            gone.append(str(home))
    return tuple(gone)


def drop_users(names: Iterable[str], folders: Iterable[str]) -> tuple[str, ...]:
    """Take away users that we made unless files of theirs lie in these folders; reasons for those
    that stay. Files without an owner would fall to the next user of that number."""
    kept: list[str] = []
    places = tuple(folders)
    for name in names:
        try:
            uid = pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
        where = _first_of(uid, places)
        if where:
            kept.append(f"user {name} stays: {where} is theirs")
            continue
        ran = run(["userdel", name])
        if not ran.ok:
            kept.append(f"user {name} stays: {ran.said}")
        elif _group_exists(name):
            run(["groupdel", name])
    return tuple(kept)


def _first_of(uid: int, folders: Iterable[str]) -> str | None:
    """A path in these folders that belongs to a user."""
    for top in folders:
        for folder, _, names in os.walk(top):
            for path in (Path(folder), *(Path(folder, name) for name in names)):
                try:
                    if path.lstat().st_uid == uid:
                        return str(path)
                except FileNotFoundError:
                    continue
    return None


def _group_exists(name: str) -> bool:
    return run(["getent", "group", name]).ok
