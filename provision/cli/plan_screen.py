"""A plan for people: instances, ways in, reasons, warnings, what apply would do."""

from __future__ import annotations

from provision.engines.launch import Launch
from provision.host.errors import Diagnostic
from provision.host.facts import Facts, Finding
from provision.host.quantity import CpuSet
from provision.host.report import ChangeSet
from provision.plan.plan import Member, Plan, Proxy, Reason
from provision.render.directives import left_out

from .changes_screen import summary
from .host_line import host_line
from .screen import Table, heading, paragraph, put


def show_plan(plan: Plan, facts: Facts) -> None:
    """The whole screen but its last line."""
    put(host_line(facts), bold=True)
    put()
    show_instances(plan)
    if plan.proxy is not None:
        _show_proxy(plan.proxy)
    _show_settings(plan)
    if plan.takeover:
        put(f"  takes over    {' '.join(plan.takeover)}: stopped and disabled, `remove` gives back")
    if plan.reasons:
        heading("Why")
        _show_reasons(plan.reasons)
    notes = (Diagnostic("left-out", text, severity="note") for text in left_out(plan.systemd))
    show_warnings((*plan.warnings, *_new(facts.findings, plan.warnings), *notes))


def show_instances(plan: Plan) -> None:
    """A line an instance."""
    table = Table(
        ("instance", "engine", "model", "GPUs", "split", "node", "cores", "port"), spare=2
    )
    for one in plan.instances:
        table.row(
            one.name,
            one.engine,
            model_text(one),
            gpus_text(one),
            split_text(one),
            " ".join(map(str, one.pin.nodes)),
            str(one.pin.cpus) if one.pin.cpus is not None else "",
            str(one.port),
        )
    table.show()


def gpus_text(launch: Launch) -> str:
    """`0 1` in the engine's order; `0-7` where many stand in a row."""
    numbers = [gpu.index for gpu in launch.gpus]
    if len(numbers) > 4 and numbers == sorted(numbers):
        return str(CpuSet.of(numbers))
    return " ".join(map(str, numbers))


def model_text(launch: Launch) -> str:
    """The models in short: a path's last part, a hub id's name; the first and how many more."""
    first = launch.models[0].rstrip("/").rpartition("/")[2] if launch.models else ""
    short = first if len(first) <= 28 else f"{first[:25]}..."
    return f"{short} +{len(launch.models) - 1}" if len(launch.models) > 1 else short


def split_text(launch: Launch) -> str:
    """`tensor 2`, `tensor 2 pipeline 2`, `layers` where the engine spreads them itself."""
    parts = []
    if launch.tensor_parallel_size > 1:
        parts.append(f"tensor {launch.tensor_parallel_size}")
    if launch.pipeline_parallel_size > 1:
        parts.append(f"pipeline {launch.pipeline_parallel_size}")
    if not parts and len(launch.gpus) > 1:
        return "layers"
    return " ".join(parts)


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
        put(f"  GPU settings  {settings} on {number} GPU{'s' if number > 1 else ''}")


def _show_reasons(reasons: tuple[Reason, ...]) -> None:
    indent = min(22, max(len(one.subject) for one in reasons) + 4)
    last = ""
    for one in reasons:
        paragraph(one.subject if one.subject != last else "", f"{one.text}.", indent)
        last = one.subject


def _new(findings: tuple[Finding, ...], told: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """What inspection found and the plan has not taken up itself."""
    known = {(one.rule, one.message) for one in told}
    complaints = (one.diagnostic() for one in findings)
    return tuple(one for one in complaints if (one.rule, one.message) not in known)
