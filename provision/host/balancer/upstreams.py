"""Which servers are in the balancer: take instances out, bring them back, prove what is loaded.

Who keeps an instance out (an apply that restarts it, the watch unit that had no answer) is noted
in /run/provision/balancer.json. A server line is `down` while anybody holds its instance, so that
neither apply nor watch brings back what the other one took out. All of it is level-triggered:
level() makes lines, answer file and running workers agree, whatever was left by whom.

Only lines that are there and are ours are switched: the transaction makes and removes files, and a
line of another bundle (watch may still have the last one) is not touched.

Where there is no systemd: every function that reloads takes a Door (balancer/door.py). Without one
it is nginx.service on the live host, and on a scratch root nothing is reloaded. A test that runs
an nginx of its own hands over an object whose reload() sends SIGHUP to the master.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..bundle import Nginx
from ..errors import ProvisionError, fail
from ..files import TEMPORARY, Files, OnDisk
from .answer import UNSET as UNSET
from .answer import answer_line as answer_line
from .door import Door, Service, started_at
from .forms import accepted_forms as accepted_forms
from .forms import is_own_form as is_own_form
from .forms import lines as lines
from .forms import mark_of as mark_of
from .holds import HOLDS as HOLDS
from .holds import LOCK as LOCK
from .holds import Held as Held
from .holds import Holder as Holder
from .holds import Holds as Holds
from .holds import load_holds as load_holds
from .holds import save_holds, switching
from .prove import before_reload, prove, serves


def take_out(
    nginx: Nginx,
    files: Files,
    instances: Sequence[str],
    who: Holder,
    why: str,
    door: Door | None = None,
) -> None:
    """Hold instances and let the workers know; returns once no new request goes to them.

    A request whose body an old worker is still reading may come later: drain.wait_idle looks after
    it. ProvisionError (`nginx-not-ours`, ...) where nginx does not take it; the hold is noted then
    too. `line-not-ours` where a line of an instance was edited by hand.
    """
    with switching(files):
        save_holds(files, load_holds(files).with_holds(instances, who, why))
        _level(nginx, files, door)
        _all_ours(nginx, files, instances)


def bring_in(
    nginx: Nginx,
    files: Files,
    instances: Sequence[str],
    who: Holder,
    door: Door | None = None,
) -> None:
    """End this holder's holds and (of apply) port notes; returns once the workers know."""
    with switching(files):
        save_holds(files, load_holds(files).without_holds(who, instances))
        _level(nginx, files, door)
        _all_ours(nginx, files, instances)


def hold_quietly(
    files: Files,
    instances: Iterable[str],
    who: Holder,
    why: str,
    ports: Mapping[str, int] | None = None,
) -> None:
    """Note holds and ports without a reload; the next level() makes them so."""
    with switching(files):
        holds = load_holds(files).with_holds(instances, who, why)
        save_holds(files, dataclasses.replace(holds, ports={**holds.ports, **(ports or {})}))


def drop_holds(files: Files, who: Holder) -> None:
    """Forget all holds of one kind, and with those of apply all port notes; no reload."""
    if files.look(HOLDS) is None:
        return
    with switching(files):
        was = load_holds(files)
        holds = was.without_holds(who)
        if holds != was:
            save_holds(files, holds)


def level(nginx: Nginx, files: Files, door: Door | None = None) -> bool:
    """Make lines, answer file and workers agree; whether a reload was needed.

    Waits for the lock of one switch, writes lines as the holds say, the mark into Nginx.answer,
    reloads where something was written, the workers answer with another mark or the last switch
    was cut short, and proves that the new workers answer (prove.prove). A host whose nginx does
    not run: files only, False. Where nginx refuses, the lines go back to what they were and the
    error is raised. Whatever step it is killed at, the next one goes through.
    """
    with switching(files):
        return _level(nginx, files, door)


