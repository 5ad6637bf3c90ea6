"""A saved plan on its way to a host: does what it was made from still hold?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision.host.errors import Diagnostic, ProvisionError, fail

from . import complaint, inputs

if TYPE_CHECKING:
    from provision.host.facts import Facts
    from provision.plan.plan import Plan, PlanSource


def source_of(plan: Plan, name: str) -> PlanSource:
    """What a saved plan was made from; ProvisionError `plan-stale` where it does not say."""
    if plan.source is None:
        raise fail(
            "plan-stale",
            f"{name} does not say what it was made from",
            "save a plan with `provision plan HOST.YAML -o FILE`",
        )
    return plan.source


def compare_spec(source: PlanSource, name: str, strict: bool) -> None:
    """host.yaml must hold what it held. Where it is not, the plan came here alone: a note."""
    from provision.plan.saved import spec_changed

    if source.spec == "-":
        return  # came on standard input: there is no file to compare with
    path = Path(source.spec)
    try:
        there = path.exists()
    except OSError:
        there = False
    if not there:
        message = f"{source.spec}, of which {name} was made, is not here: not compared"
        complaint.show([Diagnostic("spec-missing", message, severity="note")])
    elif spec_changed(source, inputs.bytes_of(path)):
        message = f"{source.spec} has changed since {name} was made of it"
        _say([Diagnostic("plan-stale", message, hint=_again(source, name))], strict)


def compare_facts(plan: Plan, source: PlanSource, facts: Facts, name: str, strict: bool) -> None:
    """The stable facts must be those of the plan; volatile ones move, and apply looks at them."""
    from provision.plan.saved import differences

    found = differences(plan, source, facts)
    if not found:
        return
    host = facts.stable.system.hostname
    message = f"{host} is not as {name} was made for: {'; '.join(found)}"
    _say([Diagnostic("plan-stale", message, hint=_again(source, name))], strict)


def _again(source: PlanSource, name: str) -> str:
    spec = "HOST.YAML" if source.spec == "-" else source.spec
    return f"plan again: provision plan {spec} -o {'FILE' if name == '<stdin>' else name}"


def _say(found: list[Diagnostic], strict: bool) -> None:
    if strict:
        raise ProvisionError(*found)
    complaint.show(replace(one, severity="warning") for one in found)
