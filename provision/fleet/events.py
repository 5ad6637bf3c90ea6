"""Ansible's events folded into one result a host. Pure: events in, results out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from provision.host.document import from_plain
from provision.host.errors import Exit
from provision.host.facts import Facts

from .brief import Brief, machine
from .playbooks import Verb
from .result import FileCount, FleetResult, HostResult, HostState

# The module whose success is the host's success.
_LAST: dict[Verb, str] = {
    "inspect": "provision_inspect",
    "plan": "provision_render",
    "apply": "provision_verify",
    "verify": "provision_verify",
    "remove": "provision_remove",
}
_ENDS: dict[str, HostState] = {
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
}


@dataclass
class Fold:
    """Takes events as they come; says of each whether it decided a host's fate.

    complaints: what Ansible said that belongs to no host (a broken inventory, no host matched).
    """

    verb: Verb
    check: bool = False
    verify: bool = True  # apply: whether the proof follows
    hosts: dict[str, HostResult] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    phase: str = ""  # module of the task that runs now
    complaints: list[str] = field(default_factory=list)
    ended: bool = False  # Ansible got as far as its statistics

    def take(self, event: Mapping[str, Any]) -> tuple[HostResult, ...]:
        """Fold one event; the hosts whose fate it decided, sorted."""
        kind = str(event.get("event", ""))
        data: Mapping[str, Any] = event.get("event_data") or {}
        if kind == "playbook_on_task_start":
            self.phase = _action(data)
        elif kind == "playbook_on_no_hosts_matched":
            self.complaints.append("no host of the inventory matches")
        elif kind == "playbook_on_stats":
            self.ended = True
        elif kind in ("error", "warning", "deprecated", "verbose"):
            self._hear(kind, str(event.get("stdout", "")))
        elif kind == "runner_on_start":
            self._known(str(data["host"]))
        elif kind in _ENDS and not data.get("ignore_errors"):
            return self._failed(str(data["host"]), _ENDS[kind], data)
        elif kind == "runner_on_ok":
            return self._went_well(str(data["host"]), data)
        return ()

    def result(self) -> FleetResult:
        """All hosts; those without an end were not touched."""
        final = [
            one if name in self.done else replace(one, state="untouched")
            for name, one in sorted(self.hosts.items())
        ]
        return FleetResult(1, self.verb, self.check, tuple(final))

    def _hear(self, kind: str, said: str) -> None:
        if kind == "error" or said.startswith("ERROR") or "[ERROR]" in said:
            self.complaints.append(said.strip())

    def _known(self, host: str) -> HostResult:
        return self.hosts.setdefault(host, HostResult(host, "untouched"))

    def _failed(
        self, host: str, state: HostState, data: Mapping[str, Any]
    ) -> tuple[HostResult, ...]:
        answer = _answer(data)
        before = self._known(host)
        verifying = _action(data) == "provision_verify"
        ended = replace(
            before,
            state=state,
            changed=before.changed or bool(answer.get("changed")),
            message=_message(answer),
            outcome=str(answer.get("outcome") or ""),
            exit_code=int(answer.get("exit_code") or Exit.ERROR),
            seconds=before.seconds + _seconds(data),
            verified=False if verifying else before.verified,
            report=answer.get("report", before.report),
            diff=tuple(answer.get("diff") or before.diff),
        )
        return self._end(ended)

    def _went_well(self, host: str, data: Mapping[str, Any]) -> tuple[HostResult, ...]:
        answer, action = _answer(data), _action(data)
        if action == "provision_render":
            return self._rendered(answer)
        one = self._known(host)
        one = replace(one, seconds=one.seconds + _seconds(data))
        if action == "provision_inspect":
            facts = (answer.get("ansible_facts") or {}).get("provision")
            if self.verb == "inspect" and isinstance(facts, dict):
                machine_line = machine(from_plain(Facts, facts, f"facts of {host}"))
                one = replace(one, facts=facts, message=machine_line)
        elif action in ("provision_apply", "provision_remove"):
            one = replace(
                one,
                changed=bool(answer.get("changed")),
                message=_message(answer),
                count=_count(answer.get("changes") or {}),
                diff=tuple(answer.get("diff") or ()),
            )
        elif action == "provision_verify":
            message = one.message if self.verb == "apply" else _message(answer)
            one = replace(one, verified=True, report=answer.get("report"), message=message)
        self.hosts[host] = one
        return self._end(replace(one, state="ok")) if action == self._last() else ()

    def _rendered(self, answer: Mapping[str, Any]) -> tuple[HostResult, ...]:
        """One event for all hosts; those that cannot be planned fail in a task of their own."""
        ended: list[HostResult] = []
        for host, outcome in sorted((answer.get("hosts") or {}).items()):
            one = self._known(host)
            if "msg" in outcome:
                code = int(outcome.get("exit_code") or Exit.ERROR)
                failed = replace(
                    one,
                    state="failed",
                    message=str(outcome["msg"]),
                    outcome="error",
                    exit_code=code,
                )
                ended += self._end(failed)
                continue
            one = replace(one, plan=from_plain(Brief, outcome["plan"], f"plan of {host}"))
            self.hosts[host] = one
            if self._last() == "provision_render":
                ended += self._end(replace(one, state="ok"))
        return tuple(ended)

    def _end(self, one: HostResult) -> tuple[HostResult, ...]:
        if one.host in self.done:
            return ()
        one = replace(one, seconds=round(one.seconds, 1))
        self.done.add(one.host)
        self.hosts[one.host] = one
        return (one,)

    def _last(self) -> str:
        if self.verb == "apply" and (self.check or not self.verify):
            return "provision_apply"
        return _LAST[self.verb]


def _answer(data: Mapping[str, Any]) -> Mapping[str, Any]:
    answer = data.get("res")
    return answer if isinstance(answer, Mapping) else {}


def _action(data: Mapping[str, Any]) -> str:
    return str(data.get("resolved_action") or data.get("task_action") or "").rpartition(".")[2]


def _seconds(data: Mapping[str, Any]) -> float:
    return float(data.get("duration") or 0.0)


def _message(answer: Mapping[str, Any]) -> str:
    said = str(answer.get("msg") or "").strip()
    extra = str(answer.get("module_stderr") or answer.get("exception") or "").strip()
    if answer.get("module_stderr") and extra not in said:
        # A module that died: its last line is the cause, Ansible's own words only say that it did.
        return f"{said}\n{extra.splitlines()[-1]}" if said else extra.splitlines()[-1]
    return said


def _count(changes: Mapping[str, Any]) -> FileCount:
    units: dict[str, int] = {}
    for one in changes.get("units") or ():
        units[one["action"]] = units.get(one["action"], 0) + 1
    return FileCount(len(changes.get("files") or ()), units)
