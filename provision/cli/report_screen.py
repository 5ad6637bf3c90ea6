"""A Report for people: a line an instance, then everything that is not as planned."""

from __future__ import annotations

import sys

from provision.host.report import Check, Report

from .screen import Table, count, heading, mark, paragraph, put

# Column -> the aspects that speak for it, the most telling first.
_COLUMNS = {
    "unit": ("unit", "processes"),
    "GPUs by process": ("gpus",),
    "CPUs": ("cpus", "cpuset"),
    "memory on its node": ("memory", "memory-policy"),
    "settings": ("environment",),
    "answers": ("token", "ready", "port", "proxy"),
}
_SERVICES = ("gpu-settings", "nginx")  # subjects that are no instances
_WIDEST = 24  # of a cell; the whole sentence stands below


def show_report(report: Report) -> None:
    """The whole screen of `provision verify`."""
    subjects = list(dict.fromkeys(check.subject for check in report.checks))
    instances = [one for one in subjects if one not in _SERVICES]
    table = Table(("instance", *_COLUMNS), spare=list(_COLUMNS).index("settings") + 1)
    for subject in instances:
        checks = [one for one in report.checks if one.subject == subject]
        table.row(subject, *(_cell(checks, aspects) for aspects in _COLUMNS.values()))
    table.show()
    _show_rest(report, [one for one in subjects if one not in instances])
    _show_details(report)
    put()
    put(_sentence(report))


def _cell(checks: list[Check], aspects: tuple[str, ...]) -> str:
    """What the first of these aspects found; where one fails, that one, with a mark."""
    found = [one for aspect in aspects for one in checks if one.aspect == aspect]
    if not found:
        return ""
    for ok, sign in ((False, mark("bad", sys.stdout)), (None, mark("unknown", sys.stdout))):
        for one in found:
            if one.ok is ok:
                return _short(f"{sign} {one.aspect}: {_without_uuids(one)}")
    return _short(_proven(found[0]))


def _proven(check: Check) -> str:
    """A proven claim in the words of its column."""
    if check.aspect in ("gpus", "cpus", "cpuset"):
        return f"{_without_uuids(check)} as planned"
    if check.aspect in ("token", "ready"):
        return f"{check.aspect} {check.actual}"
    return check.actual or check.expected or "as planned"


def _without_uuids(check: Check) -> str:
    """GPUs by their number; which ones they are stands in the plan and in --json."""
    if check.aspect != "gpus" or not check.actual.startswith(("GPU-", "MIG-")):
        return check.actual or "?"
    return str(len(check.actual.split(",")))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 3]}..."


def _show_rest(report: Report, subjects: list[str]) -> None:
    """What is not an instance: nginx, GPU settings, what else stands in the report."""
    rest = [one for one in report.checks if one.subject in subjects]
    if not rest:
        return
    put()
    table = Table(("", "", "", ""))
    for one in rest:
        sign = mark({True: "ok", False: "bad", None: "unknown"}[one.ok], sys.stdout)
        table.row(sign, one.subject, one.aspect, _one_line(one.actual or one.expected))
    table.show(with_head=False)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:67]}..."


def _show_details(report: Report) -> None:
    for title, ok in (("Not as planned", False), ("Not proven", None)):
        checks = [one for one in report.checks if one.ok is ok]
        if not checks:
            continue
        heading(title)
        indent = max(len(f"{one.subject} {one.aspect}") for one in checks) + 4
        for one in checks:
            paragraph(f"{one.subject} {one.aspect}", _said(one), min(indent, 30))


def _said(check: Check) -> str:
    parts = []
    if check.expected and check.actual:
        parts.append(f"expected {check.expected}, found {check.actual}")
    elif check.actual or check.expected:
        parts.append(check.actual or f"expected {check.expected}")
    if check.detail:
        parts.append(check.detail)
    return "; ".join(parts) or "no more is known"


def _sentence(report: Report) -> str:
    good = sum(one.ok is True for one in report.checks)
    bad = sum(one.ok is False for one in report.checks)
    unknown = len(report.checks) - good - bad
    if not report.checks:
        return f"{report.host}: nothing to verify, nothing was applied here."
    parts = [f"{good} of {count(len(report.checks), 'claim')} proven"]
    if bad:
        parts.append(f"{bad} refuted")
    if unknown:
        parts.append(f"{unknown} open")
    return f"{report.host}: {', '.join(parts)}."
