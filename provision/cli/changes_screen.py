"""A ChangeSet for people: in one sentence, as a list, as a unified diff."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from provision.host.report import ChangeSet, FileChange, Gap, UnitChange

from .moment import lasting
from .screen import Table, count, listed, paragraph, put

_FILE_WORDS = {"create": "create", "update": "update", "remove": "remove"}
_SETTINGS = "provision-gpu-settings.service"


def summary(changes: ChangeSet) -> str:
    """`9 files to create, 3 instances and nginx to start`; conflicts first."""
    if changes.empty:
        return "nothing to change"
    parts = []
    if changes.conflicts:
        parts.append(count(len(changes.conflicts), "conflict"))
    for action in ("create", "update", "remove"):
        number = sum(one.action == action for one in changes.files)
        if number:
            noun = count(number, "file") if not any("file" in part for part in parts) else number
            parts.append(f"{noun} to {_FILE_WORDS[action]}")
    for verb in ("start", "restart", "reload", "stop", "enable", "disable", "apply"):
        units = [one.unit for one in changes.units if one.action == verb and not _own_work(one)]
        if units:
            parts.append(f"{_units(units)} to {verb}")
    return ", ".join(parts) or "systemd's own settings to be read again"


def show_list(changes: ChangeSet) -> None:
    """A line a file and a service action."""
    for one in changes.files:
        remark = "link" if one.note and one.note.startswith("link to ") else _remark(one)
        put(f"  {one.action:<6}  {one.path}" + (f"  ({remark})" if remark else ""))
    if changes.files and changes.units:
        put()
    _show_units(changes.units)


def show_gaps(gaps: Iterable[Gap]) -> None:
    """A sentence for each service that nobody serves for a while."""
    for line in gap_lines(gaps):
        paragraph("", line, 2)


def gap_lines(gaps: Iterable[Gap]) -> list[str]:
    """`chat: nobody serves /v1/ for about 41 s (its last start), since its only replica ...`.

    gap.service is a way in where one leads there, otherwise the instance's own name.
    """
    return [f"{_who(one)} {_how_long(one)}, since {one.why}" for one in gaps]


def _who(gap: Gap) -> str:
    groups = tuple(dict.fromkeys(name.rpartition(".")[0] or name for name in gap.instances))
    if not groups or gap.service in (*gap.instances, *groups):
        return f"{gap.service}: nobody is served"
    return f"{listed(groups)}: nobody serves {gap.service}"


def _how_long(gap: Gap) -> str:
    if gap.seconds is None:
        return "until the start is over (how long that takes is not known yet)"
    return f"for about {lasting(gap.seconds)} (its last start)"


def show_diff(changes: ChangeSet) -> None:
    """Every file as a unified diff, then the service actions."""
    for one in changes.files:
        for line in diff_lines(one):
            put(line, *_style(line))
    if changes.files and changes.units:
        put()
    _show_units(changes.units)


def diff_lines(change: FileChange) -> Iterator[str]:
    """One file's unified diff. Of secrets and binaries only that they change."""
    before = "/dev/null" if change.action == "create" else change.path
    after = "/dev/null" if change.action == "remove" else change.path
    yield f"--- {before}"
    yield f"+++ {after}"
    remark = _remark(change)
    if remark:
        yield f"# {remark}"
    if change.secret:
        return
    old, new = (change.before or "").splitlines(), (change.after or "").splitlines()
    diff = difflib.unified_diff(old, new, lineterm="", n=3)
    yield from list(diff)[2:]  # without its own ---, +++
    if _lacks_newline(change.before) != _lacks_newline(change.after) and old == new:
        yield "# only the newline at the end of the file differs"


def _remark(change: FileChange) -> str:
    """What a diff of the texts does not show."""
    words = []
    if change.secret:
        words.append(f"secret, {'changed' if change.action == 'update' else change.action + 'd'}")
    if change.note:
        words.append(change.note)
    old, new = change.before_mode, change.after_mode
    if old is not None and new is not None and old != new:
        words.append(f"mode {old:04o} to {new:04o}")
    elif change.action == "create" and new not in (None, 0o644):
        words.append(f"mode {new:04o}")
    return ", ".join(words)


def _lacks_newline(text: str | None) -> bool:
    return bool(text) and not str(text).endswith("\n")


def _style(line: str) -> tuple[str, bool]:
    if line.startswith(("---", "+++")):
        return "", True
    if line.startswith(("@@", "#")):
        return "cyan", False
    return {"-": "red", "+": "green"}.get(line[:1], ""), False


def _show_units(units: tuple[UnitChange, ...]) -> None:
    table = Table(("", "", ""))
    for one in units:
        table.row(one.action, "" if one.unit == "systemd" else one.unit, one.why)
    table.show(with_head=False)


def _units(units: list[str]) -> str:
    """`3 instances and nginx`."""
    instances = [unit for unit in units if "@" in unit]
    rest = [_short(unit) for unit in units if "@" not in unit]
    if len(instances) == 1:
        return listed([instances[0].partition("@")[2].removesuffix(".service"), *rest])
    return listed([*([count(len(instances), "instance")] if instances else []), *rest])


def _own_work(change: UnitChange) -> bool:
    """Steps of systemd's own (users, folders, daemon-reload): in the list, not in the sentence."""
    return change.unit.startswith("systemd") or change.action == "daemon-reload"


def _short(unit: str) -> str:
    return "GPU settings" if unit == _SETTINGS else unit.removesuffix(".service")
