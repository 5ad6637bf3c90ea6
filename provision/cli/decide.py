"""From the options of a command to a decision: spec, facts and plan together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision import pipeline
from provision.host.errors import fail

from . import inputs, saved

if TYPE_CHECKING:
    from provision.host.facts import Facts
    from provision.host.files import Files
    from provision.plan.plan import Plan
    from provision.spec.read import ReadSpec


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan and the facts that it was made from, or was compared with.

    facts None: the plan was saved, and no machine was looked at. saved: it was.
    """

    facts: Facts | None
    plan: Plan
    saved: bool = False


def decide(
    host_yaml: Path,
    facts_file: Path | None,
    files: Files | None = None,
    *,
    replan: bool = False,
    strict: bool = True,
) -> Decision:
    """Read, inspect (or read recorded facts), plan; or take a saved plan as it is.

    files: where the plan is going to be applied. On the live host recorded facts are compared
    with the machine first, since a plan for another one must not be applied here. strict: a saved
    plan that no longer holds is refused, and not only remarked upon.
    """
    inputs.not_both_stdin(host_yaml, facts_file)
    text, name = inputs.bytes_of(host_yaml), inputs.name_of(host_yaml)
    plan = pipeline.saved_plan(text, name)
    if plan is not None:
        if replan:
            raise fail("saved-plan", f"{name} is a saved plan: --replan needs a host.yaml")
        return _as_saved(plan, name, facts_file, files, strict)
    read = pipeline.read(text, name)
    if facts_file is None:
        facts = pipeline.inspect(read.spec)
    else:
        facts = inputs.read_facts(facts_file)
        if files is not None and files.live:
            _is_this_machine(read, facts, str(facts_file))
    plan = pipeline.plan(read, facts, replan)
    path = "-" if str(host_yaml) == "-" else os.path.abspath(host_yaml)  # noqa: PTH100 -- no links
    return Decision(facts, pipeline.sourced(plan, path, text, read, facts))


def _as_saved(
    plan: Plan, name: str, facts_file: Path | None, files: Files | None, strict: bool
) -> Decision:
    """A saved plan, once it is known to hold: host.yaml, then the machine or recorded facts.

    Without facts a scratch root or a folder of rendered files is compared with no machine.
    """
    source = saved.source_of(plan, name)
    saved.compare_spec(source, name, strict)
    facts = None
    if files is not None and files.live:
        # The machine itself decides; facts that were recorded of it prove nothing about today.
        facts = pipeline.inspect(source.request)
    elif facts_file is not None:
        facts = inputs.read_facts(facts_file)
    if facts is not None:
        saved.compare_facts(plan, source, facts, name, strict)
    return Decision(facts, plan, saved=True)


def _is_this_machine(read: ReadSpec, recorded: Facts, name: str) -> None:
    """Hardware and name of the facts must be those of the machine that is about to be changed.

    Software and volatile facts may have moved on; apply itself checks what it depends on.
    """
    now = pipeline.inspect(read.spec).stable
    then = recorded.stable
    for what, old, new in (
        ("host name", then.system.hostname, now.system.hostname),
        ("NUMA nodes", _nodes(recorded), tuple((one.id, str(one.cpus)) for one in now.numa_nodes)),
        ("GPUs", _gpus(recorded), tuple((str(one.address), one.uuid) for one in now.gpus)),
    ):
        if old != new:
            raise fail(
                "stale-facts",
                f"{name} is not about this machine as it is now: {what} {old or 'none'},"
                f" here {new or 'none'}",
                "leave out --facts, or use --root DIR to see the files of another machine",
            )


def _nodes(facts: Facts) -> tuple[tuple[int, str], ...]:
    return tuple((one.id, str(one.cpus)) for one in facts.stable.numa_nodes)


def _gpus(facts: Facts) -> tuple[tuple[str, str], ...]:
    return tuple((str(one.address), one.uuid) for one in facts.stable.gpus)
