"""A rollout for people: a line a host as it goes, plans in short, the summary."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from .complaint import printable
from .screen import count, mark

if TYPE_CHECKING:
    from provision.fleet.brief import Brief
    from provision.fleet.playbooks import Verb
    from provision.fleet.result import FileCount, FleetResult, HostResult

_PHASES = {
    "provision_inspect": "inspecting",
    "provision_render": "planning",
    "provision_apply": "applying",
    "provision_verify": "verifying",
    "provision_remove": "removing",
}
_DONE = {"start": "started", "restart": "restarted", "stop": "stopped", "reload": "reloaded"}
_NAME = 12  # columns of a host's name; longer ones push their line


@dataclass(frozen=True)
class FleetScreen:
    """Where the lines go: stdout, or stderr where stdout belongs to a JSON document."""

    verb: Verb
    check: bool
    stream: TextIO

    def phase(self, module: str) -> None:
        """What begins now, on stderr: it is progress, not a result."""
        if module in _PHASES:
            print(f"  {_PHASES[module]}", file=sys.stderr, flush=True)

    def host(self, one: HostResult) -> None:
        """A host's fate in a line; further complaints below it."""
        good = one.state == "ok"
        first, *rest = self._words(one).splitlines() or [""]
        sign = mark("ok" if good else "bad", self.stream)
        end = f"  {one.seconds:.0f} s" if one.seconds >= 1 else ""
        outcome = _outcome(one)
        self._line(f"{one.host:<{_NAME}} {sign} {first}{f'   {outcome}' if outcome else ''}{end}")
        for line in rest:
            self._line(f"{'':<{_NAME}}   {line}")
        if self.verb == "plan" and one.plan is not None:
            for line in plan_lines(one.plan):
                self._line(line)
        for line in diff_lines(one.diff):
            self._line(line)
        self.stream.flush()

    def summary(self, result: FleetResult) -> None:
        """The whole run in a line or two."""
        self._line("")
        for line in summary_lines(result):
            self._line(line)

    def _words(self, one: HostResult) -> str:
        """What happened: `12 files, 3 restarted, verified`; on failure the complaints."""
        if one.state == "untouched":
            return "not touched: the rollout was halted before"
        if one.state == "unreachable":
            return f"cannot be reached: {one.message}"
        if one.state == "failed":
            return one.message.removeprefix("error: ") or "failed without a word"
        if one.plan is not None and self.verb == "plan":
            return one.plan.machine
        if self.verb != "apply" or self.check:
            return one.message
        words = _counted(one.count) if one.changed else one.message
        return f"{words}, verified" if one.verified else words

    def _line(self, text: str) -> None:
        print(printable(text).rstrip(), file=self.stream)


def summary_lines(result: FleetResult) -> Iterator[str]:
    """`4 hosts: 3 as planned, 1 unreachable`."""
    failed = [one.host for one in result.hosts if one.state == "failed"]
    unreachable = [one.host for one in result.hosts if one.state == "unreachable"]
    untouched = [one.host for one in result.hosts if one.state == "untouched"]
    good = [one for one in result.hosts if one.state == "ok"]
    changed = sum(one.changed for one in good)
    parts = []
    if result.verb in ("apply", "remove"):
        verb = "would change" if result.check else "changed"
        parts += [f"{changed} {verb}"] if changed else []
        parts += [f"{len(good) - changed} unchanged"] if len(good) > changed else []
    elif good:
        parts.append(f"{len(good)} {_GOOD[result.verb]}")
    parts += [f"{len(failed)} failed"] if failed else []
    parts += [f"{len(unreachable)} unreachable"] if unreachable else []
    parts += [f"{len(untouched)} not touched"] if untouched else []
    yield f"{count(len(result.hosts), 'host')}: {', '.join(parts) or 'nothing done'}"
    again = sorted([*failed, *unreachable, *untouched])
    if again and len(again) < len(result.hosts) and result.verb != "plan":
        yield f"The others are done. Again for these alone: --limit {','.join(again)}"


_GOOD = {"inspect": "inspected", "plan": "planned", "verify": "as planned"}


def plan_lines(plan: Brief) -> Iterator[str]:
    """A host's plan in short, below its name."""
    rows = [
        (
            one.name,
            one.engine,
            f"GPU {' '.join(map(str, one.gpus))}" if one.gpus else "no GPU",
            f"node {' '.join(map(str, one.nodes))}" if one.nodes else "-",
            one.cores or "-",
            str(one.port),
        )
        for one in plan.instances
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    for row in rows:
        cells = (cell.ljust(wide) for cell, wide in zip(row, widths, strict=True))
        yield f"{'':<{_NAME}}   {'   '.join(cells)}"
    for route in plan.routes:
        yield f"{'':<{_NAME}}   nginx {route}"
    for warning in plan.warnings:
        yield f"{'':<{_NAME}}   warning: {warning}"


def diff_lines(diffs: tuple[object, ...]) -> Iterator[str]:
    """Ansible's diff list as unified diffs; secrets were taken out on the host."""
    for one in diffs:
        if not isinstance(one, dict):
            continue
        before, after = str(one.get("before") or ""), str(one.get("after") or "")
        if before == after:
            continue
        yield from difflib.unified_diff(
            before.splitlines(),
            after.splitlines(),
            str(one.get("before_header") or "before"),
            str(one.get("after_header") or "after"),
            lineterm="",
        )


def _counted(number: FileCount) -> str:
    parts = [count(number.files, "file")] if number.files else []
    parts += [f"{number.units[one]} {_DONE[one]}" for one in _DONE if number.units.get(one)]
    return ", ".join(parts) or "changed"


def _outcome(one: HostResult) -> str:
    if one.state != "failed":
        return ""
    return {
        "rolled_back": "rolled back",
        "broken": "not undone completely",
        "not_as_planned": "applied, but not as planned" if one.changed else "not as planned",
        "conflict": "nothing changed",
        "error": "" if one.changed else "nothing changed",
        "locked": "nothing changed",
    }.get(one.outcome, "")