def _level(nginx: Nginx, files: Files, door: Door | None) -> bool:
    """level() with the lock in hand."""
    if files.look(nginx.configuration) is None:
        return False  # not applied, or removed: nginx reads nothing of ours
    if door is None and files.live:
        door = Service()
    _sweep(nginx, files)
    holds = load_holds(files)
    changed = _to_write(nginx, files, holds)
    if door is None or not door.running():
        _write(nginx, files, changed)
        _settled(files, holds)
        return False
    if not changed and not holds.unproven and _answers(nginx, files):
        _settled(files, holds)
        return False
    if not holds.unproven:
        holds = dataclasses.replace(holds, unproven=True)
        save_holds(files, holds)
    with _or_as_before(files, [*changed, *([nginx.answer] if nginx.answer else [])]):
        mark = _write(nginx, files, changed)
        since = before_reload(door)
        door.reload()
        prove(nginx, mark, door, since)
    _settled(files, holds)
    return True


def _to_write(nginx: Nginx, files: Files, holds: Holds) -> dict[str, str]:
    """Lines that are there, are ours and are not as the holds say."""
    found: dict[str, str] = {}
    for path, wanted in lines(nginx, holds).items():
        disk = files.look(path)
        if disk is None or disk.content == wanted.encode():
            continue
        if is_own_form(nginx, path, disk.content, holds):
            found[path] = wanted
    return found


def _answers(nginx: Nginx, files: Files) -> bool:
    """Whether the answer file has the mark of what is on disk, and the workers tell it."""
    if nginx.answer is None:
        return serves(nginx, None)
    mark = mark_of(nginx, files)
    return files.read(nginx.answer) == answer_line(mark).encode() and serves(nginx, mark)


def _write(nginx: Nginx, files: Files, changed: Mapping[str, str]) -> str | None:
    """Write the lines, then the answer file that has their mark; the mark where there is one."""
    for path, content in changed.items():
        files.write(path, content.encode(), 0o644)
    if nginx.answer is None:
        return None
    mark = mark_of(nginx, files)
    if files.read(nginx.answer) != answer_line(mark).encode():
        files.write(nginx.answer, answer_line(mark).encode(), 0o644)
    return mark


def _settled(files: Files, holds: Holds) -> None:
    """Files and workers agree: what was noted for the way there is forgotten."""
    if holds.unproven or holds.past:
        save_holds(files, dataclasses.replace(holds, unproven=False, past={}))


def _sweep(nginx: Nginx, files: Files) -> None:
    """Take away what switches that were killed left half-written; others may be writing now."""
    paths = [HOLDS, *(one.path for one in nginx.servers), *([nginx.answer] if nginx.answer else [])]
    for folder in sorted({path.rpartition("/")[0] for path in paths}):
        for one in files.at(folder).glob(f"{TEMPORARY}*"):
            pid = one.name.removeprefix(TEMPORARY).partition("-")[0]
            if pid.isdecimal() and started_at(int(pid)) is None:
                files.remove(f"{folder}/{one.name}")


@contextlib.contextmanager
def _or_as_before(files: Files, paths: Iterable[str]) -> Iterator[None]:
    """Put files back where nginx refuses them: they are to say what its workers run."""
    before = {path: files.look(path) for path in paths}
    try:
        yield
    except ProvisionError:
        for path, was in before.items():
            _put_back(files, path, was)
        raise


def _put_back(files: Files, path: str, was: OnDisk | None) -> None:
    if was is None:
        files.remove(path)
    elif files.look(path) != was:
        files.write(path, was.content, was.mode)


def _all_ours(nginx: Nginx, files: Files, instances: Iterable[str]) -> None:
    """Raise where the line of one of these is not ours to switch, so that nothing was done to it.

    A line that is not there leads nobody anywhere.
    """
    wanted = lines(nginx, load_holds(files))
    for one in nginx.servers:
        disk = files.look(one.path)
        if one.instance in instances and disk and disk.content != wanted[one.path].encode():
            raise fail(
                "line-not-ours",
                f"{one.path} holds {disk.content.decode('utf-8', 'replace').strip()!r:.200}, "
                f"not a line of {one.instance} that provision wrote",
                "provision diff shows what differs; apply --overwrite writes it anew",
            )
