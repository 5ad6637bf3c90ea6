"""A plan for people: instances, ways in, reasons, warnings, what apply would do."""

from __future__ import annotations

from collections.abc import Sequence

from provision.host.errors import Diagnostic
from provision.host.facts import Facts, Finding
from provision.host.report import ChangeSet
from provision.plan.plan import Member, Plan, Proxy, Reason
from provision.render.directives import left_out

from .changes_screen import summary
from .host_line import host_line
from .instances_screen import show_expected, show_instances_and_expected
from .screen import Table, heading, paragraph, put

_INDENT = 16  # of the lines below the tables: `  GPU settings  ...`


def show_plan(plan: Plan, facts: Facts | None) -> None:
    """The whole screen but its last line. facts None: of a saved plan."""
    put(host_line(facts) if facts else plan.host, bold=True)
    put()
    with_expected = show_instances_and_expected(plan)
    if plan.proxy is not None:
        _show_proxy(plan.proxy)
    _show_settings(plan)
    if plan.takeover:
        put(f"  takes over    {' '.join(plan.takeover)}: stopped and disabled, `remove` gives back")
    _show_moves(plan)
    if not with_expected:
        show_expected(plan)
    if plan.reasons:
        heading("Why")
        _show_reasons(plan.reasons)
    if plan.explanations:
        names = ", ".join(one.group for one in plan.explanations)
        paragraph("", f"Every way that was weighed: --explain NAME ({names}).", 2)
    notes = [Diagnostic("left-out", text, severity="note") for text in left_out(plan.systemd)]
    findings = facts.findings if facts else ()
    show_warnings(
        (*plan.warnings, *_new(findings, plan.warnings), *notes, *_not_proven(plan.proven))
    )


_GRAVEST = ("error", "warning", "note")


def show_warnings(warnings: tuple[Diagnostic, ...]) -> None:
    """Rule, sentence and remedy of each; notes after warnings, and errors of the host first."""
    if not warnings:
        return
    heading("Notes" if all(one.severity == "note" for one in warnings) else "Warnings")
    indent = min(22, max(len(one.rule) for one in warnings) + 4)
    for one in sorted(warnings, key=lambda one: _GRAVEST.index(one.severity)):
        place = f"{one.place.file}:{one.place.line}: " if one.place else ""
        hint = f". {one.hint[:1].upper()}{one.hint[1:]}" if one.hint else ""
        paragraph(one.rule, f"{place}{one.message}{hint}.", indent)


def show_outlook(outlook: ChangeSet | str | None, host: str, spec: str) -> None:
    """What an apply would do. None: the plan is for another machine; text: it cannot be told."""
    command = f"provision apply {spec}"
    put()
    if outlook is None:
        put(f"Nothing has been changed.  On {host}: {command}")
    elif isinstance(outlook, str):
        paragraph("", f"What apply would change is not known: {outlook}.", 0)
        put(f"Nothing has been changed.  {command}")
    elif outlook.empty:
        put("The host is as planned: apply would change nothing.")
    else:
        paragraph("", f"{summary(outlook)}. Nothing has been changed.", 0)
        put(command if not outlook.conflicts else f"See them: provision diff {spec}")


def _show_proxy(proxy: Proxy) -> None:
    put()
    table = Table(("nginx", "path", "instances"))
    for route in proxy.routes:
        alike = len({one.weight for one in route.members}) == 1
        members = " ".join(_member(one, alike) for one in route.members)
        table.row(" ".join(route.listen), route.path, members)
    table.show()
    limits: list[str] = []
    if proxy.keys_file:
        limits.append(f"a key of {proxy.keys_file}")
    if proxy.allow:
        limits.append(f"an address in {', '.join(proxy.allow)}")
    if limits:
        put(f"  let in: {' and '.join(limits)}")


def _member(member: Member, alike: bool) -> str:
    return member.instance if alike else f"{member.instance} (x{member.weight})"


def _show_settings(plan: Plan) -> None:
    """GPU settings in one line each kind."""
    if plan.gpu_settings is None:
        return
    cards: dict[str, int] = {}
    for gpu in plan.gpu_settings.gpus:
        words = []
        if gpu.persistence is not None:
            words.append(f"persistence {'on' if gpu.persistence else 'off'}")
        if gpu.power_limit_watts is not None:
            words.append(f"power limit {gpu.power_limit_watts:g} W")
        if words:
            cards[", ".join(words)] = cards.get(", ".join(words), 0) + 1
    if cards:
        put()
    for settings, number in cards.items():
        put(f"  GPU settings  {number} GPU{'s' if number > 1 else ''}: {settings}")


def _show_moves(plan: Plan) -> None:
    """What goes to other GPUs and from where; of the rest that runs already, that it stays."""
    if not plan.moved and not plan.kept:
        return
    put()
    for name, text in sorted(plan.moved.items()):
        paragraph("moves", f"{name}: {text}", _INDENT)
    if plan.kept:
        paragraph("stays", " ".join(sorted(plan.kept)), _INDENT)


def _not_proven(proven: bool) -> list[Diagnostic]:
    """A note where the search for the best placement was cut short."""
    if proven:
        return []
    text = "the search for the best placement ended before all were seen: a better one may exist"
    return [Diagnostic("not-proven", text, severity="note")]


def _show_reasons(reasons: tuple[Reason, ...]) -> None:
    indent = min(22, max(len(one.subject) for one in reasons) + 4)
    last = ""
    for subject, text in by_subject([(one.subject, one.text) for one in reasons]):
        paragraph(subject if subject != last else "", f"{text}.", indent)
        last = subject


def by_subject(lines: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Subjects and sentences, those of one subject together, in the order of their first."""
    first = list(dict.fromkeys(subject for subject, _ in lines))
    return sorted(lines, key=lambda line: first.index(line[0]))


def _new(findings: tuple[Finding, ...], told: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """What inspection found and the plan has not taken up itself."""
    known = {(one.rule, one.message) for one in told}
    complaints = (one.diagnostic() for one in findings)
    return tuple(one for one in complaints if (one.rule, one.message) not in known)
